"""Where recoveries stand, for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from etcd_dr.domain.recovery.journal import RecoveryState
from etcd_dr.domain.recovery.status import RecoveryStatus
from etcd_dr.entrypoints.cli.human import age, duration, plain
from etcd_dr.entrypoints.cli.tables import facts, styled, table

_STATE_STYLES = {RecoveryState.FINISHED: "good", RecoveryState.ABORTED: "weak"}
_STANDING_STYLES = {"done": "good", "failed": "bad", "open": "doubtful", "undone": "weak"}


def status_table(statuses: Iterable[RecoveryStatus], *, now: datetime) -> RenderableType:
    """Return one row for each recovery."""
    return table(
        ("RECOVERY", "WAY", "STATE", "STEPS", "BEGUN", "BY"),
        (
            (
                status.recovery_id,
                status.way,
                styled(status.state.value, _STATE_STYLES.get(status.state, "doubtful")),
                f"{status.done_count}/{len(status.steps)}",
                f"{age(status.begun_at, now=now)} ago" if status.begun_at else "-",
                status.made_by,
            )
            for status in statuses
        ),
        right=("STEPS",),
    )


def next_commands(statuses: Iterable[RecoveryStatus]) -> list[RenderableType]:
    """Return a line for each command that may follow, for recoveries that have not ended."""
    return [Text(f"next: {command}") for status in statuses for command in status.commands]


def status_page(status: RecoveryStatus, *, now: datetime) -> Group:
    """Return one recovery with all its steps, and what may be done next."""
    rows: list[tuple[str, str]] = [
        ("recovery", status.recovery_id),
        ("way", status.way),
        ("state", status.state.value),
        ("plan", status.plan_digest),
        ("made by", status.made_by),
    ]
    if status.begun_at is not None:
        rows.append(("begun", f"{age(status.begun_at, now=now)} ago"))
    if status.lock is not None:
        held = f"{status.lock.by} from {status.lock.place}, for {age(status.lock.since, now=now)}"
        rows.append(("lock", held if status.lock.recovery_id == status.recovery_id else f"another recovery: {held}"))
    if status.lag:
        rows.append(("mirror", f"the store lacks the last {status.lag} entries"))
    parts: list[RenderableType] = [facts(rows), Text(""), _steps(status)]
    if status.last_failure is not None and not status.state.is_over:
        parts += [Text(""), styled(f"failed: {status.last_failure.detail}", "bad")]
    if status.commands:
        parts += [Text(""), *(Text(f"next: {plain(command)}") for command in status.commands)]
    return Group(*parts)


def _steps(status: RecoveryStatus) -> RenderableType:
    return table(
        ("STEP", "STANDS", "TOOK"),
        (
            (
                step.title,
                styled(step.standing, _STANDING_STYLES.get(step.standing, "plain")),
                duration(timedelta(seconds=step.seconds)) if step.seconds is not None else "-",
            )
            for step in status.steps
        ),
        right=("TOOK",),
    )
