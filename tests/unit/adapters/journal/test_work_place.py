"""The place of one recovery: one process at a time, nobody else's eyes, and nothing outside of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from etcd_dr.adapters.journal import DirectoryWorkPlaces
from etcd_dr.domain.digest import Digest
from etcd_dr.errors import Busy, FileUnreadable, UsageError

ID = "20260820T030000Z-000000000001"


@pytest.fixture
def places(tmp_path: Path) -> DirectoryWorkPlaces:
    return DirectoryWorkPlaces(tmp_path / "recoveries")


def test_a_second_run_of_the_same_recovery_is_refused(places: DirectoryWorkPlaces) -> None:
    """Two processes of one machine never carry out one recovery; when the first one ends, the next may."""
    with places.hold(ID), pytest.raises(Busy), places.hold(ID):
        pass

    with places.hold(ID):
        pass


def test_two_recoveries_do_not_disturb_each_other(places: DirectoryWorkPlaces) -> None:
    """The lock is the recovery's, not the directory's of all."""
    with places.hold(ID) as one, places.hold(ID + "b") as other:
        assert one.directory != other.directory


@pytest.mark.parametrize("recovery_id", ["..", "a/b", ""])
def test_what_is_no_recovery_id_has_no_place(places: DirectoryWorkPlaces, recovery_id: str) -> None:
    """Ids come from command lines and stores."""
    with pytest.raises(UsageError), places.hold(recovery_id):
        pass


def test_directories_are_for_their_owner_only(places: DirectoryWorkPlaces, tmp_path: Path) -> None:
    """Databases in clear lie there."""
    with places.hold(ID) as place:
        place.path("built", "m1")

    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "recoveries").rglob("*") if p.is_dir()}
    assert modes == {0o700}


def test_nothing_outside_is_reached(places: DirectoryWorkPlaces) -> None:
    """A name of a node or a member never leads out."""
    with places.hold(ID) as place, pytest.raises(UsageError):
        place.path("built", "../../../elsewhere")


def test_files_are_measured_compared_and_added_to(places: DirectoryWorkPlaces) -> None:
    """What is missing is None, or not the same."""
    with places.hold(ID) as place:
        one, other, missing = (place.path("source", name) for name in ("one", "other", "missing"))
        one.write_bytes(b"a" * 3_000_000)
        other.write_bytes(b"a" * 2_999_999)

        assert not place.is_same(one, other)
        place.append(other, b"a")

        assert place.is_same(one, other)
        assert not place.is_same(one, missing)
        assert place.size_bytes(one) == 3_000_000
        assert place.size_bytes(missing) is None
        assert place.digest(missing) is None
        assert place.digest(one) == place.digest(other) != Digest(hex="0" * 64)
        assert place.read_head(one, limit_bytes=3) == b"aaa"
        assert place.free_bytes() > 0


def test_discarding_takes_whole_directories_and_is_safe_to_repeat(places: DirectoryWorkPlaces) -> None:
    """And only what lies inside."""
    with places.hold(ID) as place:
        place.path("built", "m1", "member", "db").write_bytes(b"x")

        place.discard(place.path("built"))
        place.discard(place.path("built"))

        assert place.names(place.path("built")) == ()
        assert place.names(place.directory) == (".held",)


def test_a_place_that_is_not_ours_says_so(tmp_path: Path) -> None:
    """A state directory that is a file is named."""
    (tmp_path / "recoveries").write_bytes(b"")

    with pytest.raises(FileUnreadable) as raised, DirectoryWorkPlaces(tmp_path / "recoveries").hold(ID):
        pass

    assert str(tmp_path / "recoveries") in raised.value.subject
