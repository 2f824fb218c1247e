"""`etcd-dr snapshot import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.bootstrap.files import import_ports
from etcd_dr.domain.selection import parse_moment
from etcd_dr.entrypoints.cli.human import moment, plain, size
from etcd_dr.entrypoints.cli.labels import Label, parse_labels
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.documents import snapshot_document
from etcd_dr.entrypoints.cli.snapshot.rows import proven_word
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import draw, facts
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.errors import EtcdDrError, UsageError
from etcd_dr.workflows.import_snapshot import (
    NOT_A_SNAPSHOT,
    ImportOrder,
    ImportOutcome,
    foreign_keys,
    import_file,
    import_object,
)
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            show_default=False,
            help="Snapshots that other tools wrote, in any envelope.",
            readable=False,
        ),
    ] = None,
    stored_object: Annotated[
        list[str] | None,
        typer.Option(
            "--object", metavar="KEY", help="An object of the same store, or PREFIX/ for all below; repeatable."
        ),
    ] = None,
    taken_at: Annotated[
        str | None, typer.Option("--taken-at", metavar="TIME", help="When it was taken, where its name does not say.")
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", metavar="WORD", help="Such as k3s or talos.")] = None,
    label: Label = None,
) -> int:
    """Take snapshots of other tools into the store.

    Plain, gzip, zstd, age and zip; as etcdctl, talos-backup, k3s, rke2, OpenShift and etcd-backup-restore write them.
    Each is examined first; a damaged one is refused.
    """
    if not files and not stored_object:
        raise UsageError("no file is named", next_step="Such as: etcd-dr snapshot import ./snapshot.db")
    when = parse_moment(taken_at).moment if taken_at is not None else None
    labels = parse_labels(label)
    outcomes: list[tuple[str, ImportOutcome]] = []
    refused: list[tuple[str, EtcdDrError]] = []
    with stopped_by_signals() as switch, open_place(run, run.surroundings(switch)) as place:
        ports = import_ports(place.target, place.store, place.surroundings)
        order = ImportOrder(
            layout=place.layout,
            taken_by=whoami(),
            taken_at=when,
            platform=platform,
            labels={**place.target.labels, **labels},
        )
        for file in files or ():
            catalogue = read_catalogue(place.store, place.layout)
            outcomes.append((str(file), import_file(file, order, catalogue, ports=ports)))
        for key in stored_object or ():
            for each in foreign_keys(place.store, key, layout=place.layout) if key.endswith("/") else (key,):
                catalogue = read_catalogue(place.store, place.layout)
                try:
                    outcomes.append((each, import_object(each, order, catalogue, ports=ports)))
                except NOT_A_SNAPSHOT as error:
                    if each == key:
                        raise
                    refused.append((each, error))
    run.answer(_document(place.cluster, outcomes, refused), table=lambda: _table(run, outcomes, refused))
    return refused[0][1].exit_status if refused else 0


def _document(
    cluster: str, outcomes: list[tuple[str, ImportOutcome]], refused: list[tuple[str, EtcdDrError]]
) -> dict[str, object]:
    return {
        "cluster": cluster,
        "imported": [
            {
                "file": name,
                "snapshot": snapshot_document(outcome.snapshot),
                "is_new": outcome.is_new,
                "layers": list(outcome.layers),
                "warnings": list(outcome.warnings),
            }
            for name, outcome in outcomes
        ],
        "refused": [{"file": name, "code": error.code, "message": error.message} for name, error in refused],
    }


def _table(run: Run, outcomes: list[tuple[str, ImportOutcome]], refused: list[tuple[str, EtcdDrError]]) -> None:
    for place, (name, outcome) in enumerate(outcomes):
        if place:
            run.screen.line()
        manifest, database = outcome.snapshot.manifest, outcome.snapshot.manifest.database
        draw(
            run.screen,
            facts(
                [
                    ("file", f"{name}, {' in '.join(reversed(outcome.layers))}" if outcome.layers else name),
                    ("snapshot", manifest.id if outcome.is_new else f"{manifest.id}, which was in the store already"),
                    ("taken", moment(manifest.taken_at)),
                    ("revision", f"{database.revision}, {database.live_keys} live keys, {size(database.size_bytes)}"),
                    ("proven", proven_word(outcome.snapshot)),
                ]
            ),
        )
        for warning in outcome.warnings:
            run.screen.line(f"warning: {plain(warning)}")
    for name, error in refused:
        run.screen.line(f"not imported: {plain(name)}: {plain(error.message)}")
