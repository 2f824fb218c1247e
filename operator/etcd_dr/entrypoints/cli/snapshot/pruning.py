"""`etcd-dr snapshot prune`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from etcd_dr.bootstrap.schedules import retention_policy
from etcd_dr.config.cluster_model import RetentionSection
from etcd_dr.config.complaints import complaints
from etcd_dr.domain.retention import RetentionDecision, RetentionPolicy, decide_retention
from etcd_dr.entrypoints.cli.confirmation import DryRun, Yes, confirm
from etcd_dr.entrypoints.cli.human import age, count, plain, size
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.documents import snapshot_document
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, styled, table
from etcd_dr.errors import UsageError
from etcd_dr.workflows.apply_retention import RetentionOutcome, apply_retention
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.sweep_uploads import Leftover, SweepOutcome, sweep_uploads

Keep = Annotated[int | None, typer.Option(min=0, metavar="N", show_default=False)]


def command(
    run: Run,
    *,
    keep_last: Keep = None,
    keep_hourly: Keep = None,
    keep_daily: Keep = None,
    keep_weekly: Keep = None,
    keep_monthly: Keep = None,
    keep_yearly: Keep = None,
    keep_within: Annotated[
        str | None, typer.Option("--keep-within", metavar="TIME", help="Everything this young, such as 7d.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove what the retention policy does not keep.

    The policy is the configuration's, or the --keep options together. The newest proven snapshot, pinned ones and
    what is newer than any proof always stay. Interrupted uploads that are old enough go, too.
    """
    said = {
        "keep_last": keep_last,
        "keep_hourly": keep_hourly,
        "keep_daily": keep_daily,
        "keep_weekly": keep_weekly,
        "keep_monthly": keep_monthly,
        "keep_yearly": keep_yearly,
        "keep_within": keep_within,
    }
    with stopped_by_signals() as switch, open_place(run, run.surroundings(switch)) as place:
        policy = _policy(place.target.retention, {name: value for name, value in said.items() if value is not None})
        outcome, swept = _prune(run, place, policy, dry_run=dry_run, yes=yes)
        now = place.surroundings.clock.now()
    run.answer(_document(outcome, swept), table=lambda: _table(run, outcome, swept, now))


def _policy(configured: RetentionSection, said: dict[str, int | str]) -> RetentionPolicy:
    if not said:
        return retention_policy(configured)
    always = {"min_restore_points": configured.min_restore_points, "time_zone": configured.time_zone}
    try:
        return retention_policy(RetentionSection.model_validate({**always, **said}))
    except ValidationError as error:
        raise UsageError("; ".join(complaints(error)), subject="the --keep options") from error


def _prune(
    run: Run, place: Place, policy: RetentionPolicy, *, dry_run: bool, yes: bool
) -> tuple[RetentionOutcome, SweepOutcome]:
    shared = place.surroundings
    catalogue = read_catalogue(place.store, place.layout)
    now = shared.clock.now()
    plan = decide_retention(catalogue, policy, now=now)
    leftovers = _sweep(place, now, dry_run=True)
    if not dry_run and (plan.removed or leftovers.removed):
        what = f"{count(len(plan.removed), 'snapshot')} ({size(plan.freed_bytes)})"
        if leftovers.removed:
            what += f" and {count(len(leftovers.removed), 'interrupted upload')}"
        confirm(run, f"{what} of {place.cluster} are going to be removed for good", cluster=place.cluster, yes=yes)
    outcome = apply_retention(
        place.store,
        place.layout,
        catalogue,
        policy=policy,
        now=now,
        events=shared.events,
        cancellation=shared.cancellation,
        dry_run=dry_run,
    )
    return outcome, leftovers if dry_run else _sweep(place, now, dry_run=False)


def _sweep(place: Place, now: datetime, *, dry_run: bool) -> SweepOutcome:
    return sweep_uploads(
        place.store,
        place.layout,
        now=now,
        grace=place.target.upload_grace,
        events=place.surroundings.events,
        dry_run=dry_run,
    )


def _document(outcome: RetentionOutcome, swept: SweepOutcome) -> dict[str, object]:
    removed = {decision.id for decision in outcome.removed}
    spared = {each.snapshot_id: each.reason for each in outcome.spared}
    return {
        "cluster": outcome.plan.cluster,
        "dry_run": outcome.dry_run,
        "decisions": [
            {
                "snapshot": snapshot_document(decision.snapshot),
                "is_kept": decision.is_kept,
                "is_removed": decision.id in removed and not outcome.dry_run,
                "spared_because": spared.get(decision.id),
                "reasons": [{"code": reason.code.value, "detail": reason.detail} for reason in decision.reasons],
            }
            for decision in reversed(outcome.plan.decisions)
        ],
        "uploads": [
            {"name": leftover.name, "action": action, "reason": leftover.reason}
            for action, leftovers in _by_action(swept)
            for leftover in leftovers
        ],
        "unreadable": [entry.name for entry in outcome.plan.unreadable],
        "freed_bytes": outcome.freed_bytes,
    }


def _by_action(swept: SweepOutcome) -> Iterator[tuple[str, tuple[Leftover, ...]]]:
    yield "remove", swept.removed
    yield "keep", swept.kept
    yield "locked", swept.locked


def _table(run: Run, outcome: RetentionOutcome, swept: SweepOutcome, now: datetime) -> None:
    if outcome.plan.decisions:
        rows = (_row(decision, outcome, now) for decision in reversed(outcome.plan.decisions))
        draw(run.screen, table(("ID", "AGE", "", "BECAUSE"), rows, right=("AGE",)))
    else:
        run.screen.line(f"no snapshots of {outcome.plan.cluster}")
    for action, leftovers in _by_action(swept):
        for leftover in leftovers:
            run.screen.line(f"{plain(leftover.name)}: {action}: {leftover.reason}")
    for entry in outcome.plan.unreadable:
        run.screen.line(f"{plain(entry.name)}: left alone: {plain(entry.reason)}")
    word = "would be removed" if outcome.dry_run else "removed"
    run.screen.line(
        f"{count(len(outcome.removed), 'snapshot')} {word}, {size(outcome.freed_bytes)}; "
        f"{len(outcome.plan.kept) + len(outcome.spared)} kept"
    )


def _row(decision: RetentionDecision, outcome: RetentionOutcome, now: datetime) -> tuple[Cell, ...]:
    spared = next((each.reason for each in outcome.spared if each.snapshot_id == decision.id), None)
    reasons = spared or "; ".join(str(reason) for reason in decision.reasons)
    action: Cell = "keep"
    if not decision.is_kept:
        action = styled("spared", "doubtful") if spared else styled("remove", "bad")
    return str(decision.id), age(decision.snapshot.taken_at, now=now), action, reasons
