"""One recover command at work: the store, the nodes and the members, opened for as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from etcd_dr import __version__
from etcd_dr.bootstrap.assessment import assess_ports
from etcd_dr.bootstrap.control_plane import open_control_plane
from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.recovery import recovery_journal, recovery_ports
from etcd_dr.bootstrap.stores import layout_of, open_store
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.talos_recovery import is_driven_by_talos, no_driven_nodes, talos_sights
from etcd_dr.bootstrap.tools import etcd_programs, make_restorer
from etcd_dr.config import Target
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import Assessment, Statement
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.journal import JournalProgress
from etcd_dr.domain.recovery.lost_files import NOTHING_LOST, LostFiles
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.entrypoints.cli.place import NAME_FOR_THE_FIRST, name_by_store
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.who import home_directory, whoami
from etcd_dr.errors import EtcdDrError, JournalDamaged, RecoveryError, StoreError
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.find_missing_companions import find_missing_companions
from etcd_dr.workflows.keep_companions import read_companions
from etcd_dr.workflows.recovery.assess_cluster import Survey, assess_cluster
from etcd_dr.workflows.recovery.hold_lock import read_lock
from etcd_dr.workflows.recovery.plan_recovery import PlanAuthor, facts_for, plan_recovery, propose_recovery
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts
from etcd_dr.workflows.try_key import try_key

_FILE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen once, and every way back from there. `lock`: somebody has begun a recovery that has not ended."""

    survey: Survey
    candidates: tuple[Candidate, ...]
    lock: RecoveryLock | None = None

    @property
    def assessment(self) -> Assessment:
        return self.survey.assessment


@dataclass(frozen=True, slots=True)
class Session:
    """`store` None: there is none, or it was wished to go without. `control_plane` None: no nodes are configured."""

    target: Target
    store: ObjectStore | None
    layout: ClusterLayout
    control_plane: ControlPlane | None
    surroundings: Surroundings
    state_dir: Path
    without_store: bool = False

    def look(self, statements: Mapping[str, Statement], wishes: Wishes = NO_WISHES) -> Look:
        """Look at everything and propose. Raises UsageError, SnapshotNotFound, SnapshotAmbiguous."""
        survey = self._survey(statements)
        candidates = propose_recovery(survey, wishes=wishes, tools=self._tools())
        return Look(survey, tuple(self._with_key_tried(c, survey) for c in candidates), self._lock())

    def _with_key_tried(self, candidate: Candidate, survey: Survey) -> Candidate:
        """Say with a way that needs a snapshot whether it opens here: better now than when it is fetched.

        It stays possible where no key is at hand: a plan may be made on one machine and carried out on another.
        """
        found = survey.catalogue.value.snapshots if survey.catalogue.value else ()
        meant = next((s for s in found if candidate.way is Way.RESTORE and str(s.id) == candidate.target), None)
        if meant is None or self.store is None or not meant.manifest.is_encrypted:
            return candidate
        problem = try_key(meant, self.store, self.layout, decoder=lambda: make_decoder(self.target.encryption))
        told = f"it cannot be opened here: {problem}" if problem is not None else "a key at hand opens it"
        return candidate.model_copy(update={"reasons": (*candidate.reasons, told)})

    def _lock(self) -> RecoveryLock | None:
        try:
            return read_lock(self.store, self.layout) if self.store is not None else None
        except EtcdDrError:
            return None  # the run that would need it says so

    def plan(self, look: Look, chosen: Candidate | None, wishes: Wishes) -> Plan:
        """Return the plan of what was chosen, else of what was wished or is recommended. Raises NothingPossible."""
        author = PlanAuthor(whoami(), __version__, self.surroundings.clock, self.surroundings.tokens)
        return plan_recovery(
            look.survey, look.candidates, author=author, chosen=chosen, wishes=wishes, find_lost=self._find_lost
        )

    def _find_lost(self, snapshot: Snapshot) -> LostFiles:
        """Return which of a snapshot's companions the nodes lack, and whether they can be opened here."""
        if self.control_plane is None or self.store is None:
            return NOTHING_LOST
        lacking = find_missing_companions(self.control_plane, snapshot.manifest.companions, deadline=_FILE_SECONDS)
        if not lacking:
            return NOTHING_LOST
        return LostFiles(lacking, can_be_opened=self._opens_companions(self.store, snapshot))

    def _opens_companions(self, store: ObjectStore, snapshot: Snapshot) -> bool:
        facts = snapshot.manifest.companions
        try:
            decoder = make_decoder(self.target.encryption)
            if facts is not None:
                read_companions(store, self.layout, snapshot.id, facts, decoder=decoder)
        except EtcdDrError:
            return False  # they are left to people, and the plan says so
        return facts is not None

    def facts_now(self, plan: Plan) -> PlanFacts:
        """Return the plan's facts as they are now."""
        return facts_for(plan, self._survey(plan.statements))

    def ports(self) -> RecoveryPorts:
        """Return what carries recoveries out. Raises ConfigError where nothing describes the nodes."""
        return recovery_ports(
            self.target,
            self.store,
            self.layout,
            self.surroundings,
            control_plane=self._driven_nodes(),
            restorer=make_restorer(etcd_programs(self.target)),
            state_dir=self.state_dir,
            without_store=self.without_store,
        )

    def journal(self) -> JournalStore:
        """Return where this cluster's recoveries are kept."""
        return recovery_journal(self.store, self.layout, self.surroundings, state_dir=self.state_dir)

    def _survey(self, statements: Mapping[str, Statement]) -> Survey:
        seen = talos_sights(self.target, self.surroundings) if is_driven_by_talos(self.target) else self.control_plane
        ports = assess_ports(self.target, self.store, self.surroundings, control_plane=seen)
        return assess_cluster(ports, self.layout, statements=statements)

    def _driven_nodes(self) -> ControlPlane:
        if is_driven_by_talos(self.target):
            return no_driven_nodes()
        return self.control_plane or open_control_plane(self.target, self.surroundings)

    def _tools(self) -> tuple[EtcdVersion, ...]:
        programs = etcd_programs(self.target)
        found = (*programs.find("etcdutl"), *programs.find("etcdctl"))
        return tuple(program.version for program in found)


@contextmanager
def open_session(run: Run, *, state_dir: Path | None = None, without_store: bool = False) -> Iterator[Session]:
    """Open what the configuration names; a part that it does not name is left out, and the assessment says so.

    A signal cancels the session's surroundings. Answers and pages say what happened, so events are not logged beside.
    """
    target = run.target()
    with ExitStack() as opened:
        surroundings = run.surroundings(opened.enter_context(stopped_by_signals()), with_events=False)
        section = target.store
        store = opened.enter_context(closing(open_store(section, surroundings))) if section is not None else None
        cluster = target.name or _name(target, store, surroundings)
        plane = None
        if target.control_plane is not None:
            plane = opened.enter_context(closing(open_control_plane(target, surroundings)))
        yield Session(
            target=target,
            store=store,
            layout=layout_of(section, cluster) if section is not None else ClusterLayout("", cluster),
            control_plane=plane,
            surroundings=surroundings,
            state_dir=state_dir or target.state_dir or usual_state_dir(run.environment),
            without_store=without_store or store is None,
        )


def usual_state_dir(environment: Mapping[str, str]) -> Path:
    """Return where programs keep what must outlive them (XDG base directory specification, $XDG_STATE_HOME).

    Raises ConfigError where that is below a home directory and none is known.
    """
    said = environment.get("XDG_STATE_HOME", "")
    if os.path.isabs(said):  # noqa: PTH117 - it is text
        return Path(said) / "etcd-dr"
    return home_directory(instead="Name a directory that outlives this: --state-dir DIR") / ".local/state/etcd-dr"


def only_unfinished(journal: JournalStore, said: str | None) -> str:
    """Return the recovery that is meant: the one that was said, else the only one that has not ended.

    Raises RecoveryError. An id that is said is returned even where nothing is known of it.
    """
    known = list(journal.recovery_ids())
    if said is not None:
        meant = [each for each in known if each.startswith(said)]
        return meant[0] if len(meant) == 1 else said
    unfinished = [each for each in known if len(known) == 1 or _is_unfinished(journal, each)]
    if len(unfinished) == 1:
        return unfinished[0]
    if not known:
        raise RecoveryError(
            "no recovery is known",
            subject=journal.place,
            next_step="Begin one: etcd-dr recover run. One that another machine began without the store is known there alone.",
        )
    told = f"{len(unfinished)} have not ended: {', '.join(unfinished)}" if unfinished else "all of them have ended"
    raise RecoveryError(
        f"{len(known)} recoveries are known, and {told}",
        subject=journal.place,
        next_step="Say which one; see them with: etcd-dr recover status",
    )


def _is_unfinished(journal: JournalStore, recovery_id: str) -> bool:
    """A journal that cannot be read is named, not passed over."""
    try:
        return not JournalProgress.of(journal.entries(recovery_id)).state.is_over
    except JournalDamaged:
        return True


def _name(target: Target, store: ObjectStore | None, surroundings: Surroundings) -> str:
    if store is None:
        return NAME_FOR_THE_FIRST
    try:
        return name_by_store(target, store, surroundings)
    except StoreError as error:
        raise RecoveryError(
            f"the cluster has no name here, and the store cannot tell it: {error.message}",
            subject=store.url(),
            next_step="Name it with --cluster NAME, as in the configuration.",
        ) from error
