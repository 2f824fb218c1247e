"""What a snapshot stream must be before a single byte of it counts.

A stream is announced data followed by a trailer: the SHA-256 of the data (etcd's maintenance.go, Snapshot). The server
computes that digest over what it *sent*, so a right trailer says that nothing was lost on the way, and only that.

Rules this module keeps:
- With `remaining_bytes`, the first message announces the size and every later one must agree with the count; the
  trailer is the 32 bytes that come after the announced data. Without it, the trailer is the last 32 bytes.
- A server whose read failed goes on sending empty messages for ever (etcd up to 3.6): one with bytes still to come
  ends it.
- Data begins with a bbolt meta page and is a whole number of its pages, at least the four that bbolt creates.
- Pure: it is told about messages and blocks, and says no by raising StreamBroken.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from etcd_dr.domain.digest import Digest
from etcd_dr.errors import StreamBroken

TRAILER_BYTES = 32

_META = struct.Struct("<16xIII")  # page header, then magic, version, page size (bbolt, page.go and db.go)
_META_MAGIC = 0xED0CDAED
_FIRST_PAGES = 4  # bbolt's db.go, init: two metas, a freelist, a leaf
_PAGE_SIZES = tuple(512 << shift for shift in range(8))
_IDLE_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class CheckedStream:
    """A whole stream. `plain_digest` is that of the file that is stored: data and trailer."""

    trailer: bytes
    data_bytes: int
    plain_digest: Digest
    trailer_digest: Digest

    @property
    def file_bytes(self) -> int:
        return self.data_bytes + len(self.trailer)


class StreamCheck:
    """Follows one stream from its first message to its end. `subject` names the member for errors.

    Call `admit` for each message, `digest` for the admitted data in order (in blocks as large as convenient), and
    `finish` at the end.
    """

    def __init__(self, *, subject: str) -> None:
        self._subject = subject
        self._announced: int | None = None
        self._is_first = True
        self._admitted = 0
        self._idle = 0
        self._tail = b""
        self._sha256 = hashlib.sha256()
        self._digested = 0
        self._page_size = _PAGE_SIZES[0]

    @property
    def announced_bytes(self) -> int | None:
        """The size of the data, once the first message has said it."""
        return self._announced

    def admit(self, blob: bytes, remaining_bytes: int | None) -> bytes:
        """Return the data in this message: all of it, or what is certain not to be the trailer."""
        if self._is_first:
            self._is_first = False
            self._announced = None if remaining_bytes is None else len(blob) + remaining_bytes
        if not blob:
            return self._admit_nothing(remaining_bytes)
        self._idle = 0
        if self._announced is None:
            return self._admit_unannounced(blob)
        return self._admit_announced(blob, remaining_bytes)

    def digest(self, block: bytes | bytearray | memoryview) -> None:
        """Add admitted data to the digest; the first block is also looked at."""
        if not self._digested:
            self._check_head(block)
        self._sha256.update(block)
        self._digested += len(block)

    def finish(self) -> CheckedStream:
        """Return what arrived. Raises StreamBroken when it is not a whole snapshot."""
        self._check_end()
        self._check_size(self._admitted)
        computed = self._sha256.digest()
        if self._tail != computed:
            raise self._broken(
                f"trailer {self._tail.hex()[:12]}... does not match the data, whose sha256 is {computed.hex()[:12]}..."
            )
        self._sha256.update(self._tail)
        return CheckedStream(
            trailer=self._tail,
            data_bytes=self._admitted,
            plain_digest=Digest.of_sha256(self._sha256.digest()),
            trailer_digest=Digest.of_sha256(computed),
        )

    def _admit_nothing(self, remaining_bytes: int | None) -> bytes:
        self._idle += 1
        if remaining_bytes:
            raise self._broken(
                f"an empty message with {remaining_bytes} bytes still to come: the member cannot read its database"
            )
        if self._idle > _IDLE_MESSAGES:
            raise self._broken("empty messages without end")
        return b""

    def _admit_announced(self, blob: bytes, remaining_bytes: int | None) -> bytes:
        announced = self._announced or 0
        if self._admitted == announced:
            self._tail += blob
            if len(self._tail) > TRAILER_BYTES:
                raise self._broken(f"more bytes than the announced {announced} and a trailer of {TRAILER_BYTES}")
            return b""
        self._admitted += len(blob)
        if self._admitted > announced:
            raise self._broken(f"more bytes than the announced {announced}")
        if remaining_bytes != announced - self._admitted:
            raise self._broken(
                f"{remaining_bytes} bytes announced as still to come, {announced - self._admitted} by the count"
            )
        return blob

    def _admit_unannounced(self, blob: bytes) -> bytes:
        joined = self._tail + blob
        self._tail = joined[-TRAILER_BYTES:]
        data = joined[:-TRAILER_BYTES]
        self._admitted += len(data)
        return data

    def _check_head(self, block: bytes | bytearray | memoryview) -> None:
        if len(block) >= _META.size:
            magic, _, self._page_size = _META.unpack_from(block)
            if magic != _META_MAGIC or self._page_size not in _PAGE_SIZES:
                raise self._broken("does not begin with a page of an etcd database")
        if self._announced is not None:
            self._check_size(self._announced)

    def _check_size(self, data_bytes: int) -> None:
        if data_bytes < _FIRST_PAGES * _PAGE_SIZES[0] or data_bytes < _FIRST_PAGES * self._page_size:
            raise self._broken(f"{data_bytes} bytes are too few for a database")
        if data_bytes % self._page_size:
            raise self._broken(f"{data_bytes} bytes are not a whole number of pages of {self._page_size}")

    def _check_end(self) -> None:
        if not self._admitted and not self._tail:
            raise self._broken("the stream ended without a byte")
        if self._announced is not None and self._admitted < self._announced:
            raise self._broken(f"the stream ended after {self._admitted} of {self._announced} bytes")
        if len(self._tail) < TRAILER_BYTES:
            raise self._broken("the stream ended without its trailer")

    def _broken(self, what: str) -> StreamBroken:
        return StreamBroken(
            what,
            subject=self._subject,
            next_step="Nothing was stored. See how this member is: etcd-dr health",
            context={"received_bytes": self._admitted, "announced_bytes": self._announced},
        )
