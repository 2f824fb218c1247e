"""The directory on this machine where one recovery keeps what it works with: the snapshot, copies, built data.

- Everything is readable by its owner only: databases in clear.
- One process at a time: who holds the place holds it until it ends, however it ends.
- Nothing is removed but what `discard` names.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from etcd_dr.domain.digest import Digest


class WorkPlace(Protocol):
    @property
    def directory(self) -> Path: ...

    def path(self, *names: str) -> Path:
        """Return a path inside, its directory made (mode 0700)."""
        ...

    def free_bytes(self) -> int:
        """Return the room that is left there."""
        ...

    def digest(self, path: Path) -> Digest | None:
        """Return the digest of a file, None where there is none."""
        ...

    def is_same(self, path: Path, other: Path) -> bool:
        """Whether two files hold the same bytes; False where one is missing."""
        ...

    def size_bytes(self, path: Path) -> int | None:
        """Return the size of a file, None where there is none."""
        ...

    def append(self, path: Path, body: bytes) -> None:
        """Append bytes to a file that is there."""
        ...

    def read_head(self, path: Path, *, limit_bytes: int) -> bytes:
        """Return the first bytes of a file."""
        ...

    def names(self, path: Path) -> tuple[str, ...]:
        """Return what a directory holds, in order of name; empty where there is none."""
        ...

    def discard(self, path: Path) -> None:
        """Remove a file or a directory of ours with all that is in it; missing is success."""
        ...


class WorkPlaces(Protocol):
    @property
    def place(self) -> str:
        """Where they are, for a person."""
        ...

    def hold(self, recovery_id: str) -> AbstractContextManager[WorkPlace]:
        """Lend the place of one recovery. Raises Busy while another process of this machine holds it."""
        ...
