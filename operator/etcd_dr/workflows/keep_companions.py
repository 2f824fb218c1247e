"""Gather companions, keep them beside a snapshot, and bring them back.

- They are gathered before the snapshot is begun: a file that is required and missing costs nothing then.
- They are stored before the manifest is written, which names them; without it they are swept like the data.
- They hold private keys, so they are never stored in clear, unless somebody has said that they may be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from etcd_dr.domain.companion_archive import pack, unpack
from etcd_dr.domain.companions import CompanionFile, CompanionLimits
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import CompanionEntry, CompanionsFacts, MissingCompanion
from etcd_dr.domain.proof import ProofResult
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import ConfigError, FileUnreadable, SnapshotDamaged, StoreError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.codec import Decoder, Encoder
from etcd_dr.ports.companions import CompanionSource, Gathered
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.prove_stored import StoredAnswer, read_back

_LARGEST_ARCHIVE_BYTES = 256 << 20  # whatever a manifest says: this is held in memory


@dataclass(frozen=True, slots=True)
class CompanionOrder:
    """What is gathered for a snapshot. `required`: no snapshot without all of it. `in_clear`: may be stored so."""

    sources: Sequence[CompanionSource]
    limits: CompanionLimits = field(default_factory=CompanionLimits)
    required: bool = False
    in_clear: bool = False


def gather_companions(order: CompanionOrder, *, encoder: Encoder, cancellation: Cancellation) -> Gathered:
    """Return what the sources give. Raises ConfigError where it would be stored in clear, FileUnreadable for a
    required file that is missing, Cancelled."""
    if not order.in_clear and not any(stage.name == "age" for stage in encoder.stages):
        raise ConfigError(
            "companions hold private keys, and would be stored in clear",
            subject="companions",
            next_step="Give recipients under encryption (--recipient age1...), or say companions.allow_unencrypted: "
            "true where whoever reads the store may have them.",
        )
    files: list[CompanionFile] = []
    missing: list[MissingCompanion] = []
    for source in order.sources:
        left = CompanionLimits(
            order.limits.total_bytes - sum(len(file.body) for file in files), order.limits.files - len(files)
        )
        gathered = source.gather(limits=left, cancellation=cancellation)
        files += gathered.files
        missing += gathered.missing
    if missing and order.required:
        first = missing[0]
        raise FileUnreadable(
            f"{first.reason}, and companions are required" + (f" ({len(missing)} missing)" if missing[1:] else ""),
            subject=first.name,
            next_step="No snapshot was taken. Correct companions: in the configuration, or set required: false.",
        )
    return Gathered(tuple(files), tuple(missing))


def store_companions(
    store: ObjectStore,
    layout: ClusterLayout,
    snapshot_id: SnapshotId,
    gathered: Gathered,
    *,
    encoder: Encoder,
    cancellation: Cancellation,
) -> CompanionsFacts:
    """Write the companions of a snapshot that is not committed yet, read them back, and return what to say of them.

    Raises StoreError, Cancelled.
    """
    plain = pack(gathered.files)
    pieces: list[bytes] = []
    encoder.encode(iter([plain]), pieces.append)
    stored = b"".join(pieces)
    digest = _digest(stored)
    key = layout.companions(snapshot_id)
    store.put(key, stored, if_absent=True)
    answer = read_back(store, key, digest=digest, size_bytes=len(stored), cancellation=cancellation)
    if answer.result is not ProofResult.PASSED:
        raise StoreError(f"the companions could not be read back: {answer.detail}", subject=store.url(key))
    return CompanionsFacts(
        plain_digest=_digest(plain),
        plain_size_bytes=len(plain),
        stored_digest=digest,
        stored_size_bytes=len(stored),
        stages=encoder.stages,
        files=tuple(sorted((file.entry for file in gathered.files), key=_by_name)),
        missing=gathered.missing,
    )


def check_companions(
    store: ObjectStore,
    layout: ClusterLayout,
    snapshot_id: SnapshotId,
    facts: CompanionsFacts,
    *,
    cancellation: Cancellation,
) -> StoredAnswer:
    """Return whether the stored companions are those that were written. Raises Cancelled."""
    return read_back(
        store,
        layout.companions(snapshot_id),
        digest=facts.stored_digest,
        size_bytes=facts.stored_size_bytes,
        cancellation=cancellation,
    )


def read_companions(
    store: ObjectStore,
    layout: ClusterLayout,
    snapshot_id: SnapshotId,
    facts: CompanionsFacts,
    *,
    decoder: Decoder,
    limits: CompanionLimits | None = None,
) -> tuple[CompanionFile, ...]:
    """Return the files of a snapshot's companions, in order of name.

    Raises SnapshotDamaged (other bytes, or an archive that is not ours), IdentityMissing, DecryptionFailed, StoreError.
    """
    key = layout.companions(snapshot_id)
    subject = store.url(key)
    if max(facts.plain_size_bytes, facts.stored_size_bytes) > _LARGEST_ARCHIVE_BYTES:
        raise SnapshotDamaged("the manifest says that the companions are too large to be any", subject=subject)
    stored = store.get(key, limit_bytes=max(1, facts.stored_size_bytes))
    if _digest(stored) != facts.stored_digest:
        raise SnapshotDamaged("the companions in the store are not those that were written", subject=subject)
    plain = bytearray()
    decoder.decode(
        iter([stored]), plain.extend, stages=facts.stages, subject=subject, limit_bytes=facts.plain_size_bytes
    )
    if _digest(bytes(plain)) != facts.plain_digest:
        raise SnapshotDamaged("the companions decode to other bytes than were written", subject=subject)
    return unpack(bytes(plain), subject=subject, limits=limits or CompanionLimits(files=len(facts.files)))


def _digest(body: bytes) -> Digest:
    return Digest.of_sha256(hashlib.sha256(body).digest())


def _by_name(entry: CompanionEntry) -> str:
    return entry.name
