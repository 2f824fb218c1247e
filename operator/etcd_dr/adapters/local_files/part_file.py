"""Files that appear whole under their name or not at all: written beside it, flushed, renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path

from etcd_dr.adapters.local_files.failures import translated
from etcd_dr.errors import FileExists, UsageError

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NEXT_STEP = "Free some space, or choose another place for the file."


class OpenPart:
    """A file in the making; see the port."""

    def __init__(
        self, descriptor: int, part: Path, destination: Path, *, overwrite: bool, link: Callable[[Path, Path], None]
    ) -> None:
        self._descriptor: int | None = descriptor
        self._part = part
        self._destination = destination
        self._overwrite = overwrite
        self._link = link

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._descriptor is None:
            raise AssertionError("the file was ended")
        rest = memoryview(data)
        with translated(self._destination.parent, next_step=_NEXT_STEP):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def commit(self) -> Path:
        if self._descriptor is None:
            raise AssertionError("the file was ended")
        with translated(self._destination.parent, next_step=_NEXT_STEP):
            os.fsync(self._descriptor)
            self._give_name()
            _sync_directory(self._destination.parent)
        self._close()
        return self._destination

    def abort(self) -> None:
        self._close()
        self._part.unlink(missing_ok=True)

    def _give_name(self) -> None:
        if self._overwrite:
            self._part.replace(self._destination)
            return
        try:
            self._link(self._part, self._destination)  # unlike a rename, it refuses a name that appeared meanwhile
        except FileExistsError as error:
            raise _exists(self._destination) from error
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            self._rename_to_what_was_free()
            return
        self._part.unlink()

    def _rename_to_what_was_free(self) -> None:
        """Do as well as a file system without hard links allows: a memory stick is a fine place for a snapshot."""
        if self._destination.exists():
            raise _exists(self._destination)
        self._part.rename(self._destination)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


class PartFiles:
    """Begins such files; see the port. `link` gives a second name to a file, or refuses: not every medium can."""

    def __init__(self, *, link: Callable[[Path, Path], None] = os.link) -> None:
        self._link = link

    def begin_file(self, destination: Path, *, overwrite: bool) -> OpenPart:
        if not destination.parent.is_dir():
            raise UsageError(
                "is not a directory",
                subject=str(destination.parent),
                next_step=f"Make it first: mkdir -p {shlex.quote(str(destination.parent))}",
            )
        if destination.is_dir():
            raise UsageError(
                "is a directory", subject=str(destination), next_step=f"Name a file in it: {destination / 'etcd.db'}"
            )
        if not overwrite and os.path.lexists(destination):
            raise _exists(destination)
        part = destination.with_name(f".{destination.name[:200]}.part-{secrets.token_hex(4)}")
        with translated(destination.parent, next_step=_NEXT_STEP):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return OpenPart(descriptor, part, destination, overwrite=overwrite, link=self._link)


def _exists(destination: Path) -> FileExists:
    return FileExists(
        "exists already",
        subject=str(destination),
        next_step="Choose another name, or add --overwrite to replace the file.",
    )


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
