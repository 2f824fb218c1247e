"""Small files that are durable before anyone goes on, and directories that only their owner sees."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etcd_dr.errors import FileUnreadable, LocalStorageFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Raise LocalStorageFull where there is no room, FileUnreadable for the rest."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _NO_ROOM:
            raise LocalStorageFull(
                f"no room is left: {reason}",
                subject=str(place),
                next_step="Free some space, or name a larger directory for the state of recoveries.",
            ) from error
        raise FileUnreadable(
            f"cannot be used: {reason}",
            subject=str(place),
            next_step=f"Check that it exists and is ours: ls -ld {place}",
        ) from error


def make_directory(directory: Path) -> None:
    """Make a directory and what is missing above it, for the owner only; what exists is left as it is."""
    for each in reversed((directory, *directory.parents)):
        if not each.exists():
            each.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            sync_directory(each.parent)


def put_new(path: Path, body: bytes) -> bool:
    """Write a file that is not there yet, durably; False where one is. It appears whole or not at all."""
    part = _written_part(path, body)
    try:
        os.link(part, path)  # unlike a rename, it refuses a name that is taken
    except FileExistsError:
        return False
    finally:
        part.unlink()
    sync_directory(path.parent)
    return True


def put_over(path: Path, body: bytes) -> None:
    """Write a file, durably, replacing what is there."""
    _written_part(path, body).replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written_part(path: Path, body: bytes) -> Path:
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return part
