"""Carry out a plan that was confirmed, go on with one that was begun, or take one back.

1. Hold the work place (no second process of this machine), keep the plan, take the lock (nobody elsewhere).
2. Before the first step: look again, and refuse a plan whose facts have changed.
3. The steps (run_phases), each with its entries.
4. Say that it is over, write the report, release the lock.

Whatever ends a run in between leaves a journal and the lock: `resume_recovery` goes on from there, from this directory
or with the store alone, and `abort_recovery` takes back what was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etcd_dr.domain.recovery.journal import EntryKind, Facts, JournalEntry, RecoveryState
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.report import RecoveryReport, compose_report, report_markdown
from etcd_dr.errors import JournalDamaged, PlanStale, RecoveryError, StoreError, UsageError
from etcd_dr.workflows.recovery.hold_lock import HeldLock, acquire_lock, release_lock
from etcd_dr.workflows.recovery.record_progress import OnEntry, Recorder
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts
from etcd_dr.workflows.recovery.run_phases import carry_out_steps, take_steps_back
from etcd_dr.workflows.recovery.work import Work

FactsNow = Callable[[], PlanFacts]


@dataclass(frozen=True, slots=True)
class RecoveryOutcome:
    """How a run ended that came to its end. `warnings` are sentences: a lock that is not certain, or was taken over,
    or could not be released; a journal that the store lacks. `lag` is how many entries it lacks."""

    plan: Plan
    state: RecoveryState
    report: RecoveryReport
    warnings: tuple[str, ...]
    lag: int


def run_plan(
    plan: Plan, ports: RecoveryPorts, *, by: str, facts_now: FactsNow, on_entry: OnEntry = lambda _: None
) -> RecoveryOutcome:
    """Carry out a plan from its beginning. Confirmation is the caller's matter.

    Raises RecoveryLocked, PlanStale, StepFailed (the cause chained), HandsNeeded, Cancelled, Busy, and what keeping
    the journal raises. `on_entry` is told of each journal entry, from any thread.
    """
    with _opened(plan, ports, by=by, take_over=False, on_entry=on_entry, must_create=True) as run:
        if run.recorder.entries:
            raise UsageError(
                "was begun already",
                subject=f"recovery {plan.recovery_id}",
                next_step=f"Go on with it: etcd-dr recover resume {plan.recovery_id}\nOr make a new plan.",
            )
        run.begin(facts_now)
        return run.go_on()


def resume_recovery(
    recovery_id: str,
    ports: RecoveryPorts,
    *,
    by: str,
    facts_now: FactsNow,
    take_over: bool = False,
    on_entry: OnEntry = lambda _: None,
) -> RecoveryOutcome:
    """Go on with a recovery that was begun, from this machine or another one.

    `take_over` is the explicit wish to go on in the place of whoever holds the lock. A recovery that is over is only
    tidied: its report is written again and its lock released. Raises as `run_plan` does, and UsageError for one that
    is being aborted.
    """
    plan = known_plan(recovery_id, ports)
    with _opened(plan, ports, by=by, take_over=take_over, on_entry=on_entry) as run:
        state = run.recorder.progress.state
        if state.is_over:
            return run.end()
        if state is RecoveryState.ABORTING:
            raise UsageError(
                "is being taken back",
                subject=f"recovery {recovery_id}",
                next_step=f"Finish that: etcd-dr recover abort {recovery_id}",
            )
        if state is RecoveryState.NEW:
            run.begin(facts_now)
        else:
            run.check_digest()
            run.recorder.write(EntryKind.RESUMED, facts=run.origin())
        return run.go_on()


def abort_recovery(
    recovery_id: str, ports: RecoveryPorts, *, by: str, take_over: bool = False, on_entry: OnEntry = lambda _: None
) -> RecoveryOutcome:
    """Take back what a recovery has begun, in reverse; it may be called again until it comes to its end.

    What cannot be taken back (the store's marker keeps both cluster ids, a snapshot stays) is in the warnings. Raises
    UsageError for a finished recovery, otherwise as `run_plan` does.
    """
    plan = known_plan(recovery_id, ports)
    with _opened(plan, ports, by=by, take_over=take_over, on_entry=on_entry) as run:
        state = run.recorder.progress.state
        if state is RecoveryState.ABORTED:
            return run.end()
        if state is RecoveryState.FINISHED:
            run.end()
            raise UsageError(
                "is finished: the cluster has new data since then, which going back would lose",
                subject=f"recovery {recovery_id}",
                next_step="The old data still lies aside on the nodes; see the report: "
                f"etcd-dr recover status {recovery_id}",
            )
        if state is not RecoveryState.ABORTING:
            run.recorder.write(EntryKind.ABORTING, facts=run.origin())
        take_steps_back(run.work, run.recorder)
        run.recorder.write(EntryKind.ABORTED)
        return run.end()


def known_plan(recovery_id: str, ports: RecoveryPorts) -> Plan:
    """Return the plan of a recovery. Raises RecoveryError where neither this machine nor the store knows it."""
    plan = ports.journal.plan(recovery_id)
    if plan is None:
        known = ", ".join(ports.journal.recovery_ids()) or "none"
        raise RecoveryError(
            f"is not known in {ports.journal.place}; known: {known}",
            subject=f"recovery {recovery_id}",
            next_step="List them with: etcd-dr recover status",
        )
    return plan


@dataclass(slots=True)
class _Run:
    """One run, its place and its lock held."""

    work: Work
    recorder: Recorder
    held: HeldLock | None
    by: str

    def begin(self, facts_now: FactsNow) -> None:
        """Look again, and write the first entry. Raises PlanStale; then the lock is free again."""
        changes = self.work.plan.facts.changes(facts_now())
        if changes:
            self._release()
            raise PlanStale(
                f"things have changed since the plan was made: {'; '.join(changes)}",
                subject=f"recovery {self.work.recovery_id}",
                next_step="Nothing was done. Make a new plan: etcd-dr recover plan",
            )
        plan = self.work.plan
        self.recorder.write(
            EntryKind.BEGUN, detail=plan.chosen.summary, facts={"plan_digest": str(plan.digest), **self.origin()}
        )

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
        store = self.work.ports.shared_store
        if store is None or self.held is None:
            return []
        lock = self.held.lock.model_copy(update={"released_at": self.work.ports.clock.now()})
        try:
            release_lock(store, self.work.ports.layout, lock)
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
        if "remove-member" in begun:
            said.append("a member that was removed does not come back by itself")
        return said


@contextmanager
def _opened(
    plan: Plan, ports: RecoveryPorts, *, by: str, take_over: bool, on_entry: OnEntry, must_create: bool = False
) -> Iterator[_Run]:
    """Hold the place and the lock of a recovery, and read its journal."""
    with ports.work_places.hold(plan.recovery_id) as place:
        if must_create:
            ports.journal.create(plan)
        held = _lock(plan, ports, by=by, take_over=take_over)
        entries = ports.journal.entries(plan.recovery_id)
        recorder = _recorder(plan, entries, ports, by=by, on_entry=on_entry)
        work = Work(plan, ports, place, by, lambda: recorder.progress)
        yield _Run(work, recorder, held, by)


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


def _recorder(
    plan: Plan, entries: tuple[JournalEntry, ...], ports: RecoveryPorts, *, by: str, on_entry: OnEntry
) -> Recorder:
    return Recorder(
        plan, entries, journal=ports.journal, clock=ports.clock, events=ports.events, by=by, on_entry=on_entry
    )
