"""Files on this machine: the scratch copy that proofs are made on, and a fetched snapshot that appears whole.

Contract:
- Everything is readable by its owner only (0600): these are databases in clear.
- A scratch file is removed when its context is left, whatever happened; one that a killed process left behind is
  removed by `sweep`, and never one that is still in use.
- Lower-level errors are translated: LocalStorageFull (no space, a quota, a file size limit) with the directory as
  `subject` and the numbers in `context`, FileUnreadable for the rest.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class ScratchFile(Protocol):
    """A file that one thread appends to while another one may read what is there already."""

    @property
    def path(self) -> Path:
        """Where the file can be opened for reading as long as the context is not left."""
        ...

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of the bytes."""
        ...

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Return up to `count_bytes` from `offset`; fewer only at the end of what was appended."""
        ...


class ScratchSpace(Protocol):
    @property
    def place(self) -> str:
        """Where it is, for a person."""
        ...

    def create(self, *, expected_bytes: int) -> AbstractContextManager[ScratchFile]:
        """Make an empty file. Raises LocalStorageFull at once where `expected_bytes` and a margin do not fit."""
        ...

    def sweep(self) -> tuple[str, ...]:
        """Remove what killed processes left behind and return the names. Safe at any time, beside other processes."""
        ...


class PartFile(Protocol):
    """A file in the making, invisible under its name until `commit`. Exactly one of `commit` and `abort` ends it."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def commit(self) -> Path:
        """Flush to the disk, give the file its name and return it."""
        ...

    def abort(self) -> None:
        """Remove what was written. Safe to call twice and after a failed `commit`."""
        ...


class FileSink(Protocol):
    def begin_file(self, destination: Path, *, overwrite: bool) -> PartFile:
        """Begin a file beside its destination. Raises FileExists where that exists and `overwrite` is not asked for,
        UsageError where its directory is missing."""
        ...
