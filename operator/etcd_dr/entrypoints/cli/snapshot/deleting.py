"""`etcd-dr snapshot delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.entrypoints.cli.confirmation import DryRun, Yes, confirm
from etcd_dr.entrypoints.cli.human import age, size
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import selected_document
from etcd_dr.workflows.delete_snapshot import check_deletable, delete_snapshot
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    force: Annotated[bool, typer.Option("--force", help="Also a pinned one, or the newest proven one.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete one snapshot."""
    selector = parse_choice(snapshot, at, revision, default=None)
    with open_place(run) as place:
        catalogue = read_catalogue(place.store, place.layout)
        chosen = choose(run, catalogue, selector)
        now = place.surroundings.clock.now()
        freed_bytes = chosen.manifest.stored_size_bytes
        if not force:
            check_deletable(place.store, place.layout, chosen, catalogue)
        if not dry_run:
            what = f"{chosen.id}, {age(chosen.taken_at, now=now)} old, revision {chosen.manifest.database.revision}"
            confirm(run, f"{what}, is going to be deleted for good", cluster=place.cluster, yes=yes)
            freed_bytes = delete_snapshot(
                place.store,
                place.layout,
                chosen,
                catalogue,
                force=force,
                now=now,
                events=place.surroundings.events,
            ).freed_bytes
    word = "would be deleted" if dry_run else "is deleted"
    run.answer(
        selected_document(chosen, {"freed_bytes": freed_bytes, "dry_run": dry_run}),
        table=lambda: run.screen.line(f"{chosen.id} {word}, {size(freed_bytes)}"),
    )
