"""Where snapshots are kept: flat keys and bytes, with put-if-absent where the store can do it.

Contract:
- Keys are relative to the store's root, use `/`, and never begin with one. The store adds nothing to them.
- Reads after a successful write see it (S3 has been strongly consistent since 2020; a directory is).
- An object is visible whole or not at all. An upload that was aborted, or whose process died, is never visible.
- Every lower-level error is translated, also inside iteration: StoreUnreachable, StoreDenied, StoreMisconfigured,
  StoreFull, ObjectMissing, ObjectExists, ObjectLocked, or StoreError. `subject` is `url(key)`.
- Adapters retry transient failures themselves, bounded; what they raise is final for this call.
- All methods may be called from several threads; one Upload belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`locked_until` is the Object Lock retention where the store told it; `modified_at` is aware UTC."""

    key: str
    size_bytes: int
    modified_at: datetime
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """An upload that was begun and neither committed nor aborted. `token` is the store's own id for it."""

    key: str
    token: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class StoreGuarantees:
    """What this store really does, found by probing once, never assumed.

    `put_if_absent`: two writers of one key have exactly one winner. `detail` says for a person what was seen.
    """

    put_if_absent: bool
    object_lock: bool
    detail: str


class Upload(Protocol):
    """One object in the making. Exactly one of `commit` and `abort` ends it; `abort` is safe after a failed `commit`
    and safe to call twice. Memory is bounded whatever the size."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; the buffer may be reused by the caller afterwards. Blocks when the store is slower."""
        ...

    def commit(self) -> StoredObject:
        """Make the object visible, replacing nothing: raises ObjectExists where the store can tell that the key is
        taken (snapshot keys are unique, so this is a bug or an attack, never routine)."""
        ...

    def abort(self) -> None:
        """Discard everything. Never raises for a store that is gone: the sweep finds what is left."""
        ...


class ObjectStore(Protocol):
    def url(self, key: str = "") -> str:
        """Return what a person would call this object or the store itself: `s3://bucket/key`, `file:///dir/key`."""
        ...

    def guarantees(self) -> StoreGuarantees:
        """Return what the store guarantees; probed on first use below `.etcd-dr-probe/`, then remembered."""
        ...

    def put(self, key: str, body: bytes, *, if_absent: bool) -> StoredObject:
        """Write a small object whole. With `if_absent`, ObjectExists when the key is taken: atomically where
        `guarantees().put_if_absent`, otherwise by looking first, which a racing writer can slip through."""
        ...

    def begin_upload(self, key: str) -> Upload:
        """Begin a large object of unknown size."""
        ...

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        """Return a small object whole. Raises StoreError when it is larger than `limit_bytes` (unread)."""
        ...

    def read(self, key: str) -> AbstractContextManager[Iterator[bytes]]:
        """Open an object as an iterator of chunks (up to 1 MiB each). A connection that breaks is resumed or raises
        StoreUnreachable; a short object is never passed off as whole."""
        ...

    def head(self, key: str) -> StoredObject:
        """Return what is known of one object, retention included. Raises ObjectMissing."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below `prefix` in order of key, paging as needed."""
        ...

    def list_folders(self, prefix: str) -> Iterator[str]:
        """Yield the names (no slashes) directly below `prefix`, which ends with `/`, that have objects below them."""
        ...

    def delete(self, key: str) -> None:
        """Remove one object; missing is success. Raises ObjectLocked when retention or a legal hold forbids it."""
        ...

    def unfinished_uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        """Yield uploads below `prefix` that were begun and not ended, by anyone."""
        ...

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        """Discard one of them; already gone is success."""
        ...

    def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...
