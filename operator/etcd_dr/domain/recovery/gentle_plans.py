"""The plans that touch no data: start what is down, remove a cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery import cluster_steps, data_steps, node_steps
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.candidate import Candidate
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.startable import startable_members
from etcd_dr.domain.recovery.step import Step

_START_DEADLINE_SECONDS = 180.0
_ONLY_STOPPED = "its data is intact; it was only not running"


def start_steps(assessment: Assessment, candidate: Candidate, *, takes_snapshot: bool) -> tuple[Step, ...]:
    """Return the steps that start what is down and has its data, all at once."""
    draft = Draft()
    data_steps.preflight(draft)
    for instruction in candidate.needs_hands:
        cluster_steps.by_hand(draft, node="", instruction=instruction)
    members = startable_members(assessment)
    draft.begin_phase()
    for member in members:
        why = "its process runs and says nothing: it is waited for" if member.is_silent else _ONLY_STOPPED
        node_steps.start_etcd(draft, member.node, why=why)
    _see_it_through(draft, assessment, members, takes_snapshot=takes_snapshot)
    return draft.steps


def repair_steps(assessment: Assessment, candidate: Candidate, *, takes_snapshot: bool) -> tuple[Step, ...]:
    """Return the steps that remove the candidate's cause (its target)."""
    draft = Draft()
    data_steps.preflight(draft)
    cause = Cause(candidate.target)
    match cause:
        case Cause.NO_SPACE:
            _free_space(draft, assessment)
        case Cause.FALSE_CORRUPT:
            cluster_steps.disarm_alarms(
                draft, ("CORRUPT",), why="its hash equals the majority's: the alarm is a false one (etcd-io/etcd#18274)"
            )
        case _:
            for instruction in candidate.needs_hands:
                node, _, rest = instruction.partition(": ")
                known = any(member.node == node for member in assessment.members)
                cluster_steps.by_hand(draft, node=node if known else "", instruction=rest if known else instruction)
    members = startable_members(assessment, after=cause)
    draft.begin_phase()
    for member in members:
        node_steps.start_etcd(draft, member.node, why="its data is intact; what kept it down was removed")
    _see_it_through(draft, assessment, members, takes_snapshot=takes_snapshot)
    return draft.steps


def serving_members(assessment: Assessment, started: Sequence[MemberAssessment]) -> tuple[MemberAssessment, ...]:
    """Return the voters that are to serve afterwards: those that do, and those that are started."""
    names = {member.name for member in started}
    return tuple(m for m in assessment.voters if (m.verdict.answers or m.name in names) and m.endpoint)


def absent_ids(assessment: Assessment, serving: Collection[str]) -> tuple[str, ...]:
    """Return the ids of listed members that are not waited for."""
    return tuple(id_text(m.id) for m in assessment.members if m.id is not None and m.name not in serving)


def _free_space(draft: Draft, assessment: Assessment) -> None:
    """Compact, defragment followers before the leader, and take the alarm back only then, or it comes again."""
    cluster_steps.compact_history(draft)
    answering = [m for m in assessment.members if m.verdict.answers and m.endpoint]
    for member in sorted(answering, key=lambda m: m.is_leader):
        cluster_steps.defragment_member(draft, member=member.name, endpoint=member.endpoint)
    cluster_steps.disarm_alarms(draft, ("NOSPACE",), why="there is room again; until then every write is refused")


def _see_it_through(
    draft: Draft, assessment: Assessment, started: Sequence[MemberAssessment], *, takes_snapshot: bool
) -> None:
    serving = serving_members(assessment, started)
    endpoints = [member.endpoint for member in serving]
    cluster_steps.await_cluster(
        draft,
        endpoints=endpoints,
        cluster_id=None if assessment.cluster_id is None else id_text(assessment.cluster_id),
        member_ids={m.name: id_text(m.id) for m in serving if m.id is not None},
        may_be_absent=absent_ids(assessment, [member.name for member in serving]),
        deadline_seconds=_START_DEADLINE_SECONDS,
    )
    cluster_steps.verify_cluster(draft, endpoints=endpoints, lowest_revision=lowest_live(assessment))
    if takes_snapshot:
        cluster_steps.take_snapshot(draft, why="what was nearly lost is saved first")


def lowest_live(assessment: Assessment) -> int:
    """Return the revision that the living cluster must have at least: the highest that its own members show."""
    return max((m.revision or 0 for m in assessment.members if m.verdict.may_vote_again), default=0)
