"""`etcd-dr drill list`."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.proof import Proof, ProofLevel, ProofResult
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.documents import proof_document, snapshot_document, time_document
from etcd_dr.entrypoints.cli.snapshot.rows import result_word
from etcd_dr.entrypoints.cli.tables import Cell, draw, table
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(run: Run) -> None:
    """List the drills that the store remembers, newest first: the last one of each snapshot."""
    with open_place(run) as place:
        catalogue = read_catalogue(place.store, place.layout)
    drills = drills_of(catalogue)
    run.answer(_document(catalogue, drills), table=lambda: _table(run, catalogue, drills))


Drill = tuple[Snapshot, Proof]
"""A snapshot and the drill of it."""


def drills_of(catalogue: Catalogue) -> list[Drill]:
    """Return the newest `restorable` proof of each snapshot that has one, newest drill first."""
    found = [
        (snapshot, proof)
        for snapshot in catalogue.snapshots
        if (proof := snapshot.newest_proofs.get(ProofLevel.RESTORABLE)) is not None
    ]
    return sorted(found, key=lambda pair: pair[1].at, reverse=True)


def _document(catalogue: Catalogue, drills: list[Drill]) -> dict[str, Any]:
    return {
        "cluster": catalogue.cluster,
        "drills": [drill_document(drill) for drill in drills],
    }


def drill_document(drill: Drill) -> dict[str, Any]:
    """Return one drill, as every list of drills has it."""
    snapshot, proof = drill
    return {"snapshot": snapshot_document(snapshot), "proof": proof_document(proof)}


def drill_table(drills: list[Drill]) -> Table:
    """Return drills as rows below headings. What a passed one compared is in `snapshot show`, where there is room."""
    if all(proof.result is ProofResult.PASSED for _, proof in drills):
        return table(("DRILLED", "SNAPSHOT", "RESULT", "RTO"), (_row(drill)[:4] for drill in drills))
    return table(("DRILLED", "SNAPSHOT", "RESULT", "RTO", "DETAIL"), map(_row, drills))


def _table(run: Run, catalogue: Catalogue, drills: list[Drill]) -> None:
    if not drills:
        run.screen.line(f"no snapshot of {catalogue.cluster} was drilled yet; drill the newest: etcd-dr drill run")
        return
    draw(run.screen, drill_table(drills))


def _row(pair: Drill) -> tuple[Cell, ...]:
    snapshot, proof = pair
    rto = proof.drill.rto_seconds if proof.drill is not None else None
    return (
        time_document(proof.at),
        str(snapshot.id),
        result_word(proof.result),
        "" if rto is None else f"{rto:.1f} s",
        proof.detail if proof.result is not ProofResult.PASSED else "",
    )
