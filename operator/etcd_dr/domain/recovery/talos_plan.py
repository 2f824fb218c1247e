"""Make a plan on Talos of a candidate that `propose_on_talos` made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery import cluster_steps, data_steps, talos_steps
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.facts import facts_of
from etcd_dr.domain.recovery.gentle_plans import absent_ids, lowest_live
from etcd_dr.domain.recovery.new_cluster_plan import expected_cluster
from etcd_dr.domain.recovery.plan import Plan, SourceChoice
from etcd_dr.domain.recovery.plan_making import snapshot_source, survivor_source
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.recovery.revision_bump import bump_for, estimated_revision
from etcd_dr.domain.recovery.room import WAL_BYTES
from etcd_dr.domain.recovery.seats import Seat, Seating, seat_members
from etcd_dr.domain.recovery.step import Step
from etcd_dr.domain.recovery.talos_afterwards import talos_afterwards
from etcd_dr.domain.recovery.talos_candidates import restarted
from etcd_dr.domain.recovery.talos_obstacles import bytes_on_target, talos_of, target_seat
from etcd_dr.domain.recovery.versions import fit_versions
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.errors import NothingPossible, UsageError

_RESTORE_SECONDS = 1200.0  # pulling the image after a wipe, restoring, and etcd's own start
_RESTORE_SECONDS_PER_GIB = 600.0
_GIB = 1 << 30
_TOKEN = ""  # Talos restores without a token (internal/app/machined/pkg/system/services/etcd.go)


@dataclass(frozen=True, slots=True)
class _NewCluster:
    source: SourceChoice
    seating: Seating
    target: Seat
    bump: int
    lowest_revision: int
    minor: str | None
    survivor: MemberAssessment | None


def make_talos_plan(
    assessment: Assessment,
    candidate: Candidate,
    *,
    catalogue: Catalogue | None,
    stamp: Stamp,
    refused: Sequence[Candidate] = (),
    wishes: Wishes = NO_WISHES,
) -> Plan:
    """Return the plan; as `make_plan` does elsewhere. Raises NothingPossible, UsageError."""
    if not candidate.is_possible:
        raise NothingPossible(
            f"{candidate.way} is not possible: {candidate.obstacle}",
            subject=assessment.cluster,
            next_step=f"See what is possible: etcd-dr recover plan --cluster {assessment.cluster}",
        )
    decided = _decide(assessment, candidate, catalogue, wishes)
    takes_snapshot = catalogue is not None
    return Plan(
        recovery_id=stamp.recovery_id,
        cluster=assessment.cluster,
        platform=assessment.platform,
        made_at=stamp.made_at,
        made_by=stamp.made_by,
        tool_version=stamp.tool_version,
        chosen=candidate,
        refused=tuple(refused),
        facts=facts_of(assessment, snapshot_id=candidate.target if candidate.way is Way.RESTORE else ""),
        highest_revision_seen=assessment.highest_revision_seen,
        source=decided.source if decided else None,
        expected=expected_cluster(Seating((decided.target,)), _TOKEN) if decided else None,
        steps=_new_cluster_steps(assessment, decided)
        if decided
        else _gentle_steps(assessment, candidate, takes_snapshot=takes_snapshot),
        afterwards=talos_afterwards(assessment, candidate.way, seat_members(assessment)),
        statements=dict(assessment.statements),
    )


def _decide(
    assessment: Assessment, candidate: Candidate, catalogue: Catalogue | None, wishes: Wishes
) -> _NewCluster | None:
    if candidate.way not in (Way.RESTORE, Way.REBUILD):
        return None
    snapshot = _snapshot(catalogue, candidate.target) if candidate.way is Way.RESTORE else None
    survivor = None if snapshot is not None else assessment.member(candidate.target)
    source = snapshot_source(snapshot) if snapshot is not None else survivor_source(assessment.member(candidate.target))
    seating = seat_members(assessment)
    target, problem = target_seat(assessment, seating, source_bytes=source.plain_size_bytes or 0)
    if target is None:
        raise NothingPossible(problem, subject=assessment.cluster)
    revision, highest = source.revision or 0, assessment.highest_revision_seen
    estimated = estimated_revision(catalogue.snapshots, until=assessment.assessed_at) if catalogue else None
    bump = 0 if wishes.no_bump else bump_for(file_revision=revision, highest_seen=highest, estimated=estimated)
    return _NewCluster(
        source=source,
        seating=seating,
        target=target,
        bump=bump,
        lowest_revision=revision if wishes.no_bump else max(revision, highest or 0),
        minor=fit_versions(assessment, seating, snapshot, allow_other_minor=True).minor,
        survivor=survivor,
    )


def _new_cluster_steps(assessment: Assessment, decided: _NewCluster) -> tuple[Step, ...]:
    draft, nodes = Draft(), [seat.node for seat in decided.seating.seats]
    with_data = [m for m in assessment.members if m.node in nodes and m.data is not None and not m.data.is_empty]
    size = decided.source.plain_size_bytes or 0
    talos_steps.preflight(
        draft,
        nodes=nodes,
        target=decided.target.node,
        target_bytes=bytes_on_target(size),
        local_bytes=4 * size + 2 * WAL_BYTES + sum((m.database_bytes or 0) + 4 * WAL_BYTES for m in with_data),
        etcdutl_minor=decided.minor,
    )
    _prepare(draft, decided)
    draft.begin_phase()
    for member in with_data:
        talos_steps.copy_data(draft, member.node)
    draft.begin_phase()
    for member in with_data:
        talos_steps.wipe(draft, member.node, labels=_labels(member))
    talos_steps.await_ready(draft, nodes)
    others = [node for node in nodes if node != decided.target.node]
    talos_steps.bootstrap(
        draft,
        node=decided.target.node,
        member=decided.target.name,
        labels=_labels(next(m for m in assessment.members if m.node == decided.target.node)),
        others=others,
        deadline_seconds=_RESTORE_SECONDS + _RESTORE_SECONDS_PER_GIB * size / _GIB,
    )
    if others:
        talos_steps.await_members(draft, via=decided.target.node, nodes=others)
    talos_steps.verify(draft, nodes=nodes, lowest_revision=decided.lowest_revision)
    cluster_steps.take_snapshot(draft, why="it is the first restore point of the recovered cluster")
    return draft.steps


def _prepare(draft: Draft, decided: _NewCluster) -> None:
    survivor, target = decided.survivor, decided.target
    if survivor is None:
        data_steps.fetch_snapshot(draft, decided.source.name)
    else:
        endpoint = survivor.endpoint if survivor.verdict.answers else ""
        data_steps.fetch_survivor(draft, member=survivor.name, node=survivor.node, endpoint=endpoint)
    draft.begin_phase()
    data_steps.build_data(
        draft,
        member=target.name,
        node=target.node,
        initial_cluster={target.name: target.peer_urls},
        token=_TOKEN,
        bump_revision=decided.bump,
        has_trailer=decided.source.has_trailer,
    )


def _gentle_steps(assessment: Assessment, candidate: Candidate, *, takes_snapshot: bool) -> tuple[Step, ...]:
    match candidate.way:
        case Way.START:
            return _start_steps(assessment, takes_snapshot=takes_snapshot)
        case Way.REPAIR:
            return _repair_steps(assessment, candidate, takes_snapshot=takes_snapshot)
        case Way.REPLACE:
            return _replace_steps(assessment, assessment.member(candidate.target), takes_snapshot=takes_snapshot)
        case _:
            raise UsageError(
                "is healthy: there is nothing to recover",
                subject=assessment.cluster,
                next_step=f"To see that it stays so: etcd-dr health --cluster {assessment.cluster}",
            )


def _start_steps(assessment: Assessment, *, takes_snapshot: bool) -> tuple[Step, ...]:
    draft, started = Draft(), restarted(assessment)
    nodes = [member.node for member in started]
    serving = [m for m in assessment.voters if m.node and (m.verdict.answers or m in started)]
    _check_that_somebody_serves(assessment, serving)
    talos_steps.preflight(draft, nodes=nodes)
    draft.begin_phase()
    for node in nodes:
        talos_steps.reboot(draft, node)
    absent = absent_ids(assessment, [member.name for member in serving])
    talos_steps.await_members(draft, via=serving[0].node, nodes=nodes, may_be_absent=absent)
    talos_steps.verify(draft, nodes=[m.node for m in serving], lowest_revision=lowest_live(assessment))
    if takes_snapshot:
        cluster_steps.take_snapshot(draft, why="what was nearly lost is saved first")
    return draft.steps


def _repair_steps(assessment: Assessment, candidate: Candidate, *, takes_snapshot: bool) -> tuple[Step, ...]:
    """Make room on followers before the leader, and take the alarm back only then, or it comes again.

    No preflight: it asks for os:admin, and these calls need os:operator alone.
    """
    draft = Draft()
    answering = [m for m in assessment.members if m.verdict.answers and m.node]
    _check_that_somebody_serves(assessment, answering)
    via = [m.node for m in answering]
    if candidate.target == Cause.NO_SPACE.value:
        talos_steps.compact(draft)
        for member in sorted(answering, key=lambda m: m.is_leader):
            talos_steps.defragment(draft, node=member.node, member=member.name)
        why = "there is room again; until then every write is refused"
        talos_steps.disarm(draft, ("NOSPACE",), via=via, why=why)
    else:
        why = "its hash equals the majority's: the alarm is a false one (etcd-io/etcd#18274)"
        talos_steps.disarm(draft, ("CORRUPT",), via=via, why=why)
    talos_steps.verify(draft, nodes=via, lowest_revision=lowest_live(assessment))
    if takes_snapshot:
        cluster_steps.take_snapshot(draft, why="what was nearly lost is saved first")
    return draft.steps


def _replace_steps(assessment: Assessment, member: MemberAssessment, *, takes_snapshot: bool) -> tuple[Step, ...]:
    draft = Draft()
    others = [m for m in assessment.voters if m.verdict.answers and m.node and m.name != member.name]
    _check_that_somebody_serves(assessment, others)
    via = [m.node for m in others]
    has_data = member.data is not None and not member.data.is_empty
    talos_steps.preflight(draft, nodes=[member.node, *via])
    if takes_snapshot:
        cluster_steps.take_snapshot(draft, why="while a member is replaced the cluster can lose one less")
    if has_data:
        draft.begin_phase()
        talos_steps.copy_data(draft, member.node)
    if member.id is not None:
        talos_steps.remove_member(draft, member=member.name, member_id=id_text(member.id), via=via)
    if has_data:
        draft.begin_phase()
        talos_steps.wipe(draft, member.node, labels=_labels(member))
    absent = absent_ids(assessment, [m.name for m in (*others, member)])
    talos_steps.await_members(draft, via=via[0], nodes=[member.node], may_be_absent=absent)
    talos_steps.verify(draft, nodes=[*via, member.node], lowest_revision=lowest_live(assessment))
    return draft.steps


def _check_that_somebody_serves(assessment: Assessment, serving: Sequence[MemberAssessment]) -> None:
    """Raise NothingPossible where no configured node runs a member through which the others can be followed."""
    if not serving:
        raise NothingPossible(
            "no configured node runs a member that serves",
            subject=assessment.cluster,
            next_step="Name all control plane nodes with --nodes IP,IP,IP or in talos.nodes of the configuration.",
        )


def _labels(member: MemberAssessment) -> tuple[str, ...]:
    told = talos_of(member)
    return told.wipe_labels if told is not None else ("EPHEMERAL",)


def _snapshot(catalogue: Catalogue | None, snapshot_id: str) -> Snapshot:
    found = next((s for s in (catalogue.snapshots if catalogue else ()) if str(s.id) == snapshot_id), None)
    if found is None:
        raise NothingPossible(f"snapshot {snapshot_id} is not in the catalogue", subject=snapshot_id)
    return found
