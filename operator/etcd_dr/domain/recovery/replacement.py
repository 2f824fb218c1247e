"""The way of replacing members one by one while the quorum lives.

- One candidate for each member; after one is done the cluster is looked at again.
- Never when too few healthy voters would be left, never the leader, never while it is disputed whose data is right.
- A member whose data merely waits to be started is started, not replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text, quorum_size
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, NodeEffect, Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.losses import NO_LOSS
from etcd_dr.domain.recovery.rates import Rates
from etcd_dr.domain.recovery.room import WAL_BYTES, megabytes, short_of

_LEARNER_CAUSES = (Cause.LEARNER_STUCK, Cause.LEARNER_BEHIND)


def replacements(assessment: Assessment, rates: Rates) -> Iterator[Candidate]:
    """Yield one way for each member that could be replaced, voters first; one with its obstacle where none could."""
    members = [m for m in assessment.members if _is_replaceable(assessment, m)]
    for member in sorted(members, key=lambda m: (not m.is_voter, _obstacle(assessment, m) != "", m.name)):
        yield _candidate(assessment, member, rates)
    if not members:
        yield Candidate(
            way=Way.REPLACE,
            summary="replace failed members one by one",
            obstacle="no member needs to be replaced",
            loss=NO_LOSS,
        )


def _is_replaceable(assessment: Assessment, member: MemberAssessment) -> bool:
    if member.id is None:
        return assessment.standing is QuorumStanding.HELD and bool(member.node) and not member.verdict.answers
    return member.verdict.is_lost_for_good or member.cause in _LEARNER_CAUSES


def _candidate(assessment: Assessment, member: MemberAssessment, rates: Rates) -> Candidate:
    size = max((m.database_bytes or 0 for m in assessment.members if m.verdict.answers), default=0)
    act = f"replace {member.name}" if member.id is not None else f"add node {member.node} as a member"
    aside = "its data is set aside, " if member.verdict is not MemberVerdict.WIPED else ""
    return Candidate(
        way=Way.REPLACE,
        target=member.name,
        summary=f"{act}: it joins empty, catches up as a learner, and votes then",
        reasons=tuple(member.evidence[-1:]),
        obstacle=_obstacle(assessment, member),
        loss=NO_LOSS,
        expected_seconds=rates.stop_seconds + rates.serve_seconds(keys=None) + size / rates.place_bytes_per_second,
        effects=(
            NodeEffect(node=member.node or member.name, effect=f"{aside}it receives {megabytes(size)} from the leader"),
        ),
        needs_hands=_by_hand(member) if not member.node or member.sight.value is None else (),
    )


def _by_hand(member: MemberAssessment) -> tuple[str, ...]:
    remove = f"etcdctl member remove {id_text(member.id)}" if member.id is not None else "etcdctl member list"
    return (
        (
            f"if {member.name} never comes back: {remove}; then put a new node in its place, name it in the configuration, "
            "and make a plan again"
        ),
    )


def _obstacle(assessment: Assessment, member: MemberAssessment) -> str:
    if assessment.standing is not QuorumStanding.HELD:
        return "members can only be replaced through the quorum, which is not held"
    if assessment.dispute:
        return assessment.dispute
    return _why_not_from_cluster(assessment, member) or _why_not_from_node(assessment, member)


def _why_not_from_cluster(assessment: Assessment, member: MemberAssessment) -> str:
    if member.is_leader:
        return f"{member.name} is the leader: move the lead first (etcdctl move-leader), then make a plan again"
    if member.id is None or not member.is_voter:
        return ""
    left = [m for m in assessment.voters if m.name != member.name]
    healthy = [m for m in left if m.verdict is MemberVerdict.HEALTHY]
    needed = quorum_size(len(left))
    if left and len(healthy) >= needed:
        return ""
    return f"without {member.name} {len(healthy)} of {len(left)} voters would be healthy; {needed} are needed"


def _why_not_from_node(assessment: Assessment, member: MemberAssessment) -> str:
    launch = member.launch
    if launch is None:
        return _why_not_seen(member)
    if launch.problem:
        return f"etcd on {member.node} cannot be started as a member that joins: {launch.problem}"
    listed = [m for m in assessment.members if m.id is not None and m.name != member.name]
    unknown = [m.name for m in listed if not m.peer_urls]
    if not (launch.peer_urls or member.peer_urls):
        unknown.append(member.name)
    if unknown:
        return f"no peer URL is known for {', '.join(unknown)}"
    size = max((m.database_bytes or 0 for m in assessment.members if m.verdict.answers), default=0)
    return "; ".join(short_of(assessment, {member.node: size + WAL_BYTES}))


def _why_not_seen(member: MemberAssessment) -> str:
    if not member.node:
        return "no configured node is known to run it"
    if member.sight.value is None:
        return f"its node {member.node} cannot be reached"
    return f"nothing on {member.node} says how etcd is started"
