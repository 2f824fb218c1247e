"""Open what the caller named: a file, mapped for reading, or bytes that are already in memory.

Rules this module keeps:
- The size is taken once, when the file is opened; every later bound derives from it.
- A file that cannot be opened or mapped is FileUnreadable, with the reason the system gave.
- The file must not shrink while it is read: touching a page that is gone ends the process (SIGBUS), as SIGKILL would.
  What is under way is made to survive that, and the operator is started again by whoever runs it.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from etcd_dr.errors import FileUnreadable

TRAILER_BYTES = 32
TRAILER_MODULUS = 512
"""etcdutl tells a trailer by the size alone: 32 modulo 512 (snapshot/v3_snapshot.go, hasChecksum)."""


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """The bytes of one database file; valid inside the `with` of `opened`."""

    name: str
    view: memoryview
    fd: int | None
    """The open file, None for bytes in memory."""

    @property
    def size(self) -> int:
        """Size in bytes, the trailer included."""
        return len(self.view)

    @property
    def has_trailer(self) -> bool:
        """Say whether the size tells of a SHA-256 at the end."""
        return self.size % TRAILER_MODULUS == TRAILER_BYTES

    @property
    def data_size(self) -> int:
        """Size in bytes of the database, the trailer left out."""
        return self.size - TRAILER_BYTES if self.has_trailer else self.size


@contextmanager
def opened(source: Path | bytes | bytearray | memoryview) -> Iterator[OpenedSource]:
    """Give the bytes of a source, and let go of them afterwards. Raises FileUnreadable."""
    if not isinstance(source, Path):
        yield OpenedSource("(bytes in memory)", memoryview(source).cast("B"), None)
        return
    fd = _open_regular(source)
    try:
        mapped = _mapped(fd, source)
        view = memoryview(mapped) if mapped is not None else memoryview(b"")
        try:
            yield OpenedSource(str(source), view, fd)
        finally:
            # Arrays over the mapping may still be alive in a traceback; the mapping then ends with the last of them.
            with suppress(BufferError):
                view.release()
                if mapped is not None:
                    mapped.close()
    finally:
        os.close(fd)


def _open_regular(path: Path) -> int:
    try:
        # Without O_NONBLOCK opening a named pipe would wait for a writer for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileUnreadable(
            "not a regular file",
            subject=str(path),
            next_step="Name the database file itself, for example: etcd-dr snapshot status member/snap/db",
        )
    return fd


def _mapped(fd: int, path: Path) -> mmap.mmap | None:
    size = os.fstat(fd).st_size
    if size == 0:
        return None
    try:
        return mmap.mmap(fd, size, prot=mmap.PROT_READ)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> FileUnreadable:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileUnreadable(
        f"cannot be read: {reason.lower()}",
        subject=str(path),
        next_step=f"Check the name and the permissions: ls -l '{path}'",
    )
