"""Which snapshot a command means: an argument, `--at`, `--revision`, or the command's own default."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.selection import AtRevision, Selector, parse_moment, parse_selector, select
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import UsageError

Which = Annotated[
    str | None,
    typer.Argument(metavar="SNAPSHOT", show_default=False, help="An id or its beginning, latest, latest-verified."),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="The newest one taken by then, such as 2026-08-20T03:00:00Z."),
]
Revision = Annotated[
    int | None, typer.Option("--revision", metavar="N", min=0, help="The newest one up to this revision of etcd.")
]


def parse_choice(which: str | None, at: str | None, revision: int | None, *, default: str | None) -> Selector:
    """Return the selector that is meant. Raises UsageError for several, and for none where there is no default."""
    said = [name for name, value in (("SNAPSHOT", which), ("--at", at), ("--revision", revision)) if value is not None]
    if len(said) > 1:
        raise UsageError(
            "name one snapshot in two ways", subject=" and ".join(said), next_step="Leave one of them out."
        )
    if at is not None:
        return parse_moment(at)
    if revision is not None:
        return AtRevision(revision)
    text = which if which is not None else default
    if text is None:
        raise UsageError(
            "no snapshot is named",
            next_step="Name one by its id, with --at TIME or with --revision N. See what there is: etcd-dr snapshot list",
        )
    return parse_selector(text)


def choose(run: Run, catalogue: Catalogue, selector: Selector) -> Snapshot:
    """Return the snapshot that is meant, and say what was assumed. Raises SnapshotNotFound, SnapshotAmbiguous."""
    selection = select(catalogue, selector)
    if selection.note:
        run.note(f"{selection.snapshot.id}: {selection.note}")
    return selection.snapshot
