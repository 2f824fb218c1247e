"""Scratch copies of a database: in a directory, or in memory where there is no disk to use.

- A file in a directory is locked (flock) for as long as its process uses it. A lock goes with its process, also with
  one that was killed; process ids prove nothing across containers. So a file that can be locked is nobody's.
- A file in memory (memfd_create) has no name and cannot be left behind; it counts as memory of this process, so it
  has a limit.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from etcd_dr.adapters.local_files.failures import translated
from etcd_dr.errors import LocalStorageFull

_NAME = re.compile(r"etcd-dr-scratch-[0-9a-f]{16}", re.ASCII)
_MARGIN_BYTES = 64 << 20
_GROWTH = 0.05  # the database may have grown since its size was asked
_NEXT_STEP = "Free some space, or name a larger directory with scratch_dir: (ETCD_DR_SCRATCH_DIR)."


class OpenScratch:
    """An open scratch file; see the port."""

    def __init__(self, descriptor: int, path: Path, place: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._place = place

    @property
    def path(self) -> Path:
        return self._path

    def append(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        with translated(self._place, next_step=_NEXT_STEP):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        with translated(self._place, next_step=_NEXT_STEP):
            return os.pread(self._descriptor, count_bytes, offset)


class DirectoryScratch:
    """Scratch files in one directory, which may be shared with other processes of ours."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def place(self) -> str:
        return str(self._directory)

    @contextmanager
    def create(self, *, expected_bytes: int) -> Iterator[OpenScratch]:
        self._check_room(expected_bytes)
        descriptor, path = self._open_locked()
        try:
            yield OpenScratch(descriptor, path, self._directory)
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def _open_locked(self) -> tuple[int, Path]:
        while True:
            path = self._directory / f"etcd-dr-scratch-{secrets.token_hex(8)}"
            with translated(self._directory, next_step=_NEXT_STEP):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                return descriptor, path
            os.close(descriptor)  # a sweep of another process came between the two calls

    def sweep(self) -> tuple[str, ...]:
        with translated(self._directory, next_step=_NEXT_STEP):
            found = sorted(entry.name for entry in os.scandir(self._directory) if _NAME.fullmatch(entry.name))
        return tuple(name for name in found if self._remove_if_unused(self._directory / name))

    def _check_room(self, expected_bytes: int) -> None:
        with translated(self._directory, next_step=_NEXT_STEP):
            stats = os.statvfs(self._directory)
        free_bytes = stats.f_bavail * stats.f_frsize
        needed_bytes = int(expected_bytes * (1 + _GROWTH)) + _MARGIN_BYTES
        if free_bytes < needed_bytes:
            raise LocalStorageFull(
                f"{_mb(free_bytes)} free, a scratch copy of the database needs {_mb(needed_bytes)}",
                subject=self.place,
                next_step=_NEXT_STEP,
                context={"free_bytes": free_bytes, "needed_bytes": needed_bytes},
            )

    @staticmethod
    def _remove_if_unused(path: Path) -> bool:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
            return True
        return False


class MemoryScratch:
    """Scratch files in memory, each at most `limit_bytes`."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes

    @property
    def place(self) -> str:
        return f"memory (at most {_mb(self._limit_bytes)})"

    @contextmanager
    def create(self, *, expected_bytes: int) -> Iterator[OpenScratch]:
        if expected_bytes > self._limit_bytes:
            raise LocalStorageFull(
                f"a database of {_mb(expected_bytes)} does not fit into {_mb(self._limit_bytes)}",
                subject=self.place,
                next_step="Let it use a directory: scratch: true, and scratch_dir: if the default is too small.",
                context={"limit_bytes": self._limit_bytes, "needed_bytes": expected_bytes},
            )
        descriptor = os.memfd_create("etcd-dr-scratch")
        path = Path(f"/proc/self/fd/{descriptor}")
        try:
            yield OpenScratch(descriptor, path, path)
        finally:
            os.close(descriptor)

    def sweep(self) -> tuple[str, ...]:
        return ()


def _mb(count_bytes: int) -> str:
    return f"{count_bytes / 1e6:.0f} MB"
