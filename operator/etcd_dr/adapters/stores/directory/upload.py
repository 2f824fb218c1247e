"""One object in the making: a hidden file that is linked to its name when it is whole and on the medium.

    .uploads/<folders of the key>/<name>~<begun at>-<random>

The name of the hidden file says everything that a sweep needs to know of an upload whose process died.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from etcd_dr.adapters.stores.directory.failures import translating
from etcd_dr.adapters.stores.directory.folders import Folders, sync_folder
from etcd_dr.adapters.stores.keys import is_key
from etcd_dr.domain.snapshot import parse_time_text, time_text
from etcd_dr.errors import ObjectExists, StoreError
from etcd_dr.ports.object_store import StoredObject, UnfinishedUpload

UPLOADS = ".uploads"
_HIDDEN_NAME = re.compile(r"(?P<name>.+)~(?P<token>\d{8}T\d{6}Z-[0-9a-f]{12})")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class HiddenFile:
    """Where an upload is written until it is whole."""

    key: str
    token: str

    @classmethod
    def create(cls, key: str, *, begun_at: datetime, token: str) -> HiddenFile:
        return cls(key=key, token=f"{time_text(begun_at)}-{token}")

    @classmethod
    def parse(cls, path: tuple[str, ...]) -> HiddenFile | None:
        """Return the upload that a path below the root belongs to, or None for anything that we would not make."""
        match = _HIDDEN_NAME.fullmatch(path[-1])
        if path[0] != UPLOADS or match is None:
            return None
        key = "/".join((*path[1:-1], match["name"]))
        return cls(key=key, token=match["token"]) if is_key(key) and _begun_at(match["token"]) else None

    @property
    def path(self) -> tuple[str, ...]:
        return UPLOADS, *f"{self.key}~{self.token}".split("/")

    @property
    def facts(self) -> UnfinishedUpload:
        begun_at = _begun_at(self.token)
        assert begun_at is not None, "made from a moment, or parsed"  # noqa: S101 - an invariant of this class
        return UnfinishedUpload(key=self.key, token=self.token, begun_at=begun_at)


class DirectoryUpload:
    """An upload into a directory; its memory is that of one write. The port has the contract.

    `has_links` False means that the file system has no hard links: then `commit` looks first and renames.
    """

    def __init__(self, folders: Folders, hidden: HiddenFile, *, url: str, has_links: bool) -> None:
        self._folders, self._hidden, self._url, self._has_links = folders, hidden, url, has_links
        with translating(url, root=folders.root):
            self._descriptor = folders.make(hidden.path, lambda at, name: os.open(name, _CREATE, 0o600, dir_fd=at))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._need_open()
        left = memoryview(data).cast("B")
        with translating(self._url, root=self._folders.root):
            while left:
                left = left[os.write(self._descriptor, left) :]

    def commit(self) -> StoredObject:
        return self.publish(replace=False)

    def publish(self, *, replace: bool) -> StoredObject:
        """Put the bytes on the medium, then give them their name. Raises ObjectExists unless `replace`."""
        self._need_open()
        with translating(self._url, root=self._folders.root):
            facts = self._settle()
            key_path = self._hidden.key.split("/")
            self._folders.make(key_path, self._rename if replace else self._appear)
        with contextlib.suppress(OSError):  # the object is there; a hidden name that stays is the sweep's matter
            self._folders.remove(self._hidden.path)
        return StoredObject(self._hidden.key, facts.st_size, moment(facts.st_mtime_ns))

    def abort(self) -> None:
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError, StoreError):
            self._folders.remove(self._hidden.path)

    def _need_open(self) -> None:
        if self._descriptor < 0:
            raise StoreError("this upload was ended before", subject=self._url, next_step="Begin another upload.")

    def _settle(self) -> os.stat_result:
        os.fsync(self._descriptor)
        # Whoever proves the object next must read it from the medium, not from the cache that wrote it.
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        facts = os.fstat(self._descriptor)
        self._close()
        return facts

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)  # NFS reports a full disk here at the latest

    def _appear(self, folder: int, name: str) -> None:
        """Give the object its name if nobody has it. link(2) decides, so that of racing writers one wins."""
        if not self._has_links:
            if name in os.listdir(folder):
                raise self._taken()
            self._rename(folder, name)
            return
        with self._folders.opened(self._hidden.path[:-1]) as source:
            try:
                os.link(self._hidden.path[-1], name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError as error:
                if not self._is_ours(source, folder, name):
                    raise self._taken() from error
        sync_folder(folder)

    def _is_ours(self, source: int, folder: int, name: str) -> bool:
        """Tell whether the name is our own link: an NFS server repeats a call whose answer was lost, and says EEXIST."""
        mine = os.stat(self._hidden.path[-1], dir_fd=source, follow_symlinks=False)
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def _rename(self, folder: int, name: str) -> None:
        with self._folders.opened(self._hidden.path[:-1]) as source:
            os.rename(self._hidden.path[-1], name, src_dir_fd=source, dst_dir_fd=folder)
        sync_folder(folder)

    def _taken(self) -> ObjectExists:
        return ObjectExists(
            "exists already, and nothing was replaced",
            subject=self._url,
            next_step=f"Find out who wrote it: ls -l --full-time {quote(self._url.removeprefix('file://'))}",
        )


def moment(nanoseconds: int) -> datetime:
    """Return a file's time as an aware UTC moment."""
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)


def _begun_at(token: str) -> datetime | None:
    try:
        return parse_time_text(token.split("-", 1)[0])
    except ValueError:
        return None
