"""Prove `stored`: read the object back and compare the digest of its bytes with what was written.

Missing, shorter, longer and different are answers, and mean that the proof failed. A store that does not let itself
be read just now leaves the question open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from etcd_dr import __version__
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.errors import ObjectMissing, StoreError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.events import Progress
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.receive_stream import raise_if_cancelled


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the object said when it was read; `digest` is None where it could not be."""

    result: ProofResult
    detail: str
    finding: str = ""
    digest: Digest | None = None

    def as_proof(self, *, at: datetime, plain_digest: Digest | None = None) -> Proof:
        """Return the answer as a proof. `plain_digest` is what the stored bytes are known to hold."""
        return Proof(
            level=ProofLevel.STORED,
            result=self.result,
            at=at,
            made_from=ProofOrigin.STORED_OBJECT,
            detail=self.detail,
            tool_version=__version__,
            plain_digest=plain_digest,
            stored_digest=self.digest,
            findings=(self.finding,) if self.finding else (),
        )


class DigestingReader:
    """An iterator over an object's chunks that hashes what passes; `drain` takes what nobody asked for."""

    def __init__(self, chunks: Iterator[bytes], cancellation: Cancellation, progress: Progress | None = None) -> None:
        self._chunks = chunks
        self._cancellation = cancellation
        self._progress = progress
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            raise_if_cancelled(self._cancellation)
            self._sha256.update(chunk)
            self.size_bytes += len(chunk)
            if self._progress:
                self._progress.advance(len(chunk))
            yield chunk

    def drain(self) -> None:
        for _ in self:
            pass

    @property
    def digest(self) -> Digest:
        return Digest.of_sha256(self._sha256.digest())

    def judge(self, *, digest: Digest, size_bytes: int) -> StoredAnswer:
        """Compare what was read, once all of it was, with what should be there."""
        if self.size_bytes != size_bytes:
            return StoredAnswer(
                ProofResult.FAILED,
                f"the object has {self.size_bytes} bytes, {size_bytes} were written",
                "stored.size",
                self.digest,
            )
        if self.digest != digest:
            return StoredAnswer(
                ProofResult.FAILED,
                f"the object has {self.digest}, {digest} was written",
                "stored.digest",
                self.digest,
            )
        return StoredAnswer(
            ProofResult.PASSED, f"{size_bytes} bytes read back with the digest that was written", digest=digest
        )


def read_back(
    store: ObjectStore,
    key: str,
    *,
    digest: Digest,
    size_bytes: int,
    cancellation: Cancellation,
    progress: Progress | None = None,
) -> StoredAnswer:
    """Return whether the object holds what was written. Raises Cancelled, and nothing of the store's."""
    try:
        with store.read(key) as chunks:
            reader = DigestingReader(chunks, cancellation, progress)
            reader.drain()
    except StoreError as error:
        return unreadable(error)
    return reader.judge(digest=digest, size_bytes=size_bytes)


def unreadable(error: StoreError) -> StoredAnswer:
    """Return the answer for an object that could not be read."""
    if isinstance(error, ObjectMissing):
        return StoredAnswer(ProofResult.FAILED, "the object is missing", "stored.missing")
    return StoredAnswer(ProofResult.INCONCLUSIVE, f"the object could not be read: {error.message} ({error.code})")
