"""The only way to a file of the store: from the root's descriptor, segment by segment, never through a link.

- Folders are made 0700 and files 0600, whatever the umask allows on top of it.
- What is new is made durable by fsync of the folder it appeared in.
- Two processes may clear and fill the same folder at once: whoever makes something retries when its folder vanished.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from etcd_dr.adapters.stores.directory.failures import missing_root, root_is_a_file

Made = TypeVar("Made")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TRIES_AGAINST_CLEARING = 16


class Folders:
    """The tree below one root. Paths are sequences of segments that were checked before; OSError passes through."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def opened(self, segments: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """Lend the descriptor of a folder; the root is the empty path. Raises OSError, or StoreMisconfigured when the
        root is not there."""
        folder = self._open_root()
        try:
            for segment in segments:
                deeper = _open_below(folder, segment, create=create)
                os.close(folder)
                folder = deeper
            yield folder
        finally:
            os.close(folder)

    def make(self, path: Sequence[str], action: Callable[[int, str], Made]) -> Made:
        """Return `action(folder, name)` for the last segment of `path`, with the folders above it made."""
        for _ in range(_TRIES_AGAINST_CLEARING):
            with contextlib.suppress(FileNotFoundError), self.opened(path[:-1], create=True) as folder:
                return action(folder, path[-1])
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def remove(self, path: Sequence[str]) -> None:
        """Remove a file for good and the folders that it leaves empty. Raises FileNotFoundError."""
        with self.opened(path[:-1]) as folder:
            os.unlink(path[-1], dir_fd=folder)
            sync_folder(folder)
        self._clear_empty(path[:-1])

    def _clear_empty(self, path: Sequence[str]) -> None:
        for depth in range(len(path), 0, -1):
            try:
                with self.opened(path[: depth - 1]) as folder:
                    os.rmdir(path[depth - 1], dir_fd=folder)
            except OSError:  # not empty, gone already, a mount point: all are reasons to leave the rest alone
                return

    def _open_root(self) -> int:
        try:
            return os.open(self.root, _FOLDER)
        except FileNotFoundError as error:
            raise missing_root(self.root) from error
        except NotADirectoryError as error:
            raise root_is_a_file(self.root) from error


def sync_folder(folder: int) -> None:
    """Make names in a folder durable. Some file systems (FUSE, SMB) have no fsync for folders: then it is their word."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
            raise


def _open_below(folder: int, segment: str, *, create: bool) -> int:
    flags = _FOLDER | os.O_NOFOLLOW
    try:
        return os.open(segment, flags, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(segment, 0o700, dir_fd=folder)
        sync_folder(folder)
    return os.open(segment, flags, dir_fd=folder)
