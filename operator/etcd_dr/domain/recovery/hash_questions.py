"""Whether live members are asked for their hashes, and at which revision.

HashKV holds up a member's reads and writes while it runs, 1-4 s for each GB (mvcc/hash.go). So it is asked:
- without quorum: always, since nobody is held up who is served;
- with quorum: where the database is small, or where something hints at differences (the alarm CORRUPT, unequal
  revisions at one applied index, a snapshot that did not agree with the members).
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.health_rules.alarms import alarm_kinds
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.domain.quorum import judge_quorum
from etcd_dr.domain.recovery.divergence import judge_divergence

SMALL_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class HashQuestion:
    """Ask these endpoints, by member id, at this revision: the newest that all of them have."""

    endpoints: dict[int, str]
    revision: int
    largest_bytes: int


def hash_question(view: ClusterView, newest: Snapshot | None) -> HashQuestion | None:
    """Return what is worth asking; None: nothing."""
    asked = {s.member_id: (e.endpoint, s) for e, s in view.statuses if not s.is_learner}
    if len(asked) < 2:
        return None
    largest = max(status.db_size_bytes for _, status in asked.values())
    if judge_quorum(view).verdict.is_held and largest > SMALL_BYTES and not _is_hinted(view, newest):
        return None
    return HashQuestion(
        endpoints={member_id: endpoint for member_id, (endpoint, _) in asked.items()},
        revision=min(status.revision for _, status in asked.values()),
        largest_bytes=largest,
    )


def _is_hinted(view: ClusterView, newest: Snapshot | None) -> bool:
    if any("CORRUPT" in kinds for kinds in alarm_kinds(view).values()):
        return True
    by_revision = judge_divergence(view, ())
    proof = newest.newest_proofs.get(ProofLevel.CONSISTENT) if newest is not None else None
    disagreed = proof is not None and proof.result is ProofResult.FAILED
    return bool(by_revision.odd or by_revision.dispute or disagreed)
