"""The verdict on readiness: what a recovery would begin with, what it would lose, how long it would take, and why."""

from __future__ import annotations

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.readiness.estimate import estimate_recovery
from etcd_dr.domain.readiness.facts import ReadinessFacts
from etcd_dr.domain.readiness.reasons import reasons_for
from etcd_dr.domain.readiness.verdict import Loss, Readiness, answer_to


def judge_readiness(facts: ReadinessFacts) -> Readiness:
    """Return the verdict that the facts allow."""
    source = facts.source
    estimate = estimate_recovery(source, facts.snapshots, platform=facts.terms.platform) if source else None
    reasons = reasons_for(facts, estimate)
    return Readiness(
        cluster=facts.cluster,
        judged_at=facts.now,
        as_of=facts.read_at,
        answer=answer_to(reasons),
        source=source,
        loss=_loss(facts, source) if source else None,
        estimate=estimate,
        reasons=reasons,
    )


def _loss(facts: ReadinessFacts, source: Snapshot) -> Loss:
    """Everything written since the snapshot was taken; a clock that was off makes no negative loss."""
    seconds = max(0.0, (facts.now - source.taken_at).total_seconds())
    following = facts.next_start_at
    if following is None or following < facts.now:
        return Loss(seconds, None)
    at_worst = (following - source.taken_at).total_seconds() + source.manifest.duration_seconds
    return Loss(seconds, max(seconds, at_worst))
