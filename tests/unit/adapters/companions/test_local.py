"""Companions from this machine: files, globs and directories, and what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.companions import LocalFiles
from etcd_dr.domain.companions import CompanionLimits
from etcd_dr.errors import Cancelled
from etcd_dr.ports.companions import Gathered


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    (directory / "etcd").mkdir(parents=True)
    (directory / "ca.crt").write_text("public")
    (directory / "ca.key").write_text("secret")
    (directory / "ca.key").chmod(0o600)
    (directory / "etcd" / "ca.key").write_text("other")
    return directory


def gather(*patterns: object, limits: CompanionLimits | None = None) -> Gathered:
    source = LocalFiles([str(pattern) for pattern in patterns])
    return source.gather(limits=limits or CompanionLimits(), cancellation=CancellationSwitch())


def names(gathered: Gathered, below: Path) -> list[str]:
    return [file.name.removeprefix(f"local{below}/") for file in gathered.files]


def test_directory_is_taken_with_all_below_it(pki: Path) -> None:
    """With mode and content, each once."""
    found = gather(pki, pki / "ca.key")

    assert names(found, pki) == ["ca.crt", "ca.key", "etcd/ca.key"]
    assert (found.files[1].mode, found.files[1].body) == (0o600, b"secret")
    assert found.missing == ()


def test_pattern_takes_what_it_matches(pki: Path) -> None:
    """Also across directories."""
    assert names(gather(pki / "*.key"), pki) == ["ca.key"]
    assert names(gather(pki / "**" / "*.key"), pki) == ["ca.key", "etcd/ca.key"]


def test_what_is_not_there_is_told(pki: Path) -> None:
    """And everything else is taken all the same."""
    found = gather(pki / "gone", pki / "*.nothing", pki / "ca.crt")

    assert names(found, pki) == ["ca.crt"]
    assert [(each.name, each.reason) for each in found.missing] == [
        (f"local{pki}/gone", "No such file or directory"),
        (f"local{pki}/*.nothing", "nothing matches"),
    ]


def test_link_to_a_file_is_followed_and_a_dead_one_told(pki: Path) -> None:
    """kubelet's certificates are links to the newest."""
    (pki / "current.key").symlink_to(pki / "ca.key")
    (pki / "dead.key").symlink_to(pki / "gone")

    found = gather(pki / "current.key", pki / "dead.key")

    assert [file.body for file in found.files] == [b"secret"]
    assert len(found.missing) == 1


def test_pipe_does_not_hold_us_up(pki: Path) -> None:
    """Only regular files are companions."""
    os.mkfifo(pki / "pipe")

    found = gather(pki / "pipe")

    assert found.files == ()
    assert found.missing[0].reason == "is no regular file"


def test_limits_are_kept_and_told(pki: Path) -> None:
    """A wrong path never takes a disk into the store."""
    (pki / "large").write_bytes(bytes(100))

    too_large = gather(pki / "large", pki / "ca.crt", limits=CompanionLimits(total_bytes=50))
    too_many = gather(pki, limits=CompanionLimits(files=2))

    assert names(too_large, pki) == ["ca.crt"]
    assert "50 bytes" in too_large.missing[0].reason
    assert len(too_many.files) == 2
    assert too_many.missing[0].reason == "more than 2 files"


def test_gathering_can_be_stopped(pki: Path) -> None:
    """Between two files."""
    switch = CancellationSwitch()
    switch.cancel("SIGTERM")

    with pytest.raises(Cancelled):
        LocalFiles([str(pki)]).gather(limits=CompanionLimits(), cancellation=switch)
