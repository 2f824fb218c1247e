"""Carry out steps, or take them back, phase by phase, with a journal entry before and after each.

- The steps of one phase run side by side. One that fails does not disturb the others in mid-step; the next phase is
  not begun.
- A wish to stop is heard between steps and in every wait. What was cut off is carried out again by the next run.
- What a step made on this machine is made again when it is still needed and not here: a run may go on elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from etcd_dr.domain.recovery.journal import EntryKind, Facts
from etcd_dr.domain.recovery.step import BuildData, FetchSnapshot, FetchSurvivor, PlaceData, Step
from etcd_dr.domain.recovery.talos_step import TalosBootstrap
from etcd_dr.errors import Cancelled, EtcdDrError, HandsNeeded, StepFailed
from etcd_dr.workflows.recovery.record_progress import Recorder
from etcd_dr.workflows.recovery.steps import procedure_for
from etcd_dr.workflows.recovery.work import Work

Failure = tuple[Step, EtcdDrError]


def carry_out_steps(work: Work, recorder: Recorder) -> None:
    """Carry out every step that is not done. Raises StepFailed, HandsNeeded, Cancelled, Busy."""
    wanted = _wanted(work, recorder)
    for phase in _phases([step for step in work.plan.steps if step.id in wanted]):
        _run_phase(phase, work, recorder, _carry_out, resume="resume")


def take_steps_back(work: Work, recorder: Recorder) -> None:
    """Take back, last phase first, every step that was begun. Raises StepFailed, Cancelled, Busy."""
    touched = set(recorder.progress.touched)
    begun = [step for step in work.plan.steps if step.id in touched and procedure_for(step).undo is not None]
    for phase in reversed(_phases(begun)):
        _run_phase(phase, work, recorder, _take_back, resume="abort")


def _phases(steps: Sequence[Step]) -> list[list[Step]]:
    return [list(group) for _, group in groupby(steps, key=lambda step: step.phase)]


def _wanted(work: Work, recorder: Recorder) -> frozenset[str]:
    """Return the steps to carry out: those not done, and those whose work is needed and not here any more."""
    done = recorder.progress.done
    wanted = {step.id for step in work.plan.steps if step.id not in done}
    unplaced = {
        step.member for step in work.plan.steps if isinstance(step, PlaceData | TalosBootstrap) and step.id in wanted
    }
    for step in work.plan.steps:
        if isinstance(step, BuildData) and step.member in unplaced and not _holds(step, work):
            wanted.add(step.id)
    if any(isinstance(step, BuildData) and step.id in wanted for step in work.plan.steps):
        wanted |= {
            step.id
            for step in work.plan.steps
            if isinstance(step, FetchSnapshot | FetchSurvivor) and step.id in done and not _holds(step, work)
        }
    return frozenset(wanted)


def _holds(step: Step, work: Work) -> bool:
    holds = procedure_for(step).holds
    return holds is None or holds(step, work)


def _run_phase(
    steps: list[Step], work: Work, recorder: Recorder, run: Callable[[Step, Work, Recorder], None], *, resume: str
) -> None:
    _stop_if_asked(work, recorder, resume=resume)
    width = min(len(steps), work.ports.limits.parallel_steps)
    failures: list[Failure] = []

    def one(step: Step) -> None:
        if work.ports.cancellation.is_cancelled:
            return
        try:
            run(step, work, recorder)
        except _OfTheStep as failure:
            failures.append((step, failure.error))

    with ThreadPoolExecutor(width, thread_name_prefix="step") as pool:
        for ended in [pool.submit(one, step) for step in steps]:
            ended.result()
    _raise_first(failures, work, recorder, resume=resume)


class _OfTheStep(Exception):
    """What a step itself raised, told apart from what keeping the journal raised."""

    def __init__(self, error: EtcdDrError) -> None:
        super().__init__(str(error))
        self.error = error


def _carry_out(step: Step, work: Work, recorder: Recorder) -> None:
    recorder.write(EntryKind.INTENT, step=step, detail=step.title)
    facts, seconds = _timed(lambda: procedure_for(step).carry_out(step, work), step, work, recorder)
    recorder.write(EntryKind.DONE, step=step, seconds=seconds, facts=facts)


def _take_back(step: Step, work: Work, recorder: Recorder) -> None:
    undo = procedure_for(step).undo
    if undo is None:
        return
    recorder.write(EntryKind.UNDO_INTENT, step=step, detail=step.undo or step.title)
    facts, seconds = _timed(lambda: undo(step, work), step, work, recorder)
    recorder.write(EntryKind.UNDONE, step=step, seconds=seconds, facts=facts)


def _timed(act: Callable[[], Facts], step: Step, work: Work, recorder: Recorder) -> tuple[Facts, float]:
    clock = work.ports.clock
    begun = clock.monotonic()
    try:
        return act(), clock.monotonic() - begun
    except (Cancelled, HandsNeeded) as error:
        raise _OfTheStep(error) from error
    except EtcdDrError as error:
        seconds = clock.monotonic() - begun
        recorder.write(
            EntryKind.FAILED, step=step, detail=str(error), seconds=seconds, facts={"error_code": error.code}
        )
        raise _OfTheStep(error) from error


def _raise_first(failures: list[Failure], work: Work, recorder: Recorder, *, resume: str) -> None:
    """Raise what stopped the phase: a failure before a person's turn, that before a wish to stop."""
    failed = [(step, error) for step, error in failures if not isinstance(error, Cancelled | HandsNeeded)]
    if failed:
        step, error = failed[0]
        raise _step_failed(step, error, work, others=len(failed) - 1, resume=resume) from error
    for step, error in failures:
        if isinstance(error, HandsNeeded):
            recorder.write(EntryKind.STOPPED, step=step, detail=error.message)
            raise error
    _stop_if_asked(work, recorder, resume=resume, is_certain=bool(failures))


def _stop_if_asked(work: Work, recorder: Recorder, *, resume: str, is_certain: bool = False) -> None:
    cancellation = work.ports.cancellation
    if not (cancellation.is_cancelled or is_certain):
        return
    reason = cancellation.reason or "a request"
    recorder.write(EntryKind.STOPPED, detail=f"stopped on request ({reason})")
    raise Cancelled(
        f"stopped on request ({reason})",
        subject=f"recovery {work.recovery_id}",
        next_step=_ways_on(work, resume=resume),
    )


def _step_failed(step: Step, error: EtcdDrError, work: Work, *, others: int, resume: str) -> StepFailed:
    more = f" (and {others} more of this phase)" if others else ""
    place = f" on {step.node}" if step.node and step.node not in step.title else ""
    cause = f"{error.next_step}\n" if error.next_step else ""
    return StepFailed(
        f"step {step.id} failed{place}{more}: {error}",
        subject=f"recovery {work.recovery_id}",
        next_step=f"{cause}{_ways_on(work, resume=resume)}",
        context={"step": step.id, "node": step.node or None, "error_code": error.code, **error.context},
    )


def _ways_on(work: Work, *, resume: str) -> str:
    on = f"etcd-dr recover {resume} {work.recovery_id}"
    back = f"etcd-dr recover abort {work.recovery_id}"
    if resume == "abort":
        return f"Go on with: {on}"
    if work.facts_of("verify-cluster", "talos-verify") is not None:
        return (
            f"The cluster serves and is verified; what is missing does not touch it. Go on with: {on}\n"
            f"Taking it back now would lose what was written since: {back}"
        )
    return f"Go on with: {on}\nOr take it back with: {back}"
