"""The object store in a directory: see the package for the choices, and the port for the contract."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from etcd_dr.adapters.stores.directory.failures import object_missing, translated, translating
from etcd_dr.adapters.stores.directory.folders import Folders
from etcd_dr.adapters.stores.directory.upload import UPLOADS, DirectoryUpload, HiddenFile, moment
from etcd_dr.adapters.stores.directory.walking import FoundFile, folder_names, walk
from etcd_dr.adapters.stores.keys import checked_folder, checked_key, checked_prefix
from etcd_dr.adapters.stores.settings import DirectorySettings
from etcd_dr.errors import StoreError
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.object_store import StoredObject, StoreGuarantees, UnfinishedUpload

CHUNK_BYTES = 1024 * 1024
# O_NONBLOCK: opening a pipe that somebody put there must not wait for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NOT_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class DirectoryObjectStore:
    """Keys are paths below `settings.root`. Holds nothing open between calls."""

    def __init__(self, settings: DirectorySettings, *, clock: Clock, tokens: TokenSource) -> None:
        self._root = settings.root.absolute()
        self._folders = Folders(self._root)
        self._clock, self._tokens = clock, tokens
        self._probing = threading.Lock()
        self._guarantees: StoreGuarantees | None = None

    def url(self, key: str = "") -> str:
        return f"file://{self._root}/{key}"

    def guarantees(self) -> StoreGuarantees:
        with self._probing:
            if self._guarantees is None:
                self._guarantees = self._probe()
            return self._guarantees

    def put(self, key: str, body: bytes, *, if_absent: bool) -> StoredObject:
        upload = self.begin_upload(key)
        try:
            upload.write(body)
            return upload.publish(replace=not if_absent)
        except BaseException:
            upload.abort()
            raise

    def begin_upload(self, key: str) -> DirectoryUpload:
        checked_key(key, store=self.url())
        hidden = HiddenFile.create(key, begun_at=self._clock.now(), token=self._tokens.token())
        has_links = self.guarantees().put_if_absent
        return DirectoryUpload(self._folders, hidden, url=self.url(key), has_links=has_links)

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        with self._opened(key) as (descriptor, size_bytes):
            if size_bytes > limit_bytes:
                raise StoreError(
                    f"holds {size_bytes} bytes where at most {limit_bytes} are expected",
                    subject=self.url(key),
                    next_step=f"etcd-dr did not write this; look at it with: head -c 200 {quote(str(self._root / key))}",
                )
            return b"".join(self._chunks(descriptor, size_bytes, key=key))

    @contextmanager
    def read(self, key: str) -> Iterator[Iterator[bytes]]:
        with self._opened(key) as (descriptor, size_bytes):
            yield self._chunks(descriptor, size_bytes, key=key)

    def head(self, key: str) -> StoredObject:
        with self._opened(key) as (descriptor, _):
            facts = os.fstat(descriptor)
            return StoredObject(key, facts.st_size, moment(facts.st_mtime_ns))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        checked_prefix(prefix, store=self.url())
        for found in self._walk((), prefix):
            yield StoredObject(found.key, found.size_bytes, moment(found.modified_at_ns))

    def list_folders(self, prefix: str) -> Iterator[str]:
        checked_folder(prefix, store=self.url())
        with translating(self.url(prefix), root=self._root):
            names = tuple(folder_names(self._folders, prefix.split("/")[:-1]))
        yield from names

    def delete(self, key: str) -> None:
        checked_key(key, store=self.url())
        with translating(self.url(key), root=self._root), contextlib.suppress(*_NOT_THERE):
            self._folders.remove(key.split("/"))

    def unfinished_uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        checked_prefix(prefix, store=self.url())
        for found in self._walk((UPLOADS,), prefix):
            hidden = HiddenFile.parse(found.path)
            if hidden is not None:
                yield hidden.facts

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        hidden = HiddenFile(key=checked_key(upload.key, store=self.url()), token=upload.token)
        if HiddenFile.parse(hidden.path) != hidden:
            raise StoreError(
                f"{upload.token[:80]!r} is not an upload of this store",
                subject=self.url(upload.key),
                next_step="List the uploads that were cut off again, and end those.",
            )
        with translating(self.url(upload.key), root=self._root), contextlib.suppress(FileNotFoundError):
            self._folders.remove(hidden.path)

    def close(self) -> None:
        """Nothing is held."""

    def _walk(self, below: tuple[str, ...], prefix: str) -> Iterator[FoundFile]:
        with translating(self.url(prefix), root=self._root):
            yield from walk(self._folders, below=below, beginning=prefix)

    @contextmanager
    def _opened(self, key: str) -> Iterator[tuple[int, int]]:
        """Lend the descriptor of a regular file and its size. Raises ObjectMissing for anything else."""
        checked_key(key, store=self.url())
        *above, name = key.split("/")
        try:
            with self._folders.opened(above) as folder:
                descriptor = os.open(name, _READ, dir_fd=folder)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}:
                raise object_missing(self.url(key)) from error
            raise translated(error, subject=self.url(key), root=self._root) from error
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise object_missing(self.url(key))
            yield descriptor, facts.st_size
        finally:
            os.close(descriptor)

    def _chunks(self, descriptor: int, size_bytes: int, *, key: str) -> Iterator[bytes]:
        """Yield exactly `size_bytes`; a file that shrinks meanwhile is an error, never a short object."""
        left = size_bytes
        while left:
            with translating(self.url(key), root=self._root):
                chunk = os.read(descriptor, min(left, CHUNK_BYTES))
            if not chunk:
                raise StoreError(
                    f"ended {left} bytes early: the file was cut while it was read",
                    subject=self.url(key),
                    next_step="Find out what else writes into the store's directory, then read again.",
                )
            left -= len(chunk)
            yield chunk

    def _probe(self) -> StoreGuarantees:
        """Find out whether the file system has hard links: give a hidden file a second hidden name."""
        first, second = (
            HiddenFile.create("probe", begun_at=self._clock.now(), token=self._tokens.token()) for _ in range(2)
        )
        upload = DirectoryUpload(self._folders, first, url=self.url(), has_links=True)
        try:
            with self._folders.opened(first.path[:-1]) as folder:
                os.link(first.path[-1], second.path[-1], src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                os.unlink(second.path[-1], dir_fd=folder)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise translated(error, subject=self.url(), root=self._root) from error
            return _without_links(error)
        finally:
            upload.abort()
        return _WITH_LINKS


_WITH_LINKS = StoreGuarantees(
    put_if_absent=True,
    object_lock=False,
    detail="of several writers of one name link(2) lets one win; a directory cannot forbid deletion",
)


def _without_links(error: OSError) -> StoreGuarantees:
    return StoreGuarantees(
        put_if_absent=False,
        object_lock=False,
        detail=f"this file system has no hard links ({error.strerror}): whether a name is taken is looked up "
        "before writing, which a racing writer can slip through",
    )
