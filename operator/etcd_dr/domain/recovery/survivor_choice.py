"""Which survivor a rebuild starts from: the one that applied most.

Survivors are compared by the term of what they applied, then the applied index, then the revision: Raft's own order of
whose log is newer, with the revision where a database says nothing else. Members whose data is known to be wrong are
no survivors, and neither is one whose database could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict
from etcd_dr.domain.recovery.wishes import Wishes


@dataclass(frozen=True, slots=True)
class SurvivorChoice:
    """`others` are the remaining survivors, best first; `reasons` compare them."""

    survivor: MemberAssessment | None
    others: tuple[MemberAssessment, ...] = ()
    reasons: tuple[str, ...] = ()
    obstacle: str = ""


def choose_survivor(assessment: Assessment, wishes: Wishes) -> SurvivorChoice:
    """Return the best survivor, or the one that was asked for."""
    found = sorted((m for m in assessment.members if _may_serve(m)), key=_order)
    if not found:
        return SurvivorChoice(None, obstacle="no member's data was seen that could be used")
    if assessment.dispute and not wishes.member:
        return SurvivorChoice(
            None, obstacle=f"{assessment.dispute}; say whose counts: --way rebuild --member {found[0].name}"
        )
    wished = next((m for m in found if m.name == wishes.member), None)
    if wishes.member and wished is None:
        names = ", ".join(m.name for m in found)
        return SurvivorChoice(None, obstacle=f"{wishes.member} is no survivor; there are: {names}")
    best = wished or found[0]
    others = tuple(m for m in found if m is not best)
    return SurvivorChoice(best, others, tuple(_compared(best, other) for other in others))


def _may_serve(member: MemberAssessment) -> bool:
    if not member.can_be_source or member.revision is None or not (member.endpoint or member.launch):
        return False
    version = EtcdVersion.parse(member.version or "")
    return member.verdict is not MemberVerdict.LEARNER or version is None or version.learner_serves_snapshots


def _order(member: MemberAssessment) -> tuple[int, int, int, bool, str]:
    """Best first. Of equals one that answers, since its data comes in one proven stream; then by name."""
    return (
        -(member.raft_term or 0),
        -(member.applied_index or 0),
        -(member.revision or 0),
        not member.verdict.answers,
        member.name,
    )


def _compared(best: MemberAssessment, other: MemberAssessment) -> str:
    return f"{best.name} has {_place(best)}; {other.name} has {_place(other)}"


def _place(member: MemberAssessment) -> str:
    term, index = member.raft_term, member.applied_index
    return f"term {term or 'unknown'}, applied index {index or 'unknown'}, revision {member.revision}"
