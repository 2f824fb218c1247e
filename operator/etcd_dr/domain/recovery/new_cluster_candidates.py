"""The two ways that make a new cluster: from the best survivor, and from a snapshot.

Both are for a quorum that is lost for good. What the other way would lose is told with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.etcd_programs import choose_version
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, Loss, NodeEffect, Way
from etcd_dr.domain.recovery.losses import rebuild_loss, restore_loss
from etcd_dr.domain.recovery.new_cluster_plan import survivors_to_copy
from etcd_dr.domain.recovery.rates import Rates
from etcd_dr.domain.recovery.revision_bump import revisions_per_second
from etcd_dr.domain.recovery.room import room_for
from etcd_dr.domain.recovery.seats import Seating, seat_members
from etcd_dr.domain.recovery.snapshot_choice import SnapshotChoice, choose_snapshot
from etcd_dr.domain.recovery.survivor_choice import SurvivorChoice, choose_survivor, unread_reasons
from etcd_dr.domain.recovery.versions import VersionFit, fit_versions
from etcd_dr.domain.recovery.wishes import Wishes

_UNKNOWN_LOSS = Loss(text="not to be told without a source")


@dataclass(frozen=True, slots=True)
class NewClusterWays:
    """Both candidates, and whether the survivor has everything that the snapshot has."""

    rebuild: Candidate
    restore: Candidate
    is_survivor_newer: bool
    has_unread: bool = False


def new_cluster_ways(
    assessment: Assessment,
    catalogue: Answer[Catalogue],
    *,
    rates: Rates,
    wishes: Wishes,
    tools: Sequence[EtcdVersion] | None,
) -> NewClusterWays:
    """Return both ways. Raises SnapshotNotFound, SnapshotAmbiguous where a wish names no snapshot."""
    choice = _choose_snapshot(assessment, catalogue, wishes)
    survivors = choose_survivor(assessment, wishes)
    case = _Case(assessment, seat_members(assessment), rates, wishes, tools)
    snapshots = catalogue.value.snapshots if catalogue.value else ()
    return NewClusterWays(
        rebuild=_rebuild(case, survivors, choice.snapshot),
        restore=_restore(case, choice, survivors, snapshots),
        is_survivor_newer=_is_newer(survivors.survivor, choice.snapshot),
        has_unread=bool(survivors.unread),
    )


@dataclass(frozen=True, slots=True)
class _Case:
    assessment: Assessment
    seating: Seating
    rates: Rates
    wishes: Wishes
    tools: Sequence[EtcdVersion] | None

    def obstacle(self, fit: VersionFit, *, source_bytes: int) -> str:
        """Return what stands against any new cluster on these nodes."""
        must_bump = not self.wishes.no_bump
        if self.seating.obstacle:
            return self.seating.obstacle
        if fit.obstacle:
            return fit.obstacle
        if self.tools is not None and choose_version(self.tools, fit.server, must_bump=must_bump) is None:
            there = ", ".join(map(str, sorted(self.tools))) or "none"
            ability = " that can raise revisions (from 3.4.27 and 3.5.10 on)" if must_bump else ""
            return f"no etcdutl of the nodes' minor {fit.minor or ''}{ability} is at hand here; there is {there}"
        copied = survivors_to_copy(self.assessment, self.seating)
        room = room_for(self.assessment, self.seating, source_bytes=source_bytes, copied=copied)
        return "; ".join(room.short)

    def seconds(self, *, source_seconds: float, plain_bytes: int, keys: int | None) -> float:
        """Return how long it takes on top of having the source."""
        rates, members = self.rates, len(self.seating.seats)
        built = rates.build_seconds(plain_bytes=plain_bytes, members=members)
        placed = plain_bytes * members / rates.place_bytes_per_second
        before = rates.fence_seconds + rates.stop_seconds
        after = rates.serve_seconds(keys=keys) + plain_bytes / rates.snapshot_bytes_per_second
        return source_seconds + max(built, rates.fence_seconds) + before + placed + after

    @property
    def effects(self) -> tuple[NodeEffect, ...]:
        wiped = {m.name for m in self.assessment.members if m.verdict is MemberVerdict.WIPED}
        return tuple(
            NodeEffect(
                node=seat.node,
                effect=("its writers and etcd are stopped" if seat.writers else "etcd is stopped")
                + ("" if seat.name in wiped else ", its data is set aside")
                + f", {seat.name} starts from new data",
            )
            for seat in self.seating.seats
        )


def _choose_snapshot(assessment: Assessment, catalogue: Answer[Catalogue], wishes: Wishes) -> SnapshotChoice:
    if catalogue.value is None:
        why = str(catalogue.failure) if catalogue.failure else "no store is configured"
        return SnapshotChoice(None, obstacle=f"the store could not be asked: {why}")
    return choose_snapshot(catalogue.value, known_cluster_ids=assessment.known_cluster_ids, wishes=wishes)


def _rebuild(case: _Case, choice: SurvivorChoice, snapshot: Snapshot | None) -> Candidate:
    assessment, survivor = case.assessment, choice.survivor
    if survivor is None:
        return Candidate(
            way=Way.REBUILD,
            summary="build a new cluster from the data of a survivor",
            obstacle=_not_lost(assessment, roll_back=False) or choice.obstacle,
            loss=_UNKNOWN_LOSS,
            needs_hands=_stopping(choice) if assessment.standing is QuorumStanding.LOST_FOR_GOOD else (),
        )
    size = survivor.database_bytes or 0
    fit = fit_versions(assessment, case.seating, None, allow_other_minor=True)
    taking = size / case.rates.snapshot_bytes_per_second
    return Candidate(
        way=Way.REBUILD,
        target=survivor.name,
        summary=f"build a new cluster from the data of {survivor.name}, at revision {survivor.revision}",
        reasons=_told(
            choice.reasons,
            unread_reasons(choice),
            _against_snapshot(survivor, snapshot),
            (fit.note,),
            case.seating.left_out,
        ),
        obstacle=_not_lost(assessment, roll_back=False) or case.obstacle(fit, source_bytes=size),
        loss=rebuild_loss(assessment, survivor),
        expected_seconds=case.seconds(source_seconds=taking, plain_bytes=size, keys=None),
        effects=case.effects,
    )


def _restore(
    case: _Case, choice: SnapshotChoice, survivors: SurvivorChoice, snapshots: Sequence[Snapshot]
) -> Candidate:
    assessment, snapshot = case.assessment, choice.snapshot
    compared = _against_snapshot(survivors.survivor, snapshot)
    not_lost = _not_lost(assessment, roll_back=case.wishes.roll_back)
    if snapshot is None:
        return Candidate(
            way=Way.RESTORE,
            summary="build a new cluster from a proven snapshot",
            obstacle=not_lost or choice.obstacle,
            loss=_UNKNOWN_LOSS,
        )
    database = snapshot.manifest.database
    fit = fit_versions(assessment, case.seating, snapshot, allow_other_minor=case.wishes.other_minor)
    fetching = case.rates.fetch_seconds(
        stored_bytes=snapshot.manifest.stored_size_bytes, plain_bytes=database.size_bytes
    )
    return Candidate(
        way=Way.RESTORE,
        target=str(snapshot.id),
        summary=f"build a new cluster from snapshot {snapshot.id}, at revision {database.revision}",
        reasons=_told(
            choice.reasons,
            compared,
            unread_reasons(survivors),
            _stranger_reasons(assessment),
            (fit.note,),
            case.seating.left_out,
        ),
        obstacle=not_lost or choice.obstacle or case.obstacle(fit, source_bytes=database.size_bytes),
        loss=restore_loss(assessment, snapshot, pace=revisions_per_second(snapshots)),
        expected_seconds=case.seconds(
            source_seconds=fetching, plain_bytes=database.size_bytes, keys=database.live_keys
        ),
        effects=case.effects,
    )


def _stopping(choice: SurvivorChoice) -> tuple[str, ...]:
    """Return how the data of members that run and say nothing can be read after all."""
    return tuple(
        f"stop etcd on {m.node} (systemctl stop etcd; kubeadm: mv /etc/kubernetes/manifests/etcd.yaml /root/), and make the "
        "plan again: while it runs its data cannot be read, and it may have more than any snapshot"
        for m in choice.unread
    )


def _not_lost(assessment: Assessment, *, roll_back: bool) -> str:
    """Return why no new cluster is made while the old one lives, may live, or may be alive for all we know."""
    match assessment.standing:
        case _ if assessment.blinded:
            return assessment.blinded
        case QuorumStanding.LOST_FOR_GOOD:
            return ""
        case QuorumStanding.HELD:
            return "" if roll_back else "the quorum is held: a new cluster would throw away what it has"
        case QuorumStanding.MAY_RETURN:
            return "a majority has its data: start it, and nothing is lost"
        case QuorumStanding.CANNOT_TELL:
            return f"it is not known whether the quorum is lost: {assessment.reason}"


def _is_newer(survivor: MemberAssessment | None, snapshot: Snapshot | None) -> bool:
    if survivor is None or snapshot is None:
        return survivor is not None
    return (survivor.revision or 0) >= snapshot.manifest.database.revision


def _against_snapshot(survivor: MemberAssessment | None, snapshot: Snapshot | None) -> tuple[str, ...]:
    if survivor is None or snapshot is None:
        return ()
    ahead = (survivor.revision or 0) - snapshot.manifest.database.revision
    if ahead == 0:
        return (f"{survivor.name} and snapshot {snapshot.id} are at the same revision",)
    if ahead > 0:
        return (f"{survivor.name} is {ahead} revisions ahead of snapshot {snapshot.id}",)
    return (f"snapshot {snapshot.id} is {-ahead} revisions ahead of the best survivor, {survivor.name}",)


def _stranger_reasons(assessment: Assessment) -> tuple[str, ...]:
    return tuple(
        f"{m.evidence[-1]}; make sure that this is the right store, and say so: --way restore"
        for m in assessment.strangers
    )


def _told(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(sentence for group in groups for sentence in group if sentence)
