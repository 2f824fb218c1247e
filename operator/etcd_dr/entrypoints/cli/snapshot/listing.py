"""`etcd-dr snapshot list`."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.entrypoints.cli.human import age, count, plain, size
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.documents import catalogue_document
from etcd_dr.entrypoints.cli.snapshot.rows import snapshot_table
from etcd_dr.entrypoints.cli.tables import draw
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Only so many of the newest.")] = None,
) -> None:
    """List the snapshots in the store, newest first.

    Each with how far it is proven: stored, intact, consistent, or DAMAGED; and where the data themselves are not there
    or cut off, DATA MISSING or SIZE DIFFERS.
    """
    with open_place(run) as place:
        catalogue = read_catalogue(place.store, place.layout, newest=limit)
        url = place.store.url(place.layout.root)
        run.answer(catalogue_document(catalogue, store=url), table=lambda: _table(run, place, catalogue, url))


def _table(run: Run, place: Place, catalogue: Catalogue, url: str) -> None:
    now = place.surroundings.clock.now()
    if catalogue.snapshots:
        draw(run.screen, snapshot_table(reversed(catalogue.snapshots), now=now))
    else:
        run.screen.line(f"no snapshots of {catalogue.cluster} in {plain(url)}")
    for entry in catalogue.unreadable:
        run.screen.line(f"unreadable: {plain(entry.name)}: {plain(entry.reason)}")
    for left in catalogue.uncommitted:
        run.screen.line(
            f"not committed: {plain(left.name)}: {count(left.object_count, 'object')}, {size(left.size_bytes)}, "
            f"{age(left.newest_object_at, now=now)} old"
        )
