"""How long a recovery from a snapshot would take: the expected RTO, and what the nodes add to it.

What drills measured, and how it grows with the database, is the matter of domain/objectives/rto.py. No drill stops a
member, builds a second data directory or places one on a node, so that part always comes from typical rates.
"""

from __future__ import annotations

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.objectives.rto import RtoStanding
from etcd_dr.domain.readiness.verdict import Estimate
from etcd_dr.domain.recovery.rates import Rates


def estimate_recovery(source: Snapshot, rto: RtoStanding, *, platform: str) -> Estimate | None:
    """Return the estimate for a recovery from `source`; None where the RTO is not known."""
    if rto.expected is None or rto.basis is None:
        return None
    return Estimate(
        restore_seconds=rto.expected.total_seconds(),
        nodes_seconds=_nodes_seconds(source, Rates.observed((), platform=platform)),
        basis=rto.basis,
        drilled_at=rto.drilled_at,
        drilled_id=rto.snapshot_id,
    )


def _nodes_seconds(source: Snapshot, rates: Rates) -> float:
    members = max(1, sum(not member.is_learner for member in source.manifest.topology))
    size_bytes = source.manifest.database.size_bytes
    further = rates.build_seconds(plain_bytes=size_bytes, members=members) - rates.build_seconds(
        plain_bytes=size_bytes, members=1
    )
    placing = (members + 1) // 2 * size_bytes / rates.place_bytes_per_second  # two at a time
    return rates.fence_seconds + rates.stop_seconds + further + placing
