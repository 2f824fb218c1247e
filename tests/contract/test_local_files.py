"""One suite for scratch space: the fake, a directory, and memory keep the same contract."""

from __future__ import annotations

import errno
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from etcd_dr.adapters.local_files import DirectoryScratch, MemoryScratch, PartFiles
from etcd_dr.errors import FileExists, FileUnreadable, LocalStorageFull, UsageError
from etcd_dr.ports.local_files import ScratchSpace
from fakes.local_files import FakeScratch

SPACES: dict[str, Callable[[Path], ScratchSpace]] = {
    "fake": FakeScratch,
    "directory": DirectoryScratch,
    "memory": lambda _: MemoryScratch(limit_bytes=1 << 20),
}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest, tmp_path: Path) -> ScratchSpace:
    return SPACES[request.param](tmp_path)


def test_what_was_appended_can_be_read_at_once(space: ScratchSpace) -> None:
    """One thread appends, another one reads what is there, by offset."""
    with space.create(expected_bytes=10) as scratch:
        scratch.append(b"hello ")
        scratch.append(bytearray(b"world"))

        assert scratch.read_at(0, 5) == b"hello"
        assert scratch.read_at(6, 100) == b"world"
        assert scratch.read_at(11, 100) == b""


def test_file_can_be_opened_by_its_path(space: ScratchSpace) -> None:
    """The database reader wants a path."""
    with space.create(expected_bytes=10) as scratch:
        scratch.append(b"database")

        assert scratch.path.read_bytes() == b"database"


def test_file_is_gone_afterwards(space: ScratchSpace) -> None:
    """Also after a failure: it is a database in clear."""
    paths: list[Path] = []

    def work() -> None:
        with space.create(expected_bytes=10) as scratch:
            paths.append(scratch.path)
            raise ValueError("went wrong")

    with pytest.raises(ValueError, match="went wrong"):
        work()

    assert not paths[0].exists()


def test_files_of_two_runs_do_not_meet(space: ScratchSpace) -> None:
    """Several clusters may be saved at once."""
    with space.create(expected_bytes=1) as first, space.create(expected_bytes=1) as second:
        first.append(b"1")
        second.append(b"2")

        assert (first.read_at(0, 9), second.read_at(0, 9)) == (b"1", b"2")


def test_sweep_of_a_clean_space_finds_nothing(space: ScratchSpace) -> None:
    """It may be called at any time, also while a file is in use."""
    with space.create(expected_bytes=1) as scratch:
        assert space.sweep() == ()
        scratch.append(b"still here")

        assert scratch.path.read_bytes() == b"still here"


def test_directory_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """0600, whatever the umask."""
    with DirectoryScratch(tmp_path).create(expected_bytes=1) as scratch:
        assert stat.S_IMODE(scratch.path.stat().st_mode) == 0o600


def test_directory_without_room_is_refused_beforehand(tmp_path: Path) -> None:
    """The numbers are in the error, and the setting to change."""
    with (
        pytest.raises(LocalStorageFull) as raised,
        DirectoryScratch(tmp_path).create(expected_bytes=1 << 60),
    ):
        pass

    assert raised.value.context["needed_bytes"] > raised.value.context["free_bytes"]  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """A volume that is not mounted is no empty directory."""
    space = DirectoryScratch(tmp_path / "missing")

    with pytest.raises(FileUnreadable):
        space.sweep()
    with pytest.raises(FileUnreadable), space.create(expected_bytes=1):
        pass


def test_file_of_a_killed_process_is_swept_and_one_in_use_is_not(tmp_path: Path) -> None:
    """The lock goes with the process, so a file that nobody locks is nobody's."""
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    space = DirectoryScratch(tmp_path)
    while_running = space.sweep()

    child.kill()
    child.communicate()
    after_kill = space.sweep()

    assert while_running == ()
    assert after_kill == (name,)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_never_swept(tmp_path: Path) -> None:
    """The directory is often /tmp."""
    for name in ("etcd-dr-scratch-", "etcd-dr-scratch-0123456789abcdeg", "my-etcd-dr-scratch-0123456789abcdef"):
        (tmp_path / name).touch()

    assert DirectoryScratch(tmp_path).sweep() == ()


def test_link_is_not_followed_by_the_sweep(tmp_path: Path) -> None:
    """Somebody who may write to the directory must not choose what is locked or removed."""
    victim = tmp_path / "victim"
    victim.touch()
    (tmp_path / "etcd-dr-scratch-0123456789abcdef").symlink_to(victim)

    assert DirectoryScratch(tmp_path).sweep() == ()
    assert victim.exists()


def test_memory_has_a_limit() -> None:
    """Without a disk only small databases are proven, and that is said."""
    with (
        pytest.raises(LocalStorageFull, match="does not fit"),
        MemoryScratch(limit_bytes=100).create(expected_bytes=101),
    ):
        pass


def test_part_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """Under its name there is nothing until it is committed."""
    target = tmp_path / "snapshot.db"
    part = PartFiles().begin_file(target, overwrite=False)
    part.write(b"hello ")
    before = target.exists()

    part.write(memoryview(b"world"))
    part.commit()

    assert not before
    assert target.read_bytes() == b"hello world"
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_aborted_part_file_leaves_nothing(tmp_path: Path) -> None:
    """Safe to call twice."""
    part = PartFiles().begin_file(tmp_path / "snapshot.db", overwrite=False)
    part.write(b"hello")

    part.abort()
    part.abort()

    assert list(tmp_path.iterdir()) == []


def test_name_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Between the first look and the end somebody else may have written it."""
    target = tmp_path / "snapshot.db"
    part = PartFiles().begin_file(target, overwrite=False)
    target.write_bytes(b"mine")

    with pytest.raises(FileExists):
        part.commit()
    part.abort()

    assert target.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.db"]


def no_hard_links(_part: Path, _destination: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_medium_without_hard_links_takes_a_file_all_the_same(tmp_path: Path) -> None:
    """A memory stick with FAT is where a snapshot goes when nothing else is left; what is there stays."""
    files, target = PartFiles(link=no_hard_links), tmp_path / "snapshot.db"
    first, second = (files.begin_file(target, overwrite=False) for _ in range(2))
    first.write(b"mine")

    first.commit()
    with pytest.raises(FileExists):
        second.commit()
    second.abort()

    assert target.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.db"]


@pytest.mark.parametrize("name", ["missing/snapshot.db", "a-directory"])
def test_impossible_destination_is_refused(tmp_path: Path, name: str) -> None:
    """A directory that is missing, or in the place of the file."""
    (tmp_path / "a-directory").mkdir()

    with pytest.raises(UsageError):
        PartFiles().begin_file(tmp_path / name, overwrite=True)


_HOLD = """
import sys
from pathlib import Path
from etcd_dr.adapters.local_files import DirectoryScratch
with DirectoryScratch(Path(sys.argv[1])).create(expected_bytes=1) as scratch:
    print(scratch.path.name, flush=True)
    sys.stdin.read()
"""
