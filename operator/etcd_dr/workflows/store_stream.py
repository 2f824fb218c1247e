"""Encode the blocks of a snapshot, upload them, make the object visible, and read it back.

It runs in a thread of its own beside the one that receives: compression, encryption, hashing and the network all let
go of the interpreter while they work. An object that becomes visible here is no snapshot yet: without a manifest
nobody takes it for one, and the sweep removes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from etcd_dr.domain.digest import Digest
from etcd_dr.errors import ObjectExists
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.codec import Encoder
from etcd_dr.ports.object_store import ObjectStore, Upload
from etcd_dr.workflows.prove_stored import StoredAnswer, read_back
from etcd_dr.workflows.receive_stream import raise_if_cancelled


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """What was written, and what came back. Durations are seconds; `storing` includes waiting for the stream."""

    digest: Digest
    size_bytes: int
    answer: StoredAnswer
    storing_seconds: float
    reading_seconds: float


class StoreStream:
    """The work of the storing thread. `may_be_visible` says, once it ended, whether our object may be in the store:
    also when the answer to its commit was lost."""

    def __init__(
        self,
        upload: Upload,
        *,
        store: ObjectStore,
        key: str,
        encoder: Encoder,
        cancellation: Cancellation,
        clock: Clock,
    ) -> None:
        self.may_be_visible = False
        self._upload = upload
        self._store = store
        self._key = key
        self._encoder = encoder
        self._cancellation = cancellation
        self._clock = clock
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def run(self, blocks: Iterable[bytes]) -> StoredCopy:
        """Store all blocks and read them back. The upload is ended in any case."""
        begun = self._clock.monotonic()
        self._upload_all(blocks)
        digest = Digest.of_sha256(self._sha256.digest())
        stored = self._clock.monotonic()
        answer = read_back(
            self._store, self._key, digest=digest, size_bytes=self._size_bytes, cancellation=self._cancellation
        )
        return StoredCopy(digest, self._size_bytes, answer, stored - begun, self._clock.monotonic() - stored)

    def _upload_all(self, blocks: Iterable[bytes]) -> None:
        is_committed = False
        try:
            self._encoder.encode(iter(blocks), self._write)
            raise_if_cancelled(self._cancellation)
            self.may_be_visible = True
            self._upload.commit()
            is_committed = True
        except ObjectExists:
            self.may_be_visible = False  # what is there is somebody else's
            raise
        finally:
            if not is_committed:
                self._upload.abort()

    def _write(self, piece: bytes) -> None:
        raise_if_cancelled(self._cancellation)
        self._sha256.update(piece)
        self._size_bytes += len(piece)
        self._upload.write(piece)
