"""`etcd-dr snapshot pin` and `unpin`."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.domain.catalogue import Pin
from etcd_dr.entrypoints.cli.confirmation import DryRun, Yes, confirm
from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import selected_document
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.workflows.pin_snapshot import pin_snapshot, unpin_snapshot
from etcd_dr.workflows.read_catalogue import read_catalogue


def pin(
    run: Run,
    *,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever finds the pin.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Keep a snapshot from retention until it is unpinned."""
    selector = parse_choice(snapshot, at, revision, default=None)
    with open_place(run) as place:
        chosen = choose(run, read_catalogue(place.store, place.layout, with_proofs=False), selector)
        made = Pin(at=place.surroundings.clock.now(), by=whoami(), reason=reason)
        if not dry_run:
            confirm(run, f"{chosen.id} is going to be pinned", cluster=place.cluster, yes=yes)
            made = pin_snapshot(
                place.store,
                place.layout,
                chosen.id,
                pinned_by=made.by,
                reason=reason,
                now=made.at,
                events=place.surroundings.events,
            )
    told = {"pin": made.model_dump(mode="json"), "dry_run": dry_run}
    run.answer(
        selected_document(chosen, told),
        table=lambda: run.screen.line(_said(f"{chosen.id} is pinned by {plain(made.by)}", dry_run=dry_run)),
    )


def unpin(
    run: Run,
    *,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Take the pin from a snapshot, so that retention may remove it."""
    selector = parse_choice(snapshot, at, revision, default=None)
    with open_place(run) as place:
        chosen = choose(run, read_catalogue(place.store, place.layout, with_proofs=False), selector)
        was_pinned = chosen.pin is not None
        if was_pinned and not dry_run:
            confirm(run, f"{chosen.id} is going to be unpinned", cluster=place.cluster, yes=yes)
            was_pinned = unpin_snapshot(place.store, place.layout, chosen.id, events=place.surroundings.events)
    text = f"{chosen.id} is no longer pinned" if was_pinned else f"{chosen.id} was not pinned"
    run.answer(
        selected_document(chosen, {"was_pinned": was_pinned, "dry_run": dry_run}),
        table=lambda: run.screen.line(_said(text, dry_run=dry_run)),
    )


def _said(text: str, *, dry_run: bool) -> str:
    return f"dry run: {text}" if dry_run else text
