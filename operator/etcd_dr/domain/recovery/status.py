"""Where a recovery stands, from its plan and its journal alone: for people, for programs, and for the list of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from etcd_dr.domain.recovery.journal import JournalEntry, JournalProgress, RecoveryState
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import RecoveryLock


@dataclass(frozen=True, slots=True)
class StepStanding:
    """One step: `done`, `open` (begun and not ended), `failed`, `undone` or `to-do`. `detail` is its last word."""

    id: str
    title: str
    node: str
    standing: str
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryStatus:
    """`lag`: entries that the store lacks. `lock`: who holds the cluster's lock, for this recovery or another one.
    `commands` are what may be done next, most likely first."""

    recovery_id: str
    cluster: str
    way: str
    state: RecoveryState
    plan_digest: str
    made_by: str
    steps: tuple[StepStanding, ...]
    last_entry: JournalEntry | None
    last_failure: JournalEntry | None
    begun_at: datetime | None
    lag: int
    lock: RecoveryLock | None
    commands: tuple[str, ...]

    @property
    def done_count(self) -> int:
        return sum(step.standing == "done" for step in self.steps)

    @classmethod
    def of(
        cls, plan: Plan, entries: Sequence[JournalEntry], *, lag: int = 0, lock: RecoveryLock | None = None
    ) -> RecoveryStatus:
        progress = JournalProgress.of(entries)
        return cls(
            recovery_id=plan.recovery_id,
            cluster=plan.cluster,
            way=plan.way.value,
            state=progress.state,
            plan_digest=str(plan.digest),
            made_by=plan.made_by,
            steps=_steps(plan, entries, progress),
            last_entry=entries[-1] if entries else None,
            last_failure=progress.last_failure,
            begun_at=progress.begun_at,
            lag=lag,
            lock=lock,
            commands=_commands(plan.recovery_id, progress.state),
        )


def _steps(plan: Plan, entries: Sequence[JournalEntry], progress: JournalProgress) -> tuple[StepStanding, ...]:
    last = {entry.step: entry for entry in entries if entry.step}
    standings = []
    for step in plan.steps:
        entry = last.get(step.id)
        standing = "to-do"
        if step.id in progress.done:
            standing = "done"
        elif entry is not None:
            standing = {"failed": "failed", "undone": "undone"}.get(entry.kind.value, "open")
        standings.append(
            StepStanding(
                step.id,
                step.title,
                step.node,
                standing,
                entry.seconds if entry is not None else None,
                entry.detail if entry is not None else "",
            )
        )
    return tuple(standings)


def _commands(recovery_id: str, state: RecoveryState) -> tuple[str, ...]:
    resume, abort = (f"etcd-dr recover {verb} {recovery_id}" for verb in ("resume", "abort"))
    if state in (RecoveryState.NEW, RecoveryState.UNDER_WAY):
        return (resume, abort)
    return (abort,) if state is RecoveryState.ABORTING else ()
