"""Translates errors of the operating system about local files into ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etcd_dr.errors import FileUnreadable, LocalStorageFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM}


@contextmanager
def translated(place: Path, *, next_step: str) -> Iterator[None]:
    """Raise LocalStorageFull for every way of having no room, FileUnreadable for the rest."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        context = {"errno": errno.errorcode.get(error.errno or 0, str(error.errno))}
        if error.errno in _NO_ROOM:
            raise LocalStorageFull(
                f"no room is left: {reason}", subject=str(place), next_step=next_step, context=context
            ) from error
        raise FileUnreadable(
            f"cannot be used: {reason}",
            subject=str(place),
            next_step=f"Check that it exists and is ours to write: ls -ld {place}",
            context=context,
        ) from error
