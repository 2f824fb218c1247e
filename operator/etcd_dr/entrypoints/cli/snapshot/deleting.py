"""`etcd-dr snapshot delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.domain.snapshot import SnapshotId
from etcd_dr.entrypoints.cli.confirmation import DryRun, Yes, confirm
from etcd_dr.entrypoints.cli.human import age, plain, size
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import selected_document
from etcd_dr.errors import UsageError
from etcd_dr.workflows.delete_broken import check_broken, delete_broken
from etcd_dr.workflows.delete_snapshot import check_deletable, delete_snapshot
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    broken: Annotated[
        bool, typer.Option("--broken", help="What is left of one whose manifest cannot be read; by its whole id only.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also a pinned one, or the newest proven one.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete one snapshot."""
    if broken:
        snapshot_id = _whole_id(snapshot, is_alone=at is None and revision is None)
        with open_place(run, run.surroundings(with_events=False)) as place:
            _delete_broken(run, place, snapshot_id, force=force, dry_run=dry_run, yes=yes)
        return
    selector = parse_choice(snapshot, at, revision, default=None)
    with open_place(run, run.surroundings(with_events=False)) as place:
        catalogue = read_catalogue(place.store, place.layout)
        chosen = choose(run, catalogue, selector)
        now = place.surroundings.clock.now()
        freed_bytes = chosen.stored_bytes
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


def _whole_id(snapshot: str | None, *, is_alone: bool) -> SnapshotId:
    try:
        if is_alone and snapshot is not None:
            return SnapshotId.parse(snapshot)
    except ValueError:
        pass
    raise UsageError(
        "--broken needs the whole id of one snapshot: what cannot be read is not chosen by a guess",
        next_step="Take the id from the lines that begin with `unreadable`: etcd-dr snapshot list",
    )


def _delete_broken(run: Run, place: Place, snapshot_id: SnapshotId, *, force: bool, dry_run: bool, yes: bool) -> None:
    fault = check_broken(place.store, place.layout, snapshot_id, force=force)
    freed_bytes = sum(stored.size_bytes for stored in place.store.list(place.layout.folder(snapshot_id)))
    if not dry_run:
        what = f"what is left of {snapshot_id} ({size(freed_bytes)}), whose manifest cannot be read: {fault},"
        confirm(run, f"{what} is going to be deleted for good", cluster=place.cluster, yes=yes)
        freed_bytes = delete_broken(
            place.store,
            place.layout,
            snapshot_id,
            force=force,
            now=place.surroundings.clock.now(),
            events=place.surroundings.events,
        ).freed_bytes
    word = "would be deleted" if dry_run else "is deleted"
    run.answer(
        {"id": str(snapshot_id), "fault": fault, "freed_bytes": freed_bytes, "dry_run": dry_run},
        table=lambda: run.screen.line(f"{snapshot_id} {word}, {size(freed_bytes)} ({plain(fault)})"),
    )
