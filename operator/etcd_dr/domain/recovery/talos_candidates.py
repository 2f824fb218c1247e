"""The ways back on Talos, most gentle first, with at most one recommended.

- The same ways as elsewhere, with other means: a node is rebooted rather than its etcd started, wiped rather than its
  data set aside, and the others join by themselves.
- A wipe cannot be taken back. So a cluster that serves is never wiped from here, not even by wish.
- Talos does not tell how far a running member is. A survivor counts as newer than a snapshot unless something shows
  that it is not; what it has is known before anything is wiped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.etcd_programs import choose_version
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, Loss, NodeEffect, Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.gentle_candidates import alarm_repairs, nothing
from etcd_dr.domain.recovery.losses import NO_LOSS, rebuild_loss, restore_loss
from etcd_dr.domain.recovery.rates import Rates
from etcd_dr.domain.recovery.replacement import replacements
from etcd_dr.domain.recovery.revision_bump import revisions_per_second
from etcd_dr.domain.recovery.seats import seat_members
from etcd_dr.domain.recovery.snapshot_choice import SnapshotChoice, choose_snapshot
from etcd_dr.domain.recovery.standing import quorum_returns_with
from etcd_dr.domain.recovery.talos_obstacles import target_seat, two_clusters, unseen, wrong_machines
from etcd_dr.domain.recovery.versions import VersionFit, fit_versions
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes

_WIPED = "its EPHEMERAL partition is wiped, pods, images and local volumes with it; this cannot be taken back"
_NO_COMPACTION = (
    "Talos' API cannot compact: with etcd's certificates configured beside it the history goes too, else only space that "
    "was freed before comes back"
)
_UNKNOWN_LOSS = Loss(text="not to be told without a source")


def propose_on_talos(
    assessment: Assessment,
    catalogue: Answer[Catalogue],
    *,
    wishes: Wishes = NO_WISHES,
    tools: Sequence[EtcdVersion] | None = None,
) -> tuple[Candidate, ...]:
    """Return every way, gentlest first. Raises SnapshotNotFound, SnapshotAmbiguous where a wish names no snapshot."""
    case = _Case(assessment, wishes, tools)
    snapshots = catalogue.value.snapshots if catalogue.value else ()
    choice = _choose(assessment, catalogue, wishes)
    survivor = best_survivor(assessment, wishes.member)
    rebuild, restore = case.rebuild(survivor), case.restore(choice, snapshots)
    found = [nothing(assessment), case.start(), *case.repairs(), *case.replace(), rebuild, restore]
    order = (rebuild, restore) if _is_newer(survivor, choice.snapshot) else (restore, rebuild)
    best = _recommended(assessment, found, order)
    return tuple(c.model_copy(update={"is_recommended": True}) if c is best else c for c in found)


def best_survivor(assessment: Assessment, wished: str = "") -> MemberAssessment | None:
    """Return the member to rebuild from: one that answers before one that does not, then by what it applied."""
    found = [
        m
        for m in assessment.members
        if m.node
        and (
            m.verdict is MemberVerdict.ANSWERS
            or (m.verdict is MemberVerdict.DOWN and m.data is not None and bool(m.data.database_bytes))
        )
    ]
    found.sort(key=lambda m: (not m.verdict.answers, -(m.applied_index or 0), -(m.revision or 0), m.name))
    if wished:
        return next((m for m in found if m.name == wished), None)
    return next(iter(found), None)


def restarted(assessment: Assessment) -> tuple[MemberAssessment, ...]:
    """Return the members whose node is rebooted by the way of starting: down, with their data, and seen."""
    return tuple(m for m in assessment.members if m.verdict is MemberVerdict.DOWN and m.node)


@dataclass(frozen=True, slots=True)
class _Case:
    assessment: Assessment
    wishes: Wishes
    tools: Sequence[EtcdVersion] | None

    def start(self) -> Candidate:
        members = restarted(self.assessment)
        held = self.assessment.standing is QuorumStanding.HELD
        obstacle = two_clusters(self.assessment)
        if not members:
            obstacle = obstacle or "no node that was seen is down with its data"
        elif not held and not quorum_returns_with(self.assessment.members, members):
            obstacle = obstacle or f"even then there is no quorum: {self.assessment.reason}"
        return Candidate(
            way=Way.START,
            target=",".join(m.name for m in members),
            summary=f"reboot {', '.join(m.node for m in members)}: the data is there, and Talos starts etcd when it boots"
            if members
            else "reboot what is down with its data",
            reasons=tuple(m.evidence[-1] for m in members if m.evidence),
            obstacle=obstacle,
            loss=NO_LOSS,
            effects=tuple(NodeEffect(node=m.node, effect="it is rebooted; its data is not touched") for m in members),
        )

    def repairs(self) -> Iterator[Candidate]:
        """Yield one way for each alarm that can be taken back; one with its obstacle where there is none."""
        kinds = self.assessment.alarms
        several = f"Talos takes back all alarms at once, and there are {' and '.join(kinds)}" if len(kinds) > 1 else ""
        found = []
        for candidate in alarm_repairs(self.assessment, Rates()):
            unreached = [m.name for m in self.assessment.members if m.verdict.answers and not m.node]
            unseen_node = f"{', '.join(unreached)} runs on no configured node" if unreached else ""
            against = candidate.obstacle or two_clusters(self.assessment) or several or unseen_node
            update: dict[str, object] = {"obstacle": against, "expected_seconds": None}
            if candidate.target == Cause.NO_SPACE.value:
                update["reasons"] = (*candidate.reasons, _NO_COMPACTION)
            found.append(candidate.model_copy(update=update))
        yield from found or [
            Candidate(
                way=Way.REPAIR,
                summary="take an alarm back",
                obstacle="no alarm is raised that could be taken back",
                loss=NO_LOSS,
            )
        ]

    def replace(self) -> Iterator[Candidate]:
        against = two_clusters(self.assessment) or "; ".join(wrong_machines(self.assessment))
        for candidate in replacements(_with_learners_as_stuck(self.assessment), Rates()):
            node = candidate.effects[0].node if candidate.effects else ""
            member = next((m for m in self.assessment.members if m.name == candidate.target), None)
            has_data = member is not None and member.data is not None and not member.data.is_empty
            effect = f"{_WIPED}; " if has_data else ""
            effects = (NodeEffect(node=node, effect=f"{effect}it joins by itself as a learner"),) if node else ()
            update = {"obstacle": candidate.obstacle or against, "effects": effects, "expected_seconds": None}
            yield candidate.model_copy(update=update)

    def rebuild(self, survivor: MemberAssessment | None) -> Candidate:
        if survivor is None:
            told = f"{self.wishes.member} is no survivor" if self.wishes.member else "no member's data was seen"
            return Candidate(
                way=Way.REBUILD,
                summary="make a new cluster from the data of a survivor",
                obstacle=self._not_lost() or f"{told} that could be used",
                loss=_UNKNOWN_LOSS,
            )
        size = survivor.database_bytes or 0
        seating = seat_members(self.assessment)
        fit = fit_versions(self.assessment, seating, None, allow_other_minor=True)
        at = f", at revision {survivor.revision}" if survivor.revision else ""
        unknown = "nothing that can be seen; how far it is, is known once its data is here, before anything is wiped"
        return Candidate(
            way=Way.REBUILD,
            target=survivor.name,
            summary=f"make a new cluster from the data of {survivor.name}{at}",
            reasons=tuple(told for told in (*survivor.evidence[-1:], fit.note, *seating.left_out) if told),
            obstacle=self._not_lost() or self._against(fit, source_bytes=size),
            loss=rebuild_loss(self.assessment, survivor) if survivor.revision else Loss(text=unknown),
            effects=self._effects(),
        )

    def restore(self, choice: SnapshotChoice, snapshots: Sequence[Snapshot]) -> Candidate:
        snapshot = choice.snapshot
        if snapshot is None:
            return Candidate(
                way=Way.RESTORE,
                summary="make a new cluster from a proven snapshot",
                obstacle=self._not_lost() or choice.obstacle,
                loss=_UNKNOWN_LOSS,
            )
        database, seating = snapshot.manifest.database, seat_members(self.assessment)
        fit = fit_versions(self.assessment, seating, snapshot, allow_other_minor=self.wishes.other_minor)
        against = self._not_lost() or choice.obstacle or self._against(fit, source_bytes=database.size_bytes)
        return Candidate(
            way=Way.RESTORE,
            target=str(snapshot.id),
            summary=f"make a new cluster from snapshot {snapshot.id}, at revision {database.revision}",
            reasons=tuple(told for told in (*choice.reasons, fit.note, *seating.left_out) if told),
            obstacle=against,
            loss=restore_loss(self.assessment, snapshot, pace=revisions_per_second(snapshots)),
            effects=self._effects(),
        )

    def _against(self, fit: VersionFit, *, source_bytes: int) -> str:
        """Return what stands against a new cluster on these nodes."""
        seating, assessment = seat_members(self.assessment), self.assessment
        told = [
            two_clusters(assessment),
            *wrong_machines(assessment),
            *unseen(assessment),
            seating.obstacle,
            fit.obstacle,
        ]
        must_bump = not self.wishes.no_bump
        if self.tools is not None and choose_version(self.tools, fit.server, must_bump=must_bump) is None:
            there = ", ".join(map(str, sorted(self.tools))) or "none"
            told.append(f"no etcdutl of the nodes' minor {fit.minor or ''} is at hand here; there is {there}")
        told.append(target_seat(assessment, seating, source_bytes=source_bytes)[1] if seating.seats else "")
        return "; ".join(each for each in told if each)

    def _not_lost(self) -> str:
        match self.assessment.standing:
            case QuorumStanding.LOST_FOR_GOOD:
                return ""
            case QuorumStanding.HELD:
                return (
                    "the quorum is held, and a wipe cannot be taken back: a cluster that serves is not wiped from here"
                )
            case QuorumStanding.MAY_RETURN:
                return "a majority has its data: bring its nodes back, and nothing is lost"
            case QuorumStanding.CANNOT_TELL:
                return f"it is not known whether the quorum is lost: {self.assessment.reason}"

    def _effects(self) -> tuple[NodeEffect, ...]:
        seating = seat_members(self.assessment)
        effects = []
        for seat in seating.seats:
            member = next(m for m in self.assessment.members if m.node == seat.node)
            has_data = member.data is not None and not member.data.is_empty
            before = f"{_WIPED}; its data is copied here first; " if has_data else "it is empty already; "
            effects.append(NodeEffect(node=seat.node, effect=f"{before}{seat.name} starts from new data"))
        return tuple(effects)


def _with_learners_as_stuck(assessment: Assessment) -> Assessment:
    """Return the assessment with every learner replaceable: nothing in Talos' API promotes one that stays behind.

    It is replaced where somebody says so; ten minutes are Talos' own limit for promoting it.
    """
    members = tuple(
        replace(m, cause=Cause.LEARNER_STUCK) if m.verdict is MemberVerdict.LEARNER and not m.cause else m
        for m in assessment.members
    )
    return replace(assessment, members=members)


def _choose(assessment: Assessment, catalogue: Answer[Catalogue], wishes: Wishes) -> SnapshotChoice:
    if catalogue.value is None:
        why = str(catalogue.failure) if catalogue.failure else "no store is configured"
        return SnapshotChoice(None, obstacle=f"the store could not be asked: {why}")
    return choose_snapshot(catalogue.value, known_cluster_ids=assessment.known_cluster_ids, wishes=wishes)


def _is_newer(survivor: MemberAssessment | None, snapshot: Snapshot | None) -> bool:
    if survivor is None or snapshot is None:
        return survivor is not None
    if survivor.revision:
        return survivor.revision >= snapshot.manifest.database.revision
    written = survivor.data.written_at if survivor.data is not None else None
    return survivor.verdict.answers or written is None or written >= snapshot.taken_at


def _recommended(
    assessment: Assessment, candidates: Sequence[Candidate], new_clusters: Sequence[Candidate]
) -> Candidate | None:
    if assessment.dispute or two_clusters(assessment):
        return None
    match assessment.standing:
        case QuorumStanding.HELD:
            lost = [c for c in candidates if c.way is not Way.REPLACE or _is_lost(assessment, c.target)]
            return _first(lost, Way.NOTHING, Way.REPAIR, Way.START, Way.REPLACE)
        case QuorumStanding.MAY_RETURN:
            return _first(candidates, Way.START)
        case QuorumStanding.LOST_FOR_GOOD:
            return next((c for c in new_clusters if c.is_possible), None)
        case QuorumStanding.CANNOT_TELL:
            return None


def _is_lost(assessment: Assessment, name: str) -> bool:
    return any(m.name == name and m.verdict.is_lost_for_good for m in assessment.members)


def _first(candidates: Sequence[Candidate], *ways: Way) -> Candidate | None:
    possible = [c for c in candidates if c.is_possible]
    return next((c for way in ways for c in possible if c.way is way), None)
