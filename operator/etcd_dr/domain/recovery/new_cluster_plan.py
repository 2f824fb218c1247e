"""The plan of a rebuild and of a restore: a new cluster with new ids, from one proven source.

1. look again; fetch the source and prove it, before any node is touched (a stopped survivor's file is taken after 3)
2. stop the writers everywhere, and build the data directories here meanwhile
3. stop etcd everywhere; copy the survivors' data off their nodes
4. set the old data aside, bring the new data, start all members together
5. wait, take back alarms that came with the data, verify
6. bring the writers back in order, let the store know the new id, take the first snapshot
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery import cluster_steps, data_steps, node_steps
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict
from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.identity import expected_ids
from etcd_dr.domain.recovery.lost_files import NOTHING_LOST, LostFiles
from etcd_dr.domain.recovery.plan import ExpectedCluster, ExpectedMember, SourceChoice
from etcd_dr.domain.recovery.room import Room
from etcd_dr.domain.recovery.seats import Seating
from etcd_dr.domain.recovery.step import Step

_LEAST_DEADLINE_SECONDS = 180.0
_MOST_KEYS_PER_SECOND = 30_000  # a fifth of the pace that was measured: a slow disk is no failure


@dataclass(frozen=True, slots=True)
class NewCluster:
    """All that was decided before the steps are written down. `endpoint` of a survivor is empty when it is stopped."""

    source: SourceChoice
    seating: Seating
    token: str
    bump: int
    lowest_revision: int
    room: Room
    etcdutl_minor: str | None
    survivor: MemberAssessment | None = None
    lost_files: LostFiles = NOTHING_LOST


def expected_cluster(seating: Seating, token: str) -> ExpectedCluster:
    """Return the cluster that will come of it, ids included."""
    cluster_id, members = expected_ids(seating.initial_cluster, token)
    return ExpectedCluster(
        token=token,
        cluster_id=id_text(cluster_id),
        members=tuple(
            ExpectedMember(
                name=seat.name,
                node=seat.node,
                id=id_text(members[seat.name]),
                peer_urls=seat.peer_urls,
                client_urls=seat.client_urls,
            )
            for seat in seating.seats
        ),
    )


def new_cluster_steps(assessment: Assessment, decided: NewCluster) -> tuple[Step, ...]:
    """Return the steps in order."""
    draft = Draft()
    data_steps.preflight(
        draft,
        etcdutl_minor=decided.etcdutl_minor,
        local_bytes=decided.room.here,
        node_bytes=decided.room.on_nodes,
    )
    survivor = decided.survivor
    is_stopped = survivor is not None and not survivor.verdict.answers
    if not is_stopped:
        _fetch(draft, decided)
    _fence(draft, decided.seating)
    if not is_stopped:
        _build(draft, decided)
    _stop(draft, decided.seating)
    _copy(draft, assessment, decided.seating)
    if is_stopped:
        _fetch(draft, decided)
        draft.begin_phase()
        _build(draft, decided)
    _replace_data(draft, decided.seating)
    _bring_up(draft, decided)
    _finish(draft, decided)
    return draft.steps


def survivors_to_copy(assessment: Assessment, seating: Seating) -> tuple[MemberAssessment, ...]:
    """Return the members whose data is copied here first: all that is not known to be useless, on nodes that take part.

    A member that is down may be no source and yet a survivor: while its process writes, its file cannot be peeked at.
    """
    nodes = {seat.node for seat in seating.seats}
    return tuple(
        m for m in assessment.members if m.node in nodes and (m.can_be_source or m.verdict is MemberVerdict.DOWN)
    )


def _fetch(draft: Draft, decided: NewCluster) -> None:
    survivor = decided.survivor
    if survivor is None:
        data_steps.fetch_snapshot(draft, decided.source.name)
        return
    endpoint = survivor.endpoint if survivor.verdict.answers else ""
    data_steps.fetch_survivor(draft, member=survivor.name, node=survivor.node, endpoint=endpoint)


def _fence(draft: Draft, seating: Seating) -> None:
    draft.begin_phase()
    for seat in seating.seats:
        if seat.writers:
            node_steps.fence_writers(draft, seat.node, seat.writers)


def _build(draft: Draft, decided: NewCluster) -> None:
    for seat in decided.seating.seats:
        data_steps.build_data(
            draft,
            member=seat.name,
            node=seat.node,
            initial_cluster=decided.seating.initial_cluster,
            token=decided.token,
            bump_revision=decided.bump,
            has_trailer=_has_trailer(decided),
        )


def _has_trailer(decided: NewCluster) -> bool:
    """A stopped member's database file carries none; what a server streamed or a store keeps does."""
    if decided.survivor is not None:
        return decided.survivor.verdict.answers
    return decided.source.has_trailer


def _stop(draft: Draft, seating: Seating) -> None:
    draft.begin_phase()
    for seat in seating.seats:
        node_steps.stop_etcd(draft, seat.node, why="no member of the old cluster may run beside the new one")


def _copy(draft: Draft, assessment: Assessment, seating: Seating) -> None:
    draft.begin_phase()
    for member in survivors_to_copy(assessment, seating):
        node_steps.copy_data(draft, member.node)


def _replace_data(draft: Draft, seating: Seating) -> None:
    draft.begin_phase()
    for seat in seating.seats:
        node_steps.set_data_aside(draft, seat.node)
    draft.begin_phase()
    for seat in seating.seats:
        node_steps.place_data(draft, seat.node, member=seat.name)


def _bring_up(draft: Draft, decided: NewCluster) -> None:
    draft.begin_phase()
    for seat in decided.seating.seats:
        if paths := decided.lost_files.put_back_on(seat.node):
            node_steps.put_companions(draft, seat.node, paths)
    draft.begin_phase()
    for seat in decided.seating.seats:
        node_steps.start_etcd(draft, seat.node, why="all members start together, because each alone has no quorum")
    expected = expected_cluster(decided.seating, decided.token)
    keys = decided.source.live_keys or 0
    cluster_steps.await_cluster(
        draft,
        endpoints=decided.seating.endpoints,
        cluster_id=expected.cluster_id,
        member_ids={member.name: member.id for member in expected.members},
        deadline_seconds=max(_LEAST_DEADLINE_SECONDS, 60 + keys / _MOST_KEYS_PER_SECOND),
    )
    if decided.source.alarms:
        kinds = tuple(sorted({alarm.partition(":")[0] for alarm in decided.source.alarms}))
        cluster_steps.disarm_alarms(draft, kinds, why="it came with the data, raised by a member that no longer exists")
    cluster_steps.verify_cluster(draft, endpoints=decided.seating.endpoints, lowest_revision=decided.lowest_revision)


def _finish(draft: Draft, decided: NewCluster) -> None:
    for seat in decided.seating.seats:
        if seat.writers:
            draft.begin_phase()
            node_steps.lift_fence(draft, seat.node, seat.writers)
    cluster_steps.accept_cluster_id(draft, expected_cluster(decided.seating, decided.token).cluster_id)
    cluster_steps.take_snapshot(draft, why="it is the first restore point of the recovered cluster")
