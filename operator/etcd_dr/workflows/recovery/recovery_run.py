"""One run of a recovery, from holding its place and its lock to its report: what running, resuming and aborting share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etcd_dr.domain.recovery.journal import EntryKind, Facts, JournalEntry, RecoveryState
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.report import RecoveryReport, compose_report, report_markdown
from etcd_dr.errors import Cancelled, EtcdDrError, JournalDamaged, PlanStale, StoreError
from etcd_dr.workflows.recovery.hold_lock import HeldLock, acquire_lock, release_lock
from etcd_dr.workflows.recovery.record_progress import OnEntry, Recorder
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts
from etcd_dr.workflows.recovery.run_phases import carry_out_steps
from etcd_dr.workflows.recovery.work import Work

FactsNow = Callable[[], PlanFacts]

_NEWS_AFTER = 10.0
_LEAST_LOOKS = 2  # one may take longer than that, where a node is gone
_LOOK_EVERY = 1.0
_ANEW = "Nothing was done. Make a new plan: etcd-dr recover plan"


@dataclass(frozen=True, slots=True)
class RecoveryOutcome:
    """How a run ended that came to its end. `warnings` are sentences: a lock that is not certain, or was taken over,
    or could not be released; a journal that the store lacks. `lag` is how many entries it lacks."""

    plan: Plan
    state: RecoveryState
    report: RecoveryReport
    warnings: tuple[str, ...]
    lag: int


@dataclass(slots=True)
class RecoveryRun:
    """One run, its place and its lock held."""

    work: Work
    recorder: Recorder
    held: HeldLock | None
    by: str

    def begin(self, facts_now: FactsNow) -> None:
        """Look again, and write the first entry. Raises PlanStale, Cancelled, and what looking raises.

        Then this recovery is over, and the lock free.
        """
        try:
            changes = self._changes(facts_now)
        except EtcdDrError as error:
            self._end_unbegun(f"the last look was not finished: {error}")
            if isinstance(error, Cancelled):
                raise Cancelled(error.message, subject=f"recovery {self.work.recovery_id}", next_step=_ANEW) from error
            raise
        if changes:
            told = f"things have changed since the plan was made: {'; '.join(changes)}"
            self._end_unbegun(told)
            raise PlanStale(
                told,
                subject=f"recovery {self.work.recovery_id}",
                next_step=_ANEW,
            )
        plan = self.work.plan
        self.recorder.write(
            EntryKind.BEGUN, detail=plan.chosen.summary, facts={"plan_digest": str(plan.digest), **self.origin()}
        )

    def _changes(self, facts_now: FactsNow) -> tuple[str, ...]:
        """Return what has changed since the plan was made, and still has after some looks: a pause is no news."""
        clock, pause, looks = self.work.ports.clock, self.work.ports.pause, 0
        begun = clock.monotonic()
        while True:
            changes, looks = self.work.plan.facts.changes(facts_now()), looks + 1
            if not changes or (looks >= _LEAST_LOOKS and clock.monotonic() - begun >= _NEWS_AFTER):
                return changes
            pause(_LOOK_EVERY)

    def _end_unbegun(self, told: str) -> None:
        self.recorder.write(EntryKind.ABORTED, detail=told)
        self._release()

    def leave_as_it_is(self) -> None:
        """Hold no lock for a recovery that is over."""
        if self.recorder.progress.state.is_over:
            self._release()

    def check_digest(self) -> None:
        """Raise JournalDamaged where the plan is not the one that was confirmed."""
        begun = next((e for e in self.recorder.entries if e.kind is EntryKind.BEGUN), None)
        confirmed, plan = begun.facts.get("plan_digest") if begun is not None else None, self.work.plan
        if confirmed != str(plan.digest):
            raise JournalDamaged(
                f"the plan's digest is {plan.digest}, {confirmed} was confirmed",
                subject=f"recovery {plan.recovery_id}",
                next_step="Somebody changed the plan. Take back what was done: "
                f"etcd-dr recover abort {plan.recovery_id}",
            )

    def go_on(self) -> RecoveryOutcome:
        carry_out_steps(self.work, self.recorder)
        self.recorder.write(EntryKind.FINISHED)
        return self.end()

    def end(self) -> RecoveryOutcome:
        """Write the report, remove what is not needed any more, release the lock; all may have been done before."""
        report = compose_report(self.work.plan, self.recorder.entries)
        journal, recovery_id = self.work.ports.journal, self.work.recovery_id
        journal.put_report(recovery_id, "report.json", report.model_dump_json(indent=2).encode())
        journal.put_report(recovery_id, "report.md", report_markdown(report).encode())
        self._tidy()
        warnings = [*self._lock_warnings(), *self._release(), *self._kept()]
        lag = journal.lag
        if lag:
            warnings.append(f"the store lacks the last {lag} journal entries; this machine has all of them")
        state = self.recorder.progress.state
        return RecoveryOutcome(self.work.plan, state, report, tuple(warnings), lag)

    def _tidy(self) -> None:
        """Remove the databases in clear that were made here for this recovery; safety copies stay."""
        for name in ("source", "built"):
            self.work.place.discard(self.work.place.directory / name)

    def origin(self) -> Facts:
        facts: Facts = {"place": self.work.ports.work_places.place}
        if self.held is not None and self.held.taken_from is not None:
            facts["taken_over_from"] = self.held.taken_from.by
        return facts

    def _lock_warnings(self) -> list[str]:
        if self.held is None:
            return ["without the store nobody else was kept from recovering this cluster at the same time"]
        found = []
        if not self.held.is_certain:
            found.append("the store cannot keep two writers apart: the lock was looked at and then put")
        if self.held.taken_from is not None:
            found.append(f"the lock was taken over from {self.held.taken_from.by}")
        return found

    def _release(self) -> list[str]:
        if self.held is None:
            return []
        try:
            _free(self.held, self.work.ports)
        except StoreError as error:
            again = f"etcd-dr recover resume {self.work.recovery_id}"
            return [f"the lock in the store could not be released ({error.message}); release it with: {again}"]
        return []

    def _kept(self) -> list[str]:
        progress = self.recorder.progress
        if progress.state is not RecoveryState.ABORTED:
            return []
        kinds = {step.kind for step in self.work.plan.steps if step.id in progress.touched}
        entries = {entry.step for entry in self.recorder.entries}
        begun = {step.kind for step in self.work.plan.steps if step.id in entries} | kinds
        said = []
        if "accept-cluster-id" in begun:
            said.append("the store's marker keeps both cluster ids")
        if "take-snapshot" in begun:
            said.append("a snapshot of the new cluster may be in the store; it stays there")
        if "talos-wipe" in begun:
            said.append("a node that was wiped stays so; what it had lies in the copies of this recovery")
        if begun & {"talos-bootstrap", "talos-await-members"}:
            said.append("a cluster that was bootstrapped stays; abort changes nothing on Talos nodes")
        if begun & {"remove-member", "talos-remove-member"}:
            said.append("a member that was removed does not come back by itself")
        return said


@contextmanager
def opened_run(
    plan: Plan, ports: RecoveryPorts, *, by: str, take_over: bool, on_entry: OnEntry, must_create: bool = False
) -> Iterator[RecoveryRun]:
    """Hold the place and the lock of a recovery, and read its journal."""
    with ports.work_places.hold(plan.recovery_id) as place:
        held = _lock(plan, ports, by=by, take_over=take_over)
        try:
            if must_create:
                ports.journal.create(plan)
            entries = ports.journal.entries(plan.recovery_id)
        except EtcdDrError:
            if held is not None and held.is_new:
                _free(held, ports)
            raise
        recorder = _recorder(plan, entries, ports, by=by, on_entry=on_entry)
        work = Work(plan, ports, place, by, lambda: recorder.progress)
        yield RecoveryRun(work, recorder, held, by)


def _lock(plan: Plan, ports: RecoveryPorts, *, by: str, take_over: bool) -> HeldLock | None:
    if ports.shared_store is None:
        return None
    wanted = RecoveryLock(
        recovery_id=plan.recovery_id,
        by=by,
        place=ports.work_places.place,
        since=ports.clock.now(),
        plan_digest=str(plan.digest),
    )
    return acquire_lock(ports.shared_store, ports.layout, wanted, take_over=take_over)


def _free(held: HeldLock, ports: RecoveryPorts) -> None:
    if ports.shared_store is not None:
        lock = held.lock.model_copy(update={"released_at": ports.clock.now()})
        release_lock(ports.shared_store, ports.layout, lock)


def _recorder(
    plan: Plan, entries: tuple[JournalEntry, ...], ports: RecoveryPorts, *, by: str, on_entry: OnEntry
) -> Recorder:
    return Recorder(
        plan, entries, journal=ports.journal, clock=ports.clock, events=ports.events, by=by, on_entry=on_entry
    )
