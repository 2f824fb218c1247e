"""Rooms in one directory: each is held by a lock on its own directory, which goes with its process."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from etcd_dr.adapters.local_files.failures import translated
from etcd_dr.errors import LocalStorageFull

_NAME = re.compile(r"etcd-dr-room-[0-9a-f]{16}", re.ASCII)
_MARGIN_BYTES = 64 << 20
_NEXT_STEP = "Free some space, or name a larger directory with scratch_dir: (ETCD_DR_SCRATCH_DIR)."


class DirectoryRooms:
    """Implements ports.rooms.Rooms below a directory that may be shared with other processes of ours."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def place(self) -> str:
        return str(self._directory)

    @contextmanager
    def open(self, *, expected_bytes: int) -> Iterator[Path]:
        self._check_room(expected_bytes)
        descriptor, room = self._make()
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)
            os.close(descriptor)

    def take_in(self, room: Path, file: Path) -> Path:
        taken = room / "taken-in"
        with translated(room, next_step=_NEXT_STEP):
            try:
                os.link(file, taken)
            except OSError:  # another file system, a file in memory, or a medium without second names
                shutil.copyfile(file, taken)
                taken.chmod(0o600)
        return taken

    def sweep(self) -> tuple[str, ...]:
        with translated(self._directory, next_step=_NEXT_STEP):
            found = sorted(entry.name for entry in os.scandir(self._directory) if _NAME.fullmatch(entry.name))
        return tuple(name for name in found if _remove_if_unused(self._directory / name))

    def _make(self) -> tuple[int, Path]:
        while True:
            room = self._directory / f"etcd-dr-room-{secrets.token_hex(8)}"
            with translated(self._directory, next_step=_NEXT_STEP):
                room.mkdir(mode=0o700)
                try:
                    descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # a sweep of another run came between the two calls
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if room.exists():
                return descriptor, room
            os.close(descriptor)  # or between these

    def _check_room(self, expected_bytes: int) -> None:
        with translated(self._directory, next_step=_NEXT_STEP):
            stats = os.statvfs(self._directory)
        free_bytes, needed_bytes = stats.f_bavail * stats.f_frsize, expected_bytes + _MARGIN_BYTES
        if free_bytes < needed_bytes:
            raise LocalStorageFull(
                f"{free_bytes / 1e6:.0f} MB free, this needs {needed_bytes / 1e6:.0f} MB",
                subject=self.place,
                next_step=_NEXT_STEP,
                context={"free_bytes": free_bytes, "needed_bytes": needed_bytes},
            )


def _remove_if_unused(room: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(room)
        finally:
            os.close(descriptor)
        return True
    return False
