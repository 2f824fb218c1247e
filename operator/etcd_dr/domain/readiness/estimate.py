"""How long a recovery from a snapshot would take: scaled from the newest drill, else from typical rates.

What a drill measured grows with the size of the database and, for etcd's start, with its keys; it is never scaled below
what was measured. Stopping etcd and placing data on the nodes is in no drill, so it always comes from the rates.
"""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.drill import DrillRecord
from etcd_dr.domain.proof import Proof, ProofLevel
from etcd_dr.domain.readiness.verdict import Estimate, EstimateBasis
from etcd_dr.domain.recovery.rates import Rates


def estimate_recovery(source: Snapshot, snapshots: Sequence[Snapshot], *, platform: str) -> Estimate:
    """Return the estimate for a recovery from `source`. `snapshots`: all of the cluster, for what they measured."""
    rates = Rates.observed(snapshots, platform=platform)
    database = source.manifest.database
    members = max(1, sum(not member.is_learner for member in source.manifest.topology))
    rounds = (members + 1) // 2  # data directories are built and placed two at a time
    nodes = rates.fence_seconds + rates.stop_seconds + rounds * database.size_bytes / rates.place_bytes_per_second
    drilled = _measured_drill(snapshots)
    if drilled is not None:
        snapshot, proof, record = drilled
        work = _scaled(record, drilled=snapshot, source=source, rounds=rounds)
        return Estimate(work, nodes, EstimateBasis.DRILL, drilled_at=proof.at, drilled_id=str(snapshot.id))
    work = (
        rates.fetch_seconds(stored_bytes=source.manifest.stored_size_bytes, plain_bytes=database.size_bytes)
        + rates.build_seconds(plain_bytes=database.size_bytes, members=members)
        + rates.serve_seconds(keys=database.live_keys)
    )
    return Estimate(work, nodes, EstimateBasis.RATES)


def _measured_drill(snapshots: Sequence[Snapshot]) -> tuple[Snapshot, Proof, DrillRecord] | None:
    """Return the newest drill that passed and ran every phase of a recovery."""
    found = [
        (snapshot, proof, proof.drill)
        for snapshot in snapshots
        if (proof := snapshot.newest_proofs.get(ProofLevel.RESTORABLE)) is not None
        and proof.passed
        and proof.drill is not None
        and proof.drill.rto_seconds is not None
    ]
    return max(found, key=lambda entry: entry[1].at, default=None)


def _scaled(record: DrillRecord, *, drilled: Snapshot, source: Snapshot, rounds: int) -> float:
    then, now = drilled.manifest.database, source.manifest.database
    by_size = max(1.0, now.size_bytes / then.size_bytes) if then.size_bytes else 1.0
    by_keys = max(1.0, now.live_keys / then.live_keys) if then.live_keys else 1.0
    phases = record.phases
    moved = phases.get("fetching", 0.0) + phases.get("verifying", 0.0) + phases.get("restoring", 0.0) * rounds
    return moved * by_size + phases.get("starting", 0.0) * by_keys
