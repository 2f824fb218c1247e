"""Which survivor a rebuild starts from: the one that applied most.

- What a member applied was committed, and is the same everywhere up to that index (Raft, state machine safety): so the
  applied index decides, then the term, then the revision. The term does not come first: a live member tells the current
  one, which rises with every election that it tries alone.
- Where a database does not say its index (etcd 3.4 and older), revisions are compared.
- Members whose data is known to be wrong are no survivors. One whose database could not be read may be one, and is
  told (`unread`): nobody knows what it has.
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
    unread: tuple[MemberAssessment, ...] = ()


def choose_survivor(assessment: Assessment, wishes: Wishes) -> SurvivorChoice:
    """Return the best survivor, or the one that was asked for."""
    found = [m for m in assessment.members if _may_serve(m)]
    unread = tuple(m for m in assessment.members if m.verdict is MemberVerdict.DOWN and m not in found)
    if not found:
        return SurvivorChoice(None, obstacle=_why_none(unread), unread=unread)
    knows_index = all(m.applied_index is not None for m in found)
    found.sort(key=lambda member: _order(member, knows_index=knows_index))
    if assessment.dispute and not wishes.member:
        told = f"{assessment.dispute}; say whose counts: --way rebuild --member {found[0].name}"
        return SurvivorChoice(None, obstacle=told, unread=unread)
    wished = next((m for m in found if m.name == wishes.member), None)
    if wishes.member and wished is None:
        names = ", ".join(m.name for m in found)
        return SurvivorChoice(None, obstacle=f"{wishes.member} is no survivor; there are: {names}", unread=unread)
    best = wished or found[0]
    others = tuple(m for m in found if m is not best)
    return SurvivorChoice(best, others, tuple(_compared(best, other) for other in others), unread=unread)


def unread_reasons(choice: SurvivorChoice) -> tuple[str, ...]:
    """Return what would make more of members whose data is there and could not be read."""
    return tuple(
        f"{m.name} has data that could not be read: stop etcd on {m.node} and make the plan again, it may have more"
        for m in choice.unread
    )


def _why_none(unread: tuple[MemberAssessment, ...]) -> str:
    if unread:
        return f"the data of {', '.join(m.name for m in unread)} could not be read: stop etcd there, and plan again"
    return "no member's data was seen that could be used"


def _may_serve(member: MemberAssessment) -> bool:
    if not member.can_be_source or member.revision is None or not (member.endpoint or member.launch):
        return False
    version = EtcdVersion.parse(member.version or "")
    return member.verdict is not MemberVerdict.LEARNER or version is None or version.learner_serves_snapshots


def _order(member: MemberAssessment, *, knows_index: bool) -> tuple[int, int, int, bool, str]:
    """Best first. Of equals one that answers, since its data comes in one proven stream; then by name."""
    index = (member.applied_index or 0) if knows_index else 0
    term = (member.raft_term or 0) if knows_index else 0
    return (-index, -term, -(member.revision or 0), not member.verdict.answers, member.name)


def _compared(best: MemberAssessment, other: MemberAssessment) -> str:
    return f"{best.name} has {_place(best)}; {other.name} has {_place(other)}"


def _place(member: MemberAssessment) -> str:
    term, index = member.raft_term, member.applied_index
    return f"term {term or 'unknown'}, applied index {index or 'unknown'}, revision {member.revision}"
