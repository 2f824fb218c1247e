"""An object store in memory that keeps the contract of the port, and breaks it only where a test says so.

Rules this fake keeps:
- An object appears whole or not at all; uploads that were not committed are listed as unfinished.
- Whatever goes wrong is switched on by name: fields of `faults`, or `fail` for any operation. Nothing sleeps:
  slowness is a callback (`faults.on_chunk`) that may advance a fake clock or wait for another thread.
- `calls` says what was asked, in order, for tests of the order of writes ("the manifest is last"); `deleted` keeps what
  was removed, so that a test can bring it back.

    store = FakeObjectStore()
    store.faults.upload_dies_after_bytes = 65_536      # StoreUnreachable in the middle of an upload
    store.fail("put", StoreDenied("no right to write")) # the next put, and only that one
    store.lock("v1/prod/…/data", until=tomorrow)        # delete raises ObjectLocked until then
    store.flip_bit("v1/prod/…/data", offset=4_096)      # what a bad disk does
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from etcd_dr.adapters.stores.keys import checked_folder, checked_key, checked_prefix, is_key
from etcd_dr.errors import (
    EtcdDrError,
    ObjectExists,
    ObjectLocked,
    ObjectMissing,
    StoreError,
    StoreFull,
    StoreUnreachable,
)
from etcd_dr.ports.object_store import StoredObject, StoreGuarantees, UnfinishedUpload

BEGINNING = datetime(2026, 8, 20, 3, 0, tzinfo=UTC)


@dataclass
class Faults:
    """Standing faults. `upload_dies_after_bytes` and `read_breaks_after_bytes` count within one upload or read;
    `capacity_bytes` bounds everything stored and in flight; `on_chunk` is called with (operation, key) per chunk."""

    upload_dies_after_bytes: int | None = None
    read_breaks_after_bytes: int | None = None
    capacity_bytes: int | None = None
    on_chunk: Callable[[str, str], None] | None = None
    between_look_and_put: Callable[[str], None] | None = None
    is_gone: bool = False


@dataclass
class _Held:
    body: bytes
    modified_at: datetime
    locked_until: datetime | None = None
    legal_hold: bool = False


class FakeObjectStore:
    """`put_if_absent=False` makes it a store that ignores If-None-Match: racing writers of one key all win."""

    def __init__(
        self,
        *,
        put_if_absent: bool = True,
        object_lock: bool = False,
        now: Callable[[], datetime] = lambda: BEGINNING,
        chunk_bytes: int = 64 * 1024,
    ) -> None:
        self.faults = Faults()
        self.calls: list[tuple[str, str]] = []
        self.closed = False
        self._put_if_absent = put_if_absent
        self._object_lock = object_lock
        self._now = now
        self._chunk_bytes = chunk_bytes
        self._objects: dict[str, _Held] = {}
        self._uploads: dict[str, _FakeUpload] = {}
        self.deleted: list[tuple[str, bytes]] = []
        self._lost_answers: set[str] = set()
        self._planned_keys: dict[str, EtcdDrError] = {}
        self._planned: defaultdict[str, list[EtcdDrError]] = defaultdict(list)
        self._tokens = count(1)
        self._mutex = threading.RLock()

    def fail(self, operation: str, error: EtcdDrError, *, times: int = 1) -> None:
        """Raise `error` from the next `times` calls of `operation`: a method of the port, `write` or `commit`."""
        self._planned[operation] += [error] * times

    def fail_key(self, name: str, error: EtcdDrError) -> None:
        """Raise `error` from the next put of an object whose key ends so."""
        self._planned_keys[name] = error

    def lose_answer(self, name: str) -> None:
        """Carry out the next put of an object whose key ends so, and raise StoreUnreachable all the same."""
        self._lost_answers.add(name)

    def lock(self, key: str, *, until: datetime | None = None, legal_hold: bool = False) -> None:
        """Put retention or a legal hold on a stored object."""
        held = self._held(key)
        held.locked_until, held.legal_hold = until, legal_hold

    def flip_bit(self, key: str, *, offset: int, bit: int = 0) -> None:
        """Change one bit of what is stored, as a bad disk does."""
        body = bytearray(self._held(key).body)
        body[offset] ^= 1 << bit
        self._held(key).body = bytes(body)

    def truncate(self, key: str, *, size_bytes: int) -> None:
        """Keep only the first bytes of what is stored."""
        self._held(key).body = self._held(key).body[:size_bytes]

    def lose(self, key: str) -> None:
        """Forget an object, whatever its locks."""
        del self._objects[key]

    def plant(self, key: str, body: bytes, *, modified_at: datetime | None = None) -> None:
        """Store an object as another program would: any name, no checks, no record in `calls`."""
        self._objects[key] = _Held(body, modified_at or self._now())

    def plant_unfinished(self, key: str, *, begun_at: datetime) -> UnfinishedUpload:
        """Leave behind what a killed process leaves behind."""
        upload = _FakeUpload(self, key, token=f"upload-{next(self._tokens)}", begun_at=begun_at)
        self._uploads[upload.token] = upload
        return upload.facts

    @property
    def keys(self) -> list[str]:
        """Every key that is visible, hidden names included."""
        return sorted(self._objects)

    def body(self, key: str) -> bytes:
        """What is stored, past every fault."""
        return self._held(key).body

    def url(self, key: str = "") -> str:
        return f"fake://store/{key}"

    def guarantees(self) -> StoreGuarantees:
        self._begin("guarantees")
        seen = "two puts of one key had one winner" if self._put_if_absent else "a second put of one key was accepted"
        return StoreGuarantees(put_if_absent=self._put_if_absent, object_lock=self._object_lock, detail=seen)

    def put(self, key: str, body: bytes, *, if_absent: bool) -> StoredObject:
        self._begin("put", checked_key(key, store=self.url()))
        for name in [name for name in self._planned_keys if key.endswith(name)]:
            raise self._planned_keys.pop(name)
        if self._put_if_absent:
            with self._mutex:
                stored = self._place(key, bytes(body), if_absent=if_absent)
            for name in [name for name in self._lost_answers if key.endswith(name)]:
                self._lost_answers.remove(name)
                raise self._unreachable(key)
            return stored
        taken = key in self._objects
        if self.faults.between_look_and_put:
            self.faults.between_look_and_put(key)
        if taken and if_absent:
            raise self._exists(key)
        with self._mutex:
            return self._place(key, bytes(body), if_absent=False)

    def begin_upload(self, key: str) -> _FakeUpload:
        self._begin("begin_upload", checked_key(key, store=self.url()))
        upload = _FakeUpload(self, key, token=f"upload-{next(self._tokens)}", begun_at=self._now())
        self._uploads[upload.token] = upload
        return upload

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        self._begin("get", checked_key(key, store=self.url()))
        body = self._held(key).body
        if len(body) > limit_bytes:
            raise StoreError(
                f"holds {len(body)} bytes where at most {limit_bytes} are expected",
                subject=self.url(key),
                next_step="This is not an object that etcd-dr wrote; look at it with the store's own tools.",
            )
        return body

    @contextmanager
    def read(self, key: str) -> Iterator[Iterator[bytes]]:
        self._begin("read", checked_key(key, store=self.url()))
        yield self._chunks(key, self._held(key).body)

    def head(self, key: str) -> StoredObject:
        self._begin("head", checked_key(key, store=self.url()))
        return self._facts(key)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._begin("list", checked_prefix(prefix, store=self.url()))
        for key in self._visible(prefix):
            held = self._objects.get(key)
            if held is not None:
                # As with S3, a listing says nothing about retention.
                yield StoredObject(key, len(held.body), held.modified_at)

    def list_folders(self, prefix: str) -> Iterator[str]:
        self._begin("list_folders", checked_folder(prefix, store=self.url()))
        rests = (key[len(prefix) :] for key in self._visible(prefix))
        yield from sorted({rest.split("/", 1)[0] for rest in rests if "/" in rest})

    def delete(self, key: str) -> None:
        self._begin("delete", checked_key(key, store=self.url()))
        held = self._objects.get(key)
        if held is not None and (
            held.legal_hold or (held.locked_until is not None and held.locked_until > self._now())
        ):
            raise ObjectLocked(
                "is under a legal hold" if held.legal_hold else f"is locked until {held.locked_until}",
                subject=self.url(key),
                next_step="Wait for the retention to end.",
                context={"legal_hold": held.legal_hold},
            )
        if held is not None:
            self.deleted.append((key, held.body))
        self._objects.pop(key, None)

    def unfinished_uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        self._begin("unfinished_uploads", checked_prefix(prefix, store=self.url()))
        yield from [u.facts for u in list(self._uploads.values()) if u.key.startswith(prefix)]

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        self._begin("abort_unfinished", upload.key)
        self._uploads.pop(upload.token, None)

    def close(self) -> None:
        self.closed = True

    def _begin(self, operation: str, key: str = "") -> None:
        self.calls.append((operation, key))
        self._meet_faults(operation, key)

    def _meet_faults(self, operation: str, key: str) -> None:
        if self.faults.is_gone:
            raise self._unreachable(key)
        if self._planned[operation]:
            raise self._planned[operation].pop(0)

    def _unreachable(self, key: str) -> StoreUnreachable:
        return StoreUnreachable(
            "connection refused", subject=self.url(key), next_step="Check that the store is running and reachable."
        )

    def _exists(self, key: str) -> ObjectExists:
        return ObjectExists(
            "exists already", subject=self.url(key), next_step="Find out who wrote it before anything else."
        )

    def _held(self, key: str) -> _Held:
        if key not in self._objects:
            raise ObjectMissing("does not exist", subject=self.url(key), next_step="List what there is.")
        return self._objects[key]

    def _facts(self, key: str) -> StoredObject:
        held = self._held(key)
        return StoredObject(key, len(held.body), held.modified_at, held.locked_until)

    def _visible(self, prefix: str) -> list[str]:
        return [key for key in sorted(self._objects) if key.startswith(prefix) and is_key(key)]

    def _place(self, key: str, body: bytes, *, if_absent: bool) -> StoredObject:
        if if_absent and key in self._objects:
            raise self._exists(key)
        self._need_room(key, len(body))
        self._objects[key] = _Held(body, self._now())
        return self._facts(key)

    def _place_upload(self, upload: _FakeUpload) -> StoredObject:
        if upload.key in self._objects:  # without conditional writes the adapters look first
            raise self._exists(upload.key)
        del self._uploads[upload.token]
        return self._place(upload.key, bytes(upload.body), if_absent=False)

    def _need_room(self, key: str, count_bytes: int) -> None:
        capacity = self.faults.capacity_bytes
        used = sum(len(h.body) for h in self._objects.values()) + sum(len(u.body) for u in self._uploads.values())
        if capacity is not None and used + count_bytes > capacity:
            raise StoreFull("no room is left", subject=self.url(key), next_step="Free some space or raise the quota.")

    def _chunks(self, key: str, body: bytes) -> Iterator[bytes]:
        breaks_at = self.faults.read_breaks_after_bytes
        for start in range(0, len(body), self._chunk_bytes):
            if breaks_at is not None and start >= breaks_at:
                raise self._unreachable(key)
            if self.faults.on_chunk:
                self.faults.on_chunk("read", key)
            self._meet_faults("read_chunk", key)
            yield body[start : start + self._chunk_bytes]


class _FakeUpload:
    """An upload into the fake; see the port."""

    def __init__(self, store: FakeObjectStore, key: str, *, token: str, begun_at: datetime) -> None:
        self.key, self.token, self.begun_at = key, token, begun_at
        self.body = bytearray()
        self._store = store
        self._committed = False

    @property
    def facts(self) -> UnfinishedUpload:
        return UnfinishedUpload(key=self.key, token=self.token, begun_at=self.begun_at)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        store = self._store
        if store.faults.on_chunk:
            store.faults.on_chunk("write", self.key)
        store._meet_faults("write", self.key)
        self._need_open()
        dies_after = store.faults.upload_dies_after_bytes
        if dies_after is not None and len(self.body) + len(data) > dies_after:
            raise store._unreachable(self.key)
        store._need_room(self.key, len(data))
        self.body += data

    def commit(self) -> StoredObject:
        store = self._store
        store._begin("commit", self.key)
        self._need_open()
        with store._mutex:
            stored = store._place_upload(self)
        self._committed = True
        return stored

    def abort(self) -> None:
        if not self._committed:
            self._store.calls.append(("abort", self.key))
        if not self._store.faults.is_gone:
            self._store._uploads.pop(self.token, None)

    def _need_open(self) -> None:
        if self.token not in self._store._uploads:
            raise StoreError(
                "this upload is no longer open", subject=self._store.url(self.key), next_step="Begin another one."
            )
