"""What the operating system says about a directory store, as errors of ours with a next step.

Paths come back from a directory that others may write to: in a command to be pasted they are quoted for the shell.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from etcd_dr.errors import (
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreUnreachable,
)


@dataclass(frozen=True, slots=True)
class _Meaning:
    numbers: frozenset[int]
    kind: type[StoreError]
    message: str
    next_step: str


_MEANINGS = (
    _Meaning(
        frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}),
        StoreFull,
        "no room is left",
        "Look with: df -h {root}; df -i {root}. Old snapshots go with: etcd-dr snapshot prune",
    ),
    _Meaning(
        frozenset({errno.EROFS}),
        StoreMisconfigured,
        "the file system is mounted read-only",
        "Look at the mount and the kernel's log: findmnt -T {root}; dmesg | tail",
    ),
    _Meaning(
        frozenset({errno.EACCES, errno.EPERM}),
        StoreDenied,
        "the file system refuses",
        "The user that runs etcd-dr must own the directory; look with: id; ls -ldn {root}",
    ),
    # A network file system whose server is gone (ESTALE: exported anew; ENOTCONN: the FUSE process has died).
    _Meaning(
        frozenset(
            {errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ECONNREFUSED}
        ),
        StoreUnreachable,
        "the file system does not answer",
        "Check the mount and its server with: findmnt -T {root}",
    ),
    _Meaning(
        frozenset({errno.EXDEV}),
        StoreMisconfigured,
        "the store spans several file systems, and objects can appear whole only within one",
        "Name the mounted directory itself as the store; look with: findmnt -R -T {root}",
    ),
    _Meaning(
        frozenset({errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}),
        StoreMisconfigured,
        "something else stands where the store keeps its folders",
        "Move away the file or symbolic link in that path; look with: ls -lR {root}",
    ),
)
_ANYTHING_ELSE = _Meaning(
    frozenset(), StoreError, "the file system failed", "Look into the kernel's log for the device: dmesg | tail"
)


def translated(error: OSError, *, subject: str, root: Path) -> StoreError:
    """Return our error for one that was met at `subject`. Which ENOENT means a missing object is the caller's matter."""
    number = error.errno or 0
    meaning = next((m for m in _MEANINGS if number in m.numbers), _ANYTHING_ELSE)
    return meaning.kind(
        f"{meaning.message} ({error.strerror or error})",
        subject=subject,
        next_step=meaning.next_step.format(root=quote(str(root))),
        context={"errno": errno.errorcode.get(number, str(number))},
    )


@contextmanager
def translating(subject: str, *, root: Path) -> Iterator[None]:
    """Translate every OSError of the block."""
    try:
        yield
    except OSError as error:
        raise translated(error, subject=subject, root=root) from error


def missing_root(root: Path) -> StoreMisconfigured:
    """The directory itself is not there: never made by us, because it may be a mount that did not come up."""
    return StoreMisconfigured(
        "the directory does not exist",
        subject=f"file://{root}",
        next_step=f"Mount it if it is a mount; else create it once with: mkdir -p -m 0700 {quote(str(root))}",
    )


def root_is_a_file(root: Path) -> StoreMisconfigured:
    """Something else than a directory has the root's name; it must never look like an empty store."""
    return StoreMisconfigured(
        "is a file, and a store is a directory",
        subject=f"file://{root}",
        next_step="Name the directory that the store lies in. To look into a file: etcd-dr snapshot status FILE",
    )


def object_missing(subject: str) -> ObjectMissing:
    return ObjectMissing("does not exist", subject=subject, next_step="List what there is with: etcd-dr snapshot list")
