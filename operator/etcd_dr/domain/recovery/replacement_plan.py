"""The plan that replaces one member while the quorum lives.

Stop it, remove it, set its data aside, add it again as a learner, start it as one that joins, let it vote once it has
caught up. The others go on serving all the while, so no writer is stopped.
"""

from __future__ import annotations

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery import cluster_steps, data_steps, node_steps
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.candidate import Candidate
from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.gentle_plans import absent_ids, lowest_live
from etcd_dr.domain.recovery.lost_files import NOTHING_LOST, LostFiles
from etcd_dr.domain.recovery.room import WAL_BYTES
from etcd_dr.domain.recovery.step import Step

_LEAST_DEADLINE_SECONDS = 300.0
_SLOWEST_CATCH_UP = 10_000_000  # bytes per second that a learner receives on a bad day


def replacement_steps(
    assessment: Assessment, candidate: Candidate, *, takes_snapshot: bool, lost_files: LostFiles = NOTHING_LOST
) -> tuple[Step, ...]:
    """Return the steps for the member that the candidate names."""
    member = assessment.member(candidate.target)
    joins = joined_list(assessment, member)
    name = launched_name(member)
    size = max((m.database_bytes or 0 for m in assessment.members if m.verdict.answers), default=0)
    draft = Draft()
    data_steps.preflight(draft, node_bytes={member.node: size + WAL_BYTES})
    # A member that answers with wrong data might be the one that is asked for it.
    if takes_snapshot and not member.is_live:
        cluster_steps.take_snapshot(draft, why="while a member is replaced the cluster can lose one less")
    draft.begin_phase()
    node_steps.stop_etcd(draft, member.node, why="a removed member must not run on")
    if member.id is not None:
        cluster_steps.remove_member(draft, member=name, member_id=id_text(member.id))
    draft.begin_phase()
    node_steps.set_data_aside(draft, member.node)
    cluster_steps.add_learner(draft, member=name, peer_urls=joins[name])
    if paths := lost_files.put_back_on(member.node):
        draft.begin_phase()
        node_steps.put_companions(draft, member.node, paths)
    draft.begin_phase()
    node_steps.start_etcd(draft, member.node, why="it receives all data from the leader", joins=joins)
    deadline = max(_LEAST_DEADLINE_SECONDS, size / _SLOWEST_CATCH_UP)
    cluster_steps.promote_learner(draft, member=name, peer_urls=joins[name], deadline_seconds=deadline)
    _verify(draft, assessment, member)
    if takes_snapshot:
        cluster_steps.take_snapshot(draft, why="it shows that the cluster can be saved as it is now")
    return draft.steps


def joined_list(assessment: Assessment, member: MemberAssessment) -> dict[str, tuple[str, ...]]:
    """Return what the member is started with: every listed member's peer URLs by name, its own by its launch."""
    launch = member.launch
    own = launch.peer_urls if launch is not None and launch.peer_urls else member.peer_urls
    others = {m.name: m.peer_urls for m in assessment.members if m.id is not None and m.name != member.name}
    return others | {launched_name(member): own}


def launched_name(member: MemberAssessment) -> str:
    """Return the name that the node starts etcd with; a learner that never started has no other."""
    return member.launch.member_name if member.launch is not None and member.launch.member_name else member.name


def _verify(draft: Draft, assessment: Assessment, member: MemberAssessment) -> None:
    others = [m for m in assessment.voters if m.verdict.answers and m.name != member.name and m.endpoint]
    own = member.endpoint or next(iter(member.launch.client_urls if member.launch else ()), "")
    endpoints = [m.endpoint for m in others] + ([own] if own else [])
    cluster_steps.await_cluster(
        draft,
        endpoints=endpoints,
        cluster_id=None if assessment.cluster_id is None else id_text(assessment.cluster_id),
        member_ids={m.name: id_text(m.id) for m in others if m.id is not None},
        may_be_absent=absent_ids(assessment, [m.name for m in (*others, member)]),
        deadline_seconds=_LEAST_DEADLINE_SECONDS,
    )
    alarms = sorted({kind for kind in member.alarms if kind == "CORRUPT"})
    if alarms:
        cluster_steps.disarm_alarms(draft, alarms, why="the member that it spoke of is gone, its alarm is not")
    cluster_steps.verify_cluster(draft, endpoints=endpoints, lowest_revision=lowest_live(assessment))
