"""Read a stored snapshot back in clear, in one pass: hash what was stored, decode it, hash what comes out.

What the two digests mean is left to who asked: `fetch` refuses, `verify` records. Bytes that were written before the
end are not to be trusted by either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import SnapshotDamaged
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.codec import Decoder, Write
from etcd_dr.ports.events import Progress
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.prove_stored import DigestingReader, StoredAnswer


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out of one stored object. `broken` is the decoder's complaint where the envelope did not hold."""

    subject: str
    stored: StoredAnswer
    plain_digest: Digest
    plain_bytes: int
    broken: SnapshotDamaged | None = None

    def problem(self, manifest: Manifest) -> SnapshotDamaged | None:
        """Return the error when this is not what the manifest describes; a changed object explains the rest."""
        if self.stored.finding:
            return self._damaged(self.stored.detail)
        if self.broken is not None:
            return self.broken
        if (self.plain_digest, self.plain_bytes) != (manifest.plain_digest, manifest.database.size_bytes):
            return self._damaged(
                f"decoded to {self.plain_bytes} bytes with {self.plain_digest}, the manifest says "
                f"{manifest.database.size_bytes} with {manifest.plain_digest}"
            )
        return None

    def _damaged(self, detail: str) -> SnapshotDamaged:
        return SnapshotDamaged(
            detail,
            subject=self.subject,
            next_step="This copy cannot be used. Find one that is proven: etcd-dr snapshot list",
        )


def decode_stored(
    store: ObjectStore,
    layout: ClusterLayout,
    manifest: Manifest,
    write: Write,
    *,
    decoder: Decoder,
    cancellation: Cancellation,
    progress: Progress,
) -> Decoded:
    """Push the plain bytes of a stored snapshot to `write` and return what became of them, unjudged.

    Raises StoreError, IdentityMissing, DecryptionFailed, UnsupportedFormat, Cancelled and what `write` raises. An
    envelope that is broken is a value, and the rest of the object is read all the same: it says whose fault it is.
    """
    key = layout.data(manifest.snapshot_id)
    sha256, plain_bytes = hashlib.sha256(), 0
    broken: SnapshotDamaged | None = None

    def take(piece: bytes) -> None:
        nonlocal plain_bytes
        sha256.update(piece)
        plain_bytes += len(piece)
        write(piece)

    with store.read(key) as chunks:
        reader = DigestingReader(chunks, cancellation, progress)
        try:
            decoder.decode(
                iter(reader),
                take,
                stages=manifest.stages,
                subject=store.url(key),
                limit_bytes=manifest.database.size_bytes,
            )
        except SnapshotDamaged as error:
            broken = error
        reader.drain()
    return Decoded(
        subject=store.url(key),
        stored=reader.judge(digest=manifest.stored_digest, size_bytes=manifest.stored_size_bytes),
        plain_digest=Digest.of_sha256(sha256.digest()),
        plain_bytes=plain_bytes,
        broken=broken,
    )
