"""What the members' verdicts mean for the quorum.

- Held is what etcd itself says; it needs no look at a node.
- Otherwise it is arithmetic on voters: those that could vote again, those that are lost, and those that nobody knows.
- Lost for good only when even all unknown ones together with the rest would be no majority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etcd_dr.domain.cluster import quorum_size
from etcd_dr.domain.recovery.assessment import MemberAssessment, MemberVerdict, QuorumStanding


@dataclass(frozen=True, slots=True)
class StandingVerdict:
    standing: QuorumStanding
    reason: str
    would_tell: tuple[str, ...] = ()


def judge_standing(members: Sequence[MemberAssessment], *, is_held: bool, held_because: str) -> StandingVerdict:
    """Return the verdict on the quorum."""
    voters = [member for member in members if member.is_voter]
    if is_held:
        return StandingVerdict(QuorumStanding.HELD, held_because)
    if not voters:
        return StandingVerdict(
            QuorumStanding.CANNOT_TELL,
            "nothing says who the voters are",
            ("Name the nodes or the endpoints in the configuration, or give access to the store: etcd-dr members",),
        )
    needed = quorum_size(len(voters))
    able = [m for m in voters if m.verdict.may_vote_again]
    lost = [m for m in voters if m.verdict.is_lost_for_good]
    unknown = [m for m in voters if m not in able and m not in lost]
    counted = f"{len(voters)} voters, {needed} needed: {_names(able, 'with their data')}, {_names(lost, 'lost')}"
    if unknown:
        counted += f", {_names(unknown, 'unknown')}"
    if len(able) >= needed:
        return StandingVerdict(QuorumStanding.MAY_RETURN, counted)
    if len(voters) - len(lost) < needed:
        return StandingVerdict(QuorumStanding.LOST_FOR_GOOD, counted)
    return StandingVerdict(QuorumStanding.CANNOT_TELL, counted, tuple(_would_tell(m) for m in unknown))


def _names(members: Sequence[MemberAssessment], word: str) -> str:
    named = f" ({', '.join(member.name for member in members)})" if members else ""
    return f"{len(members)} {word}{named}"


def _would_tell(member: MemberAssessment) -> str:
    where = f"node {member.node}" if member.node else "the node it ran on"
    said = f"if it can never come back, say so: --lost {member.name}; if its disk is safe: --intact {member.name}"
    if member.verdict is MemberVerdict.UNKNOWN and not member.node:
        return f"{member.name}: name {where} in the configuration so that it can be looked at, or {said}"
    return f"{member.name}: make {where} reachable so that it can be looked at (etcd-dr doctor), or {said}"


def quorum_returns_with(members: Sequence[MemberAssessment], started: Sequence[MemberAssessment]) -> bool:
    """Tell whether the voters that answer make a quorum together with those that are started."""
    voters = [member for member in members if member.is_voter]
    able = [m for m in voters if m.verdict.answers or m in started]
    return bool(voters) and len(able) >= quorum_size(len(voters))
