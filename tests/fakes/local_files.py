"""Scratch space that fills up on request, and remembers what was left behind.

The bytes lie in real files below a directory of the test, because the database reader wants a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from etcd_dr.errors import LocalStorageFull


class FakeScratchFile:
    def __init__(self, path: Path, capacity_bytes: int | None) -> None:
        self.path = path
        self._capacity_bytes = capacity_bytes
        self._file = path.open("w+b", buffering=0)
        self._size_bytes = 0

    def append(self, data: bytes | bytearray | memoryview) -> None:
        if self._capacity_bytes is not None and self._size_bytes + len(data) > self._capacity_bytes:
            raise LocalStorageFull("no room is left", subject=str(self.path.parent), next_step="Free some space.")
        self._file.seek(0, 2)
        self._file.write(data)
        self._size_bytes += len(data)

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(count_bytes)

    def close(self) -> None:
        self._file.close()
        self.path.unlink()


class FakeScratch:
    """Implements ports.local_files.ScratchSpace. `capacity_bytes` is met while writing, not by the first look."""

    def __init__(self, directory: Path, *, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.expected: list[int] = []
        self.stale: tuple[str, ...] = ()
        self._directory = directory
        self._numbers = count(1)

    @property
    def place(self) -> str:
        return str(self._directory)

    @property
    def left_behind(self) -> list[str]:
        return sorted(path.name for path in self._directory.iterdir())

    @contextmanager
    def create(self, *, expected_bytes: int) -> Iterator[FakeScratchFile]:
        self.expected.append(expected_bytes)
        scratch = FakeScratchFile(self._directory / f"scratch-{next(self._numbers)}", self.capacity_bytes)
        try:
            yield scratch
        finally:
            scratch.close()

    def sweep(self) -> tuple[str, ...]:
        swept, self.stale = self.stale, ()
        return swept
