"""`etcd-dr drill run`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from etcd_dr.bootstrap.drill import drill_options, drill_ports
from etcd_dr.domain.proof import ProofResult
from etcd_dr.entrypoints.cli.drill.rows import SLOWER_THAN_HOPED, phase_rows, rto_words
from etcd_dr.entrypoints.cli.human import duration, plain
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import proof_document, snapshot_document
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, styled, table
from etcd_dr.errors import Busy, ProofFailed
from etcd_dr.workflows.drill_restore import DrillOutcome, drill_restore
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    record: Annotated[bool, typer.Option("--record/--no-record", help="Keep the proof in the store.")] = True,
) -> int:
    """Rehearse a recovery on a throw-away etcd.

    The newest proven snapshot, unless another one is named, is fetched, verified and restored into a directory that is
    removed afterwards; a real etcd is started on it, on loopback, and compared with what was saved.
    """
    selector = parse_choice(snapshot, at, revision, default="latest-verified")
    with stopped_by_signals() as switch, open_place(run, run.surroundings(switch)) as place:
        ports = drill_ports(place.target, place.store, place.surroundings, run.environment)
        chosen = choose(run, read_catalogue(place.store, place.layout), selector)
        outcome = drill_restore(chosen, place.layout, ports=ports, options=drill_options(place.target), record=record)
    run.answer(_document(outcome), table=lambda: _table(run, outcome))
    return _status(outcome)


def _status(outcome: DrillOutcome) -> int:
    if outcome.proof.result is ProofResult.FAILED:
        return ProofFailed.exit_status
    if outcome.proof.result is ProofResult.INCONCLUSIVE:
        return Busy.exit_status
    return SLOWER_THAN_HOPED if outcome.record.meets_objective is False else 0


def _document(outcome: DrillOutcome) -> dict[str, Any]:
    return {
        "snapshot": snapshot_document(outcome.snapshot),
        "is_restorable": outcome.is_restorable,
        "meets_objective": outcome.record.meets_objective,
        "checks": [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in outcome.checks],
        "proof": proof_document(outcome.proof),
        "not_recorded": outcome.not_recorded,
        "duration_seconds": round(outcome.duration_seconds, 3),
    }


def _table(run: Run, outcome: DrillOutcome) -> None:
    manifest = outcome.snapshot.manifest
    took = duration(timedelta(seconds=outcome.duration_seconds))
    run.screen.line(f"{outcome.snapshot.id} of {manifest.cluster}, drilled in {took}")
    draw(run.screen, table(("CHECK", "RESULT", "DETAIL"), map(_check_row, outcome.checks)))
    run.screen.line("")
    draw(run.screen, table(("PHASE", "SECONDS", ""), phase_rows(outcome.record)))
    run.screen.line(rto_words(outcome.record))
    run.screen.line(_verdict(outcome))
    if outcome.not_recorded:
        run.screen.line(f"not recorded in the store: {plain(outcome.not_recorded)}; with --no-record nobody tries")


def _check_row(check: Any) -> tuple[Cell, ...]:
    words = {True: styled("passed", "good"), False: styled("FAILED", "bad"), None: styled("not made", "doubtful")}
    return check.name, words[check.passed], check.detail


def _verdict(outcome: DrillOutcome) -> str:
    if outcome.is_restorable:
        return f"restorable: restored with {outcome.record.restored_with}, served by etcd {outcome.record.started_with}"
    if outcome.proof.result is ProofResult.FAILED:
        return "NOT RESTORABLE: take another one with: etcd-dr snapshot list"
    return "undecided: a comparison could not be made"
