"""Which members can be started from here: down, with their data, on a node that lets us in."""

from __future__ import annotations

from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict
from etcd_dr.domain.recovery.clues import Cause

_HANDS = (Cause.CERTIFICATE_EXPIRED, Cause.DISK_FULL, Cause.MANIFEST_WRONG)


def startable_members(assessment: Assessment, *, after: Cause = Cause.NONE) -> tuple[MemberAssessment, ...]:
    """Return the members that a plan can start; `after` is a cause that a person has removed by then."""
    return tuple(
        member
        for member in assessment.members
        if member.verdict is MemberVerdict.DOWN and member.node and _is_free(member, after)
    )


def held_back(assessment: Assessment) -> tuple[MemberAssessment, ...]:
    """Return the members with a cause that only a person can remove, whether it keeps them down already or will.

    An expired certificate lets a member go on until it has to connect anew.
    """
    return tuple(m for m in assessment.members if m.cause in _HANDS and not m.verdict.is_lost_for_good)


def _is_free(member: MemberAssessment, after: Cause) -> bool:
    if member.cause in _HANDS:
        return member.cause is after
    return member.launch is not None
