"""Make a plan of a candidate: pure, and whole, so that nothing is decided while it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.recovery.afterwards import afterwards
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.facts import facts_of
from etcd_dr.domain.recovery.gentle_plans import repair_steps, start_steps
from etcd_dr.domain.recovery.lost_files import NOTHING_LOST, LostFiles
from etcd_dr.domain.recovery.new_cluster_plan import (
    NewCluster,
    expected_cluster,
    new_cluster_steps,
    survivors_to_copy,
)
from etcd_dr.domain.recovery.plan import Plan, SourceChoice
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.recovery.replacement_plan import replacement_steps
from etcd_dr.domain.recovery.revision_bump import bump_for, estimated_revision
from etcd_dr.domain.recovery.room import room_for
from etcd_dr.domain.recovery.seats import seat_members
from etcd_dr.domain.recovery.step import PutCompanions, Step
from etcd_dr.domain.recovery.versions import fit_versions
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.errors import NothingPossible, UsageError


def make_plan(
    assessment: Assessment,
    candidate: Candidate,
    *,
    catalogue: Catalogue | None,
    stamp: Stamp,
    refused: Sequence[Candidate] = (),
    wishes: Wishes = NO_WISHES,
    lost_files: LostFiles = NOTHING_LOST,
) -> Plan:
    """Return the plan of a candidate that `propose` made of the same assessment and catalogue.

    `refused` are the other candidates, kept for people. Raises NothingPossible for a candidate with an obstacle,
    UsageError for the one that has nothing to do.
    """
    if not candidate.is_possible:
        raise NothingPossible(
            f"{candidate.way} is not possible: {candidate.obstacle}",
            subject=assessment.cluster,
            next_step=f"See what is possible: etcd-dr recover plan --cluster {assessment.cluster}",
        )
    decided = _decide(assessment, candidate, catalogue, stamp, wishes)
    if decided is not None:
        decided = replace(decided, lost_files=lost_files)
    steps = new_cluster_steps(assessment, decided) if decided else _steps(assessment, candidate, catalogue, lost_files)
    restored = frozenset(step.node for step in steps if isinstance(step, PutCompanions))
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
        expected=expected_cluster(decided.seating, decided.token) if decided else None,
        steps=steps,
        afterwards=(
            *lost_files.left_to_people(restored),
            *afterwards(assessment, candidate.way, decided, stamp.recovery_id, knows_store=catalogue is not None),
        ),
        statements=dict(assessment.statements),
    )


def _decide(
    assessment: Assessment, candidate: Candidate, catalogue: Catalogue | None, stamp: Stamp, wishes: Wishes
) -> NewCluster | None:
    if candidate.way is Way.RESTORE:
        snapshot = _snapshot(catalogue, candidate.target)
        return _new_cluster(assessment, snapshot_source(snapshot), stamp, wishes, catalogue, snapshot=snapshot)
    if candidate.way is Way.REBUILD:
        survivor = assessment.member(candidate.target)
        return _new_cluster(assessment, survivor_source(survivor), stamp, wishes, catalogue, survivor=survivor)
    return None


def _new_cluster(
    assessment: Assessment,
    source: SourceChoice,
    stamp: Stamp,
    wishes: Wishes,
    catalogue: Catalogue | None,
    *,
    snapshot: Snapshot | None = None,
    survivor: MemberAssessment | None = None,
) -> NewCluster:
    seating = seat_members(assessment)
    revision = source.revision or 0
    estimated = estimated_revision(catalogue.snapshots, until=assessment.assessed_at) if catalogue else None
    highest = assessment.highest_revision_seen
    bump = 0 if wishes.no_bump else bump_for(file_revision=revision, highest_seen=highest, estimated=estimated)
    return NewCluster(
        source=source,
        seating=seating,
        token=stamp.token,
        bump=bump,
        lowest_revision=revision if wishes.no_bump else max(revision, highest or 0),
        room=room_for(
            assessment,
            seating,
            source_bytes=source.plain_size_bytes or 0,
            copied=survivors_to_copy(assessment, seating),
        ),
        etcdutl_minor=fit_versions(assessment, seating, snapshot, allow_other_minor=wishes.other_minor).minor,
        survivor=survivor,
    )


def snapshot_source(snapshot: Snapshot) -> SourceChoice:
    """Return what is known of a snapshot before it is fetched."""
    manifest, database = snapshot.manifest, snapshot.manifest.database
    return SourceChoice(
        kind="snapshot",
        name=str(snapshot.id),
        revision=database.revision,
        hash_kv=database.hash_kv,
        live_keys=database.live_keys,
        plain_size_bytes=database.size_bytes,
        stored_size_bytes=manifest.stored_size_bytes,
        plain_digest=str(manifest.plain_digest),
        alarms=database.alarms,
        has_trailer=manifest.trailer_digest is not None,
        etcd_version=manifest.source.etcd_version,
    )


def survivor_source(survivor: MemberAssessment) -> SourceChoice:
    """Return what is known of a survivor before its data is taken. Its alarms are: whichever it may hold."""
    return SourceChoice(
        kind="survivor",
        name=survivor.name,
        revision=survivor.revision,
        plain_size_bytes=survivor.database_bytes,
        alarms=("CORRUPT", "NOSPACE"),
        has_trailer=survivor.verdict.answers,
        etcd_version=survivor.version,
    )


def _steps(
    assessment: Assessment, candidate: Candidate, catalogue: Catalogue | None, lost_files: LostFiles
) -> tuple[Step, ...]:
    match candidate.way:
        case Way.START:
            return start_steps(assessment, candidate, takes_snapshot=catalogue is not None)
        case Way.REPAIR:
            return repair_steps(assessment, candidate, takes_snapshot=catalogue is not None)
        case Way.REPLACE:
            return replacement_steps(assessment, candidate, takes_snapshot=catalogue is not None, lost_files=lost_files)
        case _:
            raise UsageError(
                "is healthy: there is nothing to recover",
                subject=assessment.cluster,
                next_step=f"To see that it stays so: etcd-dr health --cluster {assessment.cluster}",
            )


def _snapshot(catalogue: Catalogue | None, snapshot_id: str) -> Snapshot:
    for snapshot in catalogue.snapshots if catalogue else ():
        if str(snapshot.id) == snapshot_id:
            return snapshot
    raise NothingPossible(
        f"snapshot {snapshot_id} is not in the catalogue any more",
        subject=catalogue.cluster if catalogue else "",
        next_step="Make the plan again: etcd-dr recover plan",
    )
