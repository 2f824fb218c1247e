"""`etcd-dr objectives`: what a recovery may cost, what it would, and how that went. It asks the store alone."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from etcd_dr.bootstrap.objectives import stored_objectives
from etcd_dr.domain.objectives import ObjectivesReport
from etcd_dr.domain.objectives.document import objectives_document
from etcd_dr.domain.objectives.rpo_history import RpoHistory
from etcd_dr.domain.objectives.status import ObjectiveStatus, time_text
from etcd_dr.entrypoints.cli.drill.listing import Drill, drill_document, drill_table, drills_of
from etcd_dr.entrypoints.cli.human import moment, plain
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import Cell, draw, facts, styled
from etcd_dr.workflows.claim_prefix import look_at_marker
from etcd_dr.workflows.read_catalogue import read_catalogue

_STYLES = {
    ObjectiveStatus.MET: "good",
    ObjectiveStatus.AT_RISK: "doubtful",
    ObjectiveStatus.BROKEN: "bad",
    ObjectiveStatus.UNKNOWN: "doubtful",
    ObjectiveStatus.UNSET: "weak",
}


def command(
    run: Run,
    *,
    drills: Annotated[
        int, typer.Option("--drills", min=0, metavar="N", help="How many of the last drills to show.")
    ] = 5,
) -> int:
    """Say what a recovery may lose and take, what it would, and how well that was kept.

    Exit status 0 is met, 1 at risk, 2 broken, 3 unknown.
    """
    with open_place(run) as place:
        catalogue = read_catalogue(place.store, place.layout)
        marker = look_at_marker(place.store, place.layout).value
        report = stored_objectives(
            place.target,
            catalogue,
            now=place.surroundings.clock.now(),
            watching_since=marker.created_at if marker is not None else None,
        )
    last = drills_of(catalogue)[:drills]
    run.answer(_document(report, last), table=lambda: draw(run.screen, *_page(run, report, last)))
    return report.status.exit_status


def _document(report: ObjectivesReport, drills: list[Drill]) -> dict[str, Any]:
    return {**objectives_document(report), "drills": [drill_document(drill) for drill in drills]}


def _page(run: Run, report: ObjectivesReport, drills: list[Drill]) -> list[RenderableType]:
    page: list[RenderableType] = []
    for name, standing in (("RPO", report.rpo), ("RTO", report.rto)):
        rows: list[tuple[Cell, Cell]] = [
            (styled(f"{name} {standing.status.value}", _STYLES[standing.status]), standing.reason)
        ]
        if standing.next_step:
            rows.append(("", Text(plain(f"next: {run.paste.completed(standing.next_step)}"), no_wrap=True)))
        page += [facts(rows), Text("")]
    page.append(facts(_figures(report)))
    if report.history is not None:
        page += [Text(""), facts(_history(report.history))]
    if drills:
        page += [Text(""), drill_table(drills)]
    return page


def _figures(report: ObjectivesReport) -> list[tuple[Cell, Cell]]:
    rpo, rto = report.rpo, report.rto
    rows: list[tuple[Cell, Cell]] = []
    if rpo.taken_at is not None:
        rows.append(("newest proven", f"{rpo.snapshot_id}, taken {moment(rpo.taken_at)}"))
    if rpo.projected is not None:
        rows.append(("before the next one", f"{time_text(rpo.projected)} would be lost"))
    if rpo.schedule_takes is not None:
        slow = ", which is more than the objective" if rpo.schedule_is_too_slow else ""
        rows.append(("by the schedule", f"at most {time_text(rpo.schedule_takes)} when every run succeeds{slow}"))
    if rto.measured is not None and rto.drilled_at is not None:
        rows.append(("drill measured", f"{time_text(rto.measured)} with {rto.snapshot_id}, {moment(rto.drilled_at)}"))
    return rows


def _history(history: RpoHistory) -> list[tuple[Cell, Cell]]:
    left = history.budget_left
    rows: list[tuple[Cell, Cell]] = [("since", moment(history.since))]
    if history.share is not None and left is not None:
        budget = f"{max(left, 0.0):.0%} of the budget is left" if left > 0 else styled("the budget is spent", "bad")
        rows += [
            ("RPO kept", f"{history.share:.3%} of the time; {history.share_wanted:.3%} are wanted"),
            ("RPO missed", f"{time_text(history.missed)} of {time_text(history.allowed)} that were allowed"),
            ("budget", budget),
        ]
    rows.append(("worst", f"{time_text(history.worst)} would have been lost"))
    if history.unknown:
        rows.append(("not known", f"{time_text(history.unknown)}: retention has thinned the snapshots out"))
    return rows
