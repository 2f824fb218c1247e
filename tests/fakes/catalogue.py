"""Snapshots and catalogues as tests write them down: say what matters, the rest is sound and plain.

catalogue_of(snapshot("2026-08-20 03:00"), snapshot("2026-08-20 04:00", state="damaged"))
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Literal

from etcd_dr.domain.catalogue import Catalogue, Pin, Snapshot
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import DatabaseFacts, Manifest, SourceFacts, StageFacts
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.snapshot import SnapshotId

State = Literal["proven", "unproven", "stored", "damaged", "diverged", "inconclusive"]

_PROOFS: dict[str, tuple[tuple[ProofLevel, ProofResult], ...]] = {
    "proven": ((ProofLevel.STORED, ProofResult.PASSED), (ProofLevel.INTACT, ProofResult.PASSED)),
    "unproven": (),
    "stored": ((ProofLevel.STORED, ProofResult.PASSED),),
    "damaged": ((ProofLevel.STORED, ProofResult.FAILED), (ProofLevel.INTACT, ProofResult.PASSED)),
    "diverged": (
        (ProofLevel.STORED, ProofResult.PASSED),
        (ProofLevel.INTACT, ProofResult.PASSED),
        (ProofLevel.CONSISTENT, ProofResult.FAILED),
    ),
    "inconclusive": ((ProofLevel.STORED, ProofResult.INCONCLUSIVE), (ProofLevel.INTACT, ProofResult.PASSED)),
}


def moment(text: str | datetime) -> datetime:
    """Return `2026-08-20 03:00` as an aware moment, UTC unless it says otherwise."""
    parsed = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def snapshot(
    taken_at: str | datetime,
    *,
    state: State = "proven",
    pinned: bool = False,
    cluster: str = "prod",
    revision: int | None = None,
    cluster_id: str | None = "9e2fa4cf38d7116f",
    token: str | None = None,
    plain: bytes = b"",
    stages: tuple[StageFacts, ...] = (),
    stored: bytes | None = None,
    minutes: float = 0,
) -> Snapshot:
    """Return a snapshot that took so many `minutes`. `plain` and `stored` are what its digests are made of; the revision grows with time."""
    at = moment(taken_at)
    snapshot_id = SnapshotId.create(at, token or hashlib.sha256(at.isoformat().encode()).hexdigest()[:12])
    body = stored if stored is not None else plain
    manifest = Manifest(
        id=str(snapshot_id),
        cluster=cluster,
        taken_at=at,
        finished_at=at + timedelta(minutes=minutes),
        taken_by="etcd-dr@test",
        tool_version="0",
        reason="scheduled",
        duration_seconds=1.0,
        source=SourceFacts(kind="etcd", cluster_id=cluster_id),
        topology=(),
        database=_database(int(at.timestamp()) if revision is None else revision, len(plain)),
        plain_digest=Digest.of_sha256(hashlib.sha256(plain).digest()),
        trailer_digest=None,
        stored_digest=Digest.of_sha256(hashlib.sha256(body).digest()),
        stored_size_bytes=len(body),
        stages=stages,
        commit="conditional",
    )
    proofs = tuple(_proof(level, result, at) for level, result in _PROOFS[state])
    return Snapshot(manifest, proofs, Pin(at=at, by="somebody", reason="before an upgrade") if pinned else None)


def catalogue_of(*snapshots: Snapshot, cluster: str = "prod") -> Catalogue:
    """Return the catalogue of these snapshots, oldest first."""
    return Catalogue(cluster, tuple(sorted(snapshots, key=lambda s: s.order)))


def _database(revision: int, size_bytes: int) -> DatabaseFacts:
    return DatabaseFacts(
        revision=revision,
        compact_revision=-1,
        status_hash=1,
        hash_kv=None,
        live_keys=1,
        all_records=1,
        size_bytes=size_bytes,
        total_size_bytes=size_bytes,
    )


def _proof(level: ProofLevel, result: ProofResult, at: datetime) -> Proof:
    return Proof(level=level, result=result, at=at, made_from=ProofOrigin.SCRATCH, detail="", tool_version="0")
