"""One object of unknown size, sent in parts while it is still being made.

- An object smaller than one part is put whole, at commit: nothing is begun at the store for it.
- Nothing is visible before `commit`; what was begun and not ended is listed by the store and found by the sweep.
"""

from __future__ import annotations

import contextlib

from etcd_dr.adapters.stores.s3.parts import MAX_PARTS, PartSender, part_size_bytes
from etcd_dr.adapters.stores.s3.writing import ObjectWriter, OpenParts
from etcd_dr.adapters.stores.settings import S3Settings
from etcd_dr.errors import StoreError
from etcd_dr.ports.object_store import StoredObject

_ABORT_GRACE_SECONDS = 0.7
"""How long parts under way may go on before the upload is aborted: one that arrives later keeps its space until the
sweep (S3, AbortMultipartUpload), but a shutdown must not wait for the timeouts of a dead store."""


class S3Upload:
    """Belongs to one thread. Memory: the part that is being filled, and those on their way (see `parts`)."""

    def __init__(self, writer: ObjectWriter, settings: S3Settings, *, key: str, url: str) -> None:
        self._writer, self._settings, self._key, self._url = writer, settings, key, url
        self._filling = bytearray()
        self._number = 1
        self._size_bytes = 0
        self._opened: OpenParts | None = None
        self._sender: PartSender | None = None
        self._ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._need_open()
        left = memoryview(data).cast("B")
        while left:
            room = self._part_bytes() - len(self._filling)
            self._filling += left[:room]
            left = left[room:]
            if len(self._filling) == self._part_bytes():
                self._send_filled()

    def commit(self) -> StoredObject:
        self._need_open()
        if self._opened is None or self._sender is None:
            stored = self._writer.put(self._key, self._filling, if_absent=True)
        else:
            if self._filling:
                self._send_filled()
            parts = self._sender.finish()
            stored = self._writer.complete(self._opened, parts, size_bytes=self._size_bytes)
            self._opened = None  # there is nothing left to abort
        self._ended = True
        self._filling = bytearray()
        return stored

    def abort(self) -> None:
        self._ended = True
        self._filling = bytearray()
        opened, self._opened = self._opened, None
        if self._sender is not None:
            self._sender.stop(grace_seconds=_ABORT_GRACE_SECONDS)
        if opened is not None:
            with contextlib.suppress(StoreError):
                opened.abort()

    def _part_bytes(self) -> int:
        return part_size_bytes(self._number, first_bytes=self._settings.part_bytes)

    def _send_filled(self) -> None:
        if self._number > MAX_PARTS:
            raise StoreError(
                f"is larger than {MAX_PARTS} parts can hold",
                subject=self._url,
                next_step="Set part_size_bytes of this store to a larger value.",
            )
        sender = self._begin() if self._sender is None else self._sender
        body, self._filling = self._filling, bytearray()
        self._size_bytes += len(body)
        sender.submit(self._number, body)
        self._number += 1

    def _begin(self) -> PartSender:
        self._opened = self._writer.begin_parts(self._key)
        threads = self._settings.upload_threads
        self._sender = PartSender(self._opened.send, threads=threads, budget_bytes=threads * self._settings.part_bytes)
        return self._sender

    def _need_open(self) -> None:
        if self._ended:
            raise StoreError("this upload was ended before", subject=self._url, next_step="Begin another upload.")
