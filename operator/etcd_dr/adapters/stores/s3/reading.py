"""Reading one object from beginning to end, across connections that break.

A broken connection is resumed behind the last byte received, and only from the same object (If-Match with its ETag).
The length announced at first must be reached: a short object is never passed off as whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from etcd_dr.adapters.stores.s3.bucket import Answer, Bucket
from etcd_dr.adapters.stores.s3.failures import LIBRARY_ERRORS
from etcd_dr.errors import ObjectExists, StoreError, StoreUnreachable

CHUNK_BYTES = 1024 * 1024
_BREAKS_WITHOUT_PROGRESS = 2


class ObjectReader:
    """An open object; `close` may be called at any point, and twice. `is_large`: the bytes of a snapshot."""

    def __init__(self, bucket: Bucket, key: str, *, is_large: bool, **access: object) -> None:
        self._bucket, self._key, self._is_large, self._access = bucket, key, is_large, access
        self._answer: Answer = self._get()
        self.size_bytes = int(self._answer["ContentLength"])
        self._etag = str(self._answer.get("ETag") or "")
        self._position = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes in chunks of up to 1 MiB."""
        breaks = 0
        while self._position < self.size_bytes:
            try:
                chunk = self._read()
            except StoreUnreachable:
                breaks += 1
                if breaks > _BREAKS_WITHOUT_PROGRESS or not self._etag:
                    raise
                self._resume()
                continue
            breaks = 0
            self._position += len(chunk)
            yield chunk

    def close(self) -> None:
        with contextlib.suppress(*LIBRARY_ERRORS):  # a connection that is thrown away has nothing to report
            self._answer["Body"].close()

    def _get(self, **part: object) -> Answer:
        call = self._bucket.call_patiently if self._is_large else self._bucket.call
        return call("get_object", key=self._key, **part, **self._access)

    def _read(self) -> bytes:
        with self._bucket.translating("get_object", key=self._key):
            chunk: bytes = self._answer["Body"].read(min(CHUNK_BYTES, self.size_bytes - self._position))
        if not chunk:
            raise StoreUnreachable(
                f"the store ended {self.size_bytes - self._position} bytes early",
                subject=self._bucket.url(self._key),
                next_step="It was tried several times; look into the store's log.",
            )
        return chunk

    def _resume(self) -> None:
        self.close()
        wanted = f"bytes={self._position}-{self.size_bytes - 1}"
        try:
            answer = self._get(Range=wanted, IfMatch=self._etag)
        except ObjectExists as error:  # what 412 means to a put; here the object is no longer the one we began with
            raise self._changed() from error
        self._answer = answer
        if answer.get("ContentRange") != f"bytes {self._position}-{self.size_bytes - 1}/{self.size_bytes}":
            raise StoreUnreachable(
                "the connection broke off, and the store cannot resume in the middle of an object",
                subject=self._bucket.url(self._key),
                next_step="Read it again from the beginning.",
            )

    def _changed(self) -> StoreError:
        return StoreError(
            "the object was replaced while it was read",
            subject=self._bucket.url(self._key),
            next_step="Read it again, and find out what else writes to this bucket.",
        )
