"""Which members can be started from here: down, with their data, on a node that lets us in."""

from __future__ import annotations

from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict
from etcd_dr.domain.recovery.clues import Cause

_HANDS = (Cause.CERTIFICATE_EXPIRED, Cause.DISK_FULL, Cause.MANIFEST_WRONG)


def startable_members(assessment: Assessment, *, with_causes: bool = False) -> tuple[MemberAssessment, ...]:
    """Return the members that a plan can start; `with_causes`: also those that a cause keeps down until removed."""
    return tuple(
        member
        for member in assessment.members
        if member.verdict is MemberVerdict.DOWN
        and member.launch is not None
        and (with_causes or member.cause not in _HANDS)
    )


def held_back(assessment: Assessment) -> tuple[MemberAssessment, ...]:
    """Return the members that are down for a cause that only a person can remove."""
    return tuple(m for m in assessment.members if not m.verdict.answers and m.cause in _HANDS)
