"""`etcd-dr snapshot verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from etcd_dr.bootstrap.snapshots import snapshot_limits, verify_ports
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.entrypoints.cli.failures import status_of_code
from etcd_dr.entrypoints.cli.human import count, duration, plain
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import proof_document, snapshot_document
from etcd_dr.entrypoints.cli.snapshot.rows import result_word
from etcd_dr.entrypoints.cli.snapshot.status import examine_file
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, styled, table
from etcd_dr.errors import Busy, ProofFailed, UsageError
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.verify_snapshot import VerifyOutcome, verify_snapshot


def command(
    run: Run,
    *,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    everything: Annotated[bool, typer.Option("--all", help="Every snapshot of the cluster, oldest first.")] = False,
    level: Annotated[
        Literal["stored", "intact", "consistent"] | None,
        typer.Option("--level", metavar="LEVEL", help="stored, intact or consistent; must be reached then."),
    ] = None,
    record: Annotated[bool, typer.Option("--record/--no-record", help="Keep the proofs in the store.")] = True,
) -> int:
    """Prove a stored snapshot again.

    The latest, unless another one or a file is named. Without an identity only the stored bytes are compared.
    """
    if everything and (snapshot, at, revision) != (None, None, None):
        raise UsageError("--all is every snapshot, so none may be named beside it", next_step="Leave one of them out.")
    if snapshot is not None and _is_file(snapshot):
        return 0 if examine_file(run, Path(snapshot), full=True).examination.is_intact else ProofFailed.exit_status
    selector = parse_choice(snapshot, at, revision, default="latest")
    with (
        stopped_by_signals() as switch,
        open_place(run, run.surroundings(switch, said_in_answer=("snapshot.verified",))) as place,
    ):
        ports = verify_ports(place.target, place.store, place.surroundings)
        catalogue = read_catalogue(place.store, place.layout)
        chosen = catalogue.snapshots if everything else ()
        chosen = chosen or (choose(run, catalogue, selector),)
        up_to = ProofLevel(level) if level else _highest(has_members=ports.connector is not None)
        outcomes = [
            verify_snapshot(
                each, place.layout, up_to=up_to, ports=ports, limits=snapshot_limits(place.target), record=record
            )
            for each in chosen
        ]
    run.answer(_document(catalogue, outcomes), table=lambda: _table(run, catalogue, outcomes))
    if everything and catalogue.unreadable:
        return ProofFailed.exit_status
    return _status(outcomes, must_reach=level is not None)


def _is_file(word: str) -> bool:
    return os.sep in word or Path(word).is_file()


def _highest(*, has_members: bool) -> ProofLevel:
    return ProofLevel.CONSISTENT if has_members else ProofLevel.INTACT


def _status(outcomes: Sequence[VerifyOutcome], *, must_reach: bool) -> int:
    """Return 1 for damage, else why a level that was asked for by name was not reached, else 0."""
    if any(outcome.is_damaged or outcome.has_damaged_companions for outcome in outcomes):
        return ProofFailed.exit_status
    for outcome in outcomes if must_reach else ():
        for missing in outcome.not_made:
            return status_of_code(missing.code)
        if any(proof.result is ProofResult.INCONCLUSIVE for proof in outcome.proofs):
            return Busy.exit_status
    return 0


def _document(catalogue: Catalogue, outcomes: Sequence[VerifyOutcome]) -> dict[str, object]:
    return {
        "cluster": catalogue.cluster,
        "verified": [
            {
                "snapshot": snapshot_document(outcome.snapshot),
                "is_damaged": outcome.is_damaged,
                "proofs": [proof_document(proof) for proof in outcome.proofs],
                "not_made": [
                    {"level": each.level.value, "code": each.code, "reason": each.reason} for each in outcome.not_made
                ],
                "not_recorded": outcome.not_recorded,
                "companions": outcome.companions.result.value if outcome.companions else None,
                "duration_seconds": round(outcome.duration_seconds, 3),
            }
            for outcome in outcomes
        ],
        "unreadable": [
            {"name": entry.name, "code": entry.code, "reason": entry.reason} for entry in catalogue.unreadable
        ],
    }


def _table(run: Run, catalogue: Catalogue, outcomes: Sequence[VerifyOutcome]) -> None:
    if len(outcomes) == 1:
        [only] = outcomes
        run.screen.line(f"{only.snapshot.id} of {only.snapshot.manifest.cluster}, {_took(only)}")
        draw(run.screen, table(("PROOF", "RESULT", "DETAIL"), _proof_rows(only)))
    else:
        draw(run.screen, table(("SNAPSHOT", "FOUND", "DETAIL"), map(_row, outcomes)))
        damaged = sum(outcome.is_damaged for outcome in outcomes)
        run.screen.line(f"{count(len(outcomes), 'snapshot')} verified, {damaged or 'none'} damaged")
    for refused in dict.fromkeys(outcome.not_recorded for outcome in outcomes if outcome.not_recorded):
        run.screen.line(f"not recorded in the store: {plain(refused)}; with --no-record nobody tries")
    for entry in catalogue.unreadable:
        run.screen.line(f"unreadable: {plain(entry.name)}: {plain(entry.reason)}")


def _took(outcome: VerifyOutcome) -> str:
    return f"verified in {duration(timedelta(seconds=outcome.duration_seconds))}"


def _proof_rows(outcome: VerifyOutcome) -> Iterator[tuple[Cell, ...]]:
    for proof in outcome.proofs:
        yield proof.level.value, result_word(proof.result), proof.detail
    if outcome.companions is not None:
        yield "companions", result_word(outcome.companions.result), outcome.companions.detail
    for missing in outcome.not_made:
        yield missing.level.value, styled("not made", "doubtful"), missing.reason


def _row(outcome: VerifyOutcome) -> tuple[Cell, ...]:
    failed = [proof for proof in outcome.proofs if proof.result is ProofResult.FAILED]
    if failed:
        return str(outcome.snapshot.id), styled("DAMAGED", "bad"), f"{failed[0].level.value}: {failed[0].detail}"
    if outcome.has_damaged_companions and outcome.companions is not None:
        return str(outcome.snapshot.id), styled("COMPANIONS DAMAGED", "bad"), outcome.companions.detail
    passed = [proof.level for proof in outcome.proofs if proof.passed]
    found = styled(max(passed, key=lambda level: level.rank).value, "good") if passed else styled("nothing", "doubtful")
    left_out = [f"{missing.level.value} not made: {missing.reason}" for missing in outcome.not_made]
    unsure = [
        f"{proof.level.value}: {proof.detail}" for proof in outcome.proofs if proof.result is ProofResult.INCONCLUSIVE
    ]
    return str(outcome.snapshot.id), found, "; ".join([*unsure, *left_out])
