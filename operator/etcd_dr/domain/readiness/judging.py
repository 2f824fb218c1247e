"""The verdict on readiness: what a recovery would begin with, what it would lose, how long it would take, and why."""

from __future__ import annotations

from etcd_dr.domain.objectives.rpo import Outlook, judge_rpo
from etcd_dr.domain.objectives.rto import judge_rto
from etcd_dr.domain.readiness.estimate import estimate_recovery
from etcd_dr.domain.readiness.facts import ReadinessFacts
from etcd_dr.domain.readiness.reasons import reasons_for
from etcd_dr.domain.readiness.verdict import Readiness, answer_to


def judge_readiness(facts: ReadinessFacts) -> Readiness:
    """Return the verdict that the facts allow."""
    source, terms = facts.source, facts.terms
    rpo = rto = estimate = None
    if facts.catalogue is not None and source is not None:
        outlook = Outlook(facts.next_start_at, facts.schedule_gap, facts.failures)
        rpo = judge_rpo(facts.catalogue, terms.rpo_objective, now=facts.now, outlook=outlook)
        rto = judge_rto(facts.catalogue, terms.rto_objective)
        estimate = estimate_recovery(source, rto, platform=terms.platform)
    reasons = reasons_for(facts, rpo, rto)
    return Readiness(
        cluster=facts.cluster,
        judged_at=facts.now,
        as_of=facts.read_at,
        answer=answer_to(reasons),
        source=source,
        rpo=rpo,
        rto=rto,
        estimate=estimate,
        reasons=reasons,
    )
