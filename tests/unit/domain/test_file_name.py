"""What the names of other tools' backups tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.file_name import NameFacts, read_file_name
from fakes.catalogue import moment


@pytest.mark.parametrize(
    ("name", "platform", "taken_at"),
    [
        ("etcd-snapshot-ip-10-0-0-7-1692525600", "k3s", "2023-08-20 10:00"),
        ("etcd-snapshot-server-1.example.com-1692525600.zip", "k3s", "2023-08-20 10:00"),
        ("on-demand-node1-1692525600", "k3s", "2023-08-20 10:00"),
        ("snapshot_2023-08-20_100000.db", "openshift", "2023-08-20 10:00"),
        ("snapshot_2023-08-20_100000.db.gz", "openshift", "2023-08-20 10:00"),
        ("Full-00000000-00030009-1692525600.gz", "etcd-backup-restore", "2023-08-20 10:00"),
        ("Full-00000000-12345678901-1692525600", "etcd-backup-restore", "2023-08-20 10:00"),
        ("Full-00000000-00030009-1692525600.zlib", "etcd-backup-restore", "2023-08-20 10:00"),
        ("Full-00000000-00030009-1692525600.gz.final", "etcd-backup-restore", "2023-08-20 10:00"),
        ("talos-prod-2023-08-20T10:00:00Z.snap.zst.age", "talos", "2023-08-20 10:00"),
        ("my-cluster-2023-08-20T12:00:00+02:00.snap", "talos", "2023-08-20 10:00"),
        ("c-2023-08-20T10:00:00Z.snap.age", "talos", "2023-08-20 10:00"),
    ],
)
def test_time_and_platform_are_read_from_the_names_of_known_tools(name: str, platform: str, taken_at: str) -> None:
    """An imported snapshot gets the time at which it was taken, not at which it was copied."""
    facts = read_file_name(name)

    assert (facts.platform, facts.taken_at, facts.unusable) == (platform, moment(taken_at), "")


def test_details_that_a_name_carries_are_kept() -> None:
    """The node of k3s, the revision of etcd-backup-restore."""
    assert read_file_name("etcd-snapshot-ip-10-0-0-7-1692525600").node == "ip-10-0-0-7"
    assert read_file_name("Full-00000000-00030009-1692525600.gz").last_revision == 30_009


def test_a_time_without_a_zone_is_an_assumption() -> None:
    """cluster-backup.sh writes the node's local time."""
    assert "UTC" in read_file_name("snapshot_2023-08-20_100000.db").assumption


@pytest.mark.parametrize(
    "name",
    ["snapshot_2023-08-20_100000__POSSIBLY_DIRTY__.db", "snapshot.db.part", "etcd-snapshot-node-1692525600.part"],
)
def test_what_a_name_warns_of_is_passed_on(name: str) -> None:
    """Usable, but somebody should know."""
    facts = read_file_name(name)

    assert facts.warning
    assert not facts.unusable


@pytest.mark.parametrize(
    "name",
    [
        "Incr-00030010-00030020-1692525600.gz",
        "Chunk-00000000-00030009-1692525600",
        "Full-00000000-00030009-1692525600.Z",
        "0000000000000002-00000000000186a1.snap",
        "0000000000000000-0000000000000000.wal",
        "static_kuberesources_2023-08-20_100000.tar.gz",
    ],
)
def test_names_of_what_is_no_whole_snapshot_say_why_and_what_to_take_instead(name: str) -> None:
    """A delta is not silently taken for a database, nor a raft snapshot for one of talos-backup."""
    facts = read_file_name(name)

    assert facts.unusable
    assert facts.advice


@pytest.mark.parametrize(
    "name",
    [
        "backup.db",
        "db",
        "my-backup-1692525600.db",
        "snapshot_2023-13-40_996099.db",
        "x-2023-99-20T10:00:00Z.snap",
        "etcd-snapshot-node-0000000001",
        "",
    ],
)
def test_other_names_tell_no_time(name: str) -> None:
    """Nothing is guessed."""
    assert read_file_name(name).taken_at is None


@given(st.text(max_size=300) | st.from_regex(r"(Full|Incr|etcd-snapshot|x)-[0-9T:.Z-]{0,60}(\.snap)?", fullmatch=True))
def test_any_name_has_an_answer(name: str) -> None:
    """No name makes the reading fail."""
    assert isinstance(read_file_name(name), NameFacts)
