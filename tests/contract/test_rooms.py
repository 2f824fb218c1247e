"""Rooms leave nothing behind: not after work, not after failure, not after a killed process."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from etcd_dr.adapters.local_files import DirectoryRooms
from etcd_dr.errors import FileUnreadable, LocalStorageFull


def test_room_is_its_owners_and_gone_afterwards(tmp_path: Path) -> None:
    """Also after a failure, with all that is in it."""
    rooms, modes = DirectoryRooms(tmp_path), list[int]()

    def work() -> None:
        with rooms.open(expected_bytes=1) as room:
            (room / "a" / "b").mkdir(parents=True)
            modes.append(stat.S_IMODE(room.stat().st_mode))
            raise ValueError("went wrong")

    with pytest.raises(ValueError, match="went wrong"):
        work()

    assert modes == [0o700]
    assert list(tmp_path.iterdir()) == []


def test_room_in_use_is_never_swept(tmp_path: Path) -> None:
    """Another process may be at work."""
    rooms = DirectoryRooms(tmp_path)
    with rooms.open(expected_bytes=1) as room:
        assert DirectoryRooms(tmp_path).sweep() == ()
        assert room.is_dir()


def test_sweep_in_the_instant_in_which_a_room_is_made_costs_nobody_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drill sweeps as it begins, at the same second as the snapshot that makes a room for another drill."""
    make, swept = os.mkdir, list[tuple[str, ...]]()

    def make_and_be_swept(path: Path, mode: int = 0o777) -> None:
        make(path, mode)
        if not swept:
            swept.append(DirectoryRooms(tmp_path).sweep())

    monkeypatch.setattr(os, "mkdir", make_and_be_swept)

    with DirectoryRooms(tmp_path).open(expected_bytes=1) as room:
        assert room.is_dir()

    assert len(swept[0]) == 1


def test_room_of_a_killed_process_is_swept(tmp_path: Path) -> None:
    """Its lock went with it; directories of others are left alone."""
    (tmp_path / "etcd-dr-room-of-somebody").mkdir()
    code = (
        "import os, signal, sys; from pathlib import Path; from etcd_dr.adapters.local_files import DirectoryRooms\n"
        "with DirectoryRooms(Path(sys.argv[1])).open(expected_bytes=1) as room:\n"
        "    (room / 'database').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    left = len(list(tmp_path.iterdir()))

    swept = DirectoryRooms(tmp_path).sweep()

    assert left == 2
    assert len(swept) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["etcd-dr-room-of-somebody"]


def test_too_small_a_disk_is_told_at_once(tmp_path: Path) -> None:
    """Before anything is fetched, with the numbers."""
    with pytest.raises(LocalStorageFull) as caught, DirectoryRooms(tmp_path).open(expected_bytes=1 << 60):
        pass

    assert caught.value.context["needed_bytes"] > 1 << 60  # type: ignore[operator]


def test_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the directory as subject."""
    with pytest.raises(FileUnreadable), DirectoryRooms(tmp_path / "gone").open(expected_bytes=1):
        pass


def test_file_that_is_taken_in_outlives_its_first_name(tmp_path: Path) -> None:
    """A second name where that can be, a copy of the owner's only where not (a file in memory)."""
    rooms = DirectoryRooms(tmp_path / "rooms")
    (tmp_path / "rooms").mkdir()
    plain = tmp_path / "plain"
    plain.write_bytes(b"database")
    memory = os.memfd_create("scratch")
    os.write(memory, b"in memory")
    with rooms.open(expected_bytes=1) as room, rooms.open(expected_bytes=1) as other:
        linked = rooms.take_in(room, plain)
        copied = rooms.take_in(other, Path(f"/proc/self/fd/{memory}"))
        plain.unlink()
        os.close(memory)

        assert (linked.read_bytes(), copied.read_bytes()) == (b"database", b"in memory")
        assert stat.S_IMODE(copied.stat().st_mode) == 0o600
