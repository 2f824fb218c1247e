"""Carry out a plan that was confirmed, go on with one that was begun, or take one back.

1. Hold the work place (no second process of this machine), keep the plan, take the lock (nobody elsewhere).
2. Before the first step: look again, and refuse a plan whose facts have changed.
3. The steps (run_phases), each with its entries.
4. Say that it is over, write the report, release the lock.

Whatever ends a run in between leaves a journal and the lock: `resume_recovery` goes on from there, from this directory
or with the store alone, and `abort_recovery` takes back what was begun.
"""

from __future__ import annotations

from etcd_dr.domain.recovery.journal import EntryKind, RecoveryState
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.errors import RecoveryError, UsageError
from etcd_dr.workflows.recovery.hold_lock import read_lock, release_lock
from etcd_dr.workflows.recovery.record_progress import OnEntry
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts
from etcd_dr.workflows.recovery.recovery_run import FactsNow, RecoveryOutcome, opened_run
from etcd_dr.workflows.recovery.run_phases import take_steps_back

__all__ = [
    "FactsNow",
    "RecoveryOutcome",
    "abort_recovery",
    "free_what_never_began",
    "known_plan",
    "lock_without_plan",
    "resume_recovery",
    "run_plan",
]


def run_plan(
    plan: Plan, ports: RecoveryPorts, *, by: str, facts_now: FactsNow, on_entry: OnEntry = lambda _: None
) -> RecoveryOutcome:
    """Carry out a plan from its beginning. Confirmation is the caller's matter.

    Raises RecoveryLocked, PlanStale, StepFailed (the cause chained), HandsNeeded, Cancelled, Busy, and what keeping
    the journal raises. `on_entry` is told of each journal entry, from any thread.
    """
    with opened_run(plan, ports, by=by, take_over=False, on_entry=on_entry, must_create=True) as run:
        if run.recorder.entries:
            run.leave_as_it_is()
            raise _was_begun(plan.recovery_id, run.recorder.progress.state)
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
    with opened_run(plan, ports, by=by, take_over=take_over, on_entry=on_entry) as run:
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
    free_what_never_began(recovery_id, ports)
    plan = known_plan(recovery_id, ports)
    with opened_run(plan, ports, by=by, take_over=take_over, on_entry=on_entry) as run:
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


def lock_without_plan(recovery_id: str, ports: RecoveryPorts) -> RecoveryLock | None:
    """Return the lock that a run took and was killed before it could keep its plan; None where there is none."""
    store = ports.shared_store
    if store is None or ports.journal.plan(recovery_id) is not None:
        return None
    held = read_lock(store, ports.layout)
    return held if held is not None and held.recovery_id == recovery_id else None


def free_what_never_began(recovery_id: str, ports: RecoveryPorts) -> None:
    """Release the lock of a run that was killed before it could keep its plan: nothing was done by it."""
    store, held = ports.shared_store, lock_without_plan(recovery_id, ports)
    if store is not None and held is not None:
        release_lock(store, ports.layout, held.model_copy(update={"released_at": ports.clock.now()}))


def _was_begun(recovery_id: str, state: RecoveryState) -> UsageError:
    """Say how it stands with a plan that is to be run once more; each is carried out once."""
    status = f"etcd-dr recover status {recovery_id}"
    another = "A plan is carried out once; make a new one: etcd-dr recover plan"
    match state:
        case RecoveryState.FINISHED:
            message, next_step = "is finished", f"See its report: {status}\n{another}"
        case RecoveryState.ABORTED:
            message, next_step = "was aborted, and what it had done was taken back", another
        case RecoveryState.ABORTING:
            message, next_step = "is being taken back", f"Finish that: etcd-dr recover abort {recovery_id}"
        case _:
            go_on = f"Go on with it: etcd-dr recover resume {recovery_id}"
            message, next_step = "is under way", f"See how far it is: {status}\n{go_on}"
    return UsageError(message, subject=f"recovery {recovery_id}", next_step=next_step)


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
