"""What is decided about a snapshot that another tool made."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.file_name import NameFacts
from etcd_dr.domain.imported import imported_time, is_stranger
from etcd_dr.domain.manifest import TopologyMember
from fakes.catalogue import catalogue_of, moment, snapshot

NOW = moment("2026-08-20 12:00")
NAMED = NameFacts(taken_at=moment("2023-08-20 10:00"), assumption="the node's clock is UTC")
CHANGED = moment("2024-01-01")


def test_what_somebody_said_comes_before_the_name_and_the_name_before_the_file() -> None:
    """With the origin for the manifest, and a word about what was assumed."""
    said = imported_time(moment("2022-02-02"), name=NAMED, changed_at=CHANGED, now=NOW)
    named = imported_time(None, name=NAMED, changed_at=CHANGED, now=NOW)
    changed = imported_time(None, name=NameFacts(), changed_at=CHANGED, now=NOW)

    assert (said.moment, said.origin, said.warnings) == (moment("2022-02-02"), "option", ())
    assert (named.moment, named.origin, len(named.warnings)) == (NAMED.taken_at, "name", 1)
    assert (changed.moment, changed.origin, len(changed.warnings)) == (CHANGED, "file", 1)


def test_the_future_becomes_the_present() -> None:
    """Wherever it came from."""
    ahead = NOW + timedelta(seconds=1)

    for time in (
        imported_time(ahead, name=NAMED, changed_at=CHANGED, now=NOW),
        imported_time(None, name=NameFacts(taken_at=ahead), changed_at=CHANGED, now=NOW),
        imported_time(None, name=NameFacts(), changed_at=ahead, now=NOW),
    ):
        assert (time.moment, time.origin) == (NOW, "present")
        assert "future" in time.warnings[-1]


def member(member_id: str = "1", name: str = "m1", url: str = "https://10.0.0.1:2380") -> TopologyMember:
    return TopologyMember(id=member_id, name=name, peer_urls=(url,), client_urls=())


def having(*topology: TopologyMember) -> Snapshot:
    plain = snapshot("2026-08-19")
    return Snapshot(plain.manifest.model_copy(update={"topology": topology}))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (member(), False),
        (member("2", "z", "https://z:2380"), True),
        (member("1", "z", "https://z:2380"), False),
        (member("2", "m1", "https://z:2380"), False),
        (member("2", "z", "https://10.0.0.1:2380"), False),
        (member("2", "", "https://z:2380"), True),
    ],
    ids=["same", "nothing-shared", "same-id", "same-name", "same-address", "never-started"],
)
def test_one_shared_mark_is_enough_to_belong(own: TopologyMember, expected: bool) -> None:
    """A recovery gives new ids and leaves names or addresses; a move changes addresses and leaves names."""
    known = catalogue_of(having(member(), member("5", "", "https://10.0.0.5:2380")))

    assert is_stranger((own,), known) is expected


def test_where_nothing_is_known_nobody_is_a_stranger() -> None:
    """The first import of a cluster, and a file without members."""
    assert not is_stranger((member(),), catalogue_of())
    assert not is_stranger((member(),), catalogue_of(having()))
    assert not is_stranger((), catalogue_of(having(member())))
