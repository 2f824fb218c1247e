"""What a plan rests on, taken from an assessment, so that a later look can say whether it still holds."""

from __future__ import annotations

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict
from etcd_dr.domain.recovery.plan import MemberFact, PlanFacts


def facts_of(assessment: Assessment, *, snapshot_id: str = "") -> PlanFacts:
    """Return the facts of an assessment. `snapshot_id` is the one that is used, as long as it can be used.

    A newer snapshot makes no plan stale; that its own is gone or no longer proven does. Whether a member that answers
    follows a leader changes by itself while an election goes on; what matters of it is in the standing.
    """
    return PlanFacts(
        cluster_id=None if assessment.cluster_id is None else id_text(assessment.cluster_id),
        standing=assessment.standing.value,
        members=tuple(
            MemberFact(name=m.name, node=m.node, verdict=_verdict_text(m), data=_data_text(m))
            for m in assessment.members
        ),
        snapshot_id=snapshot_id,
    )


def _verdict_text(member: MemberAssessment) -> str:
    verdict = member.verdict
    return (MemberVerdict.ANSWERS if verdict is MemberVerdict.HEALTHY else verdict).value


def _data_text(member: MemberAssessment) -> str:
    data = member.data
    if data is None:
        return "unseen"
    if data.is_empty:
        return "empty"
    return "unknown" if data.cluster_id is None else id_text(data.cluster_id)
