"""Directories for work that leaves nothing behind: a rehearsal, a check.

Contract:
- A room is a new directory of its owner's only (0700). It is removed with all that is in it when its context is left,
  whatever happened; one that a killed process left behind is removed by `sweep`, and never one that is still in use.
- Lower-level errors are translated as in `ports/local_files.py`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Rooms(Protocol):
    @property
    def place(self) -> str:
        """Where they are, for a person."""
        ...

    def open(self, *, expected_bytes: int) -> AbstractContextManager[Path]:
        """Lend a room. Raises LocalStorageFull at once where `expected_bytes` and a margin do not fit."""
        ...

    def take_in(self, room: Path, file: Path) -> Path:
        """Give a file a second name in a room, or copy it where that cannot be, and return the new path.

        It outlives the first name. Raises as `open`.
        """
        ...

    def sweep(self) -> tuple[str, ...]:
        """Remove what killed processes left behind and return the names. Safe beside other processes."""
        ...
