"""`etcd-dr snapshot fetch`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.local_files import make_file_sink
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.entrypoints.cli.human import size
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import selected_document
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, facts
from etcd_dr.errors import SnapshotNotFound, UsageError
from etcd_dr.ports.codec import Decoder
from etcd_dr.workflows.extract_companions import extract_companions
from etcd_dr.workflows.fetch_snapshot import FetchedSnapshot, fetch_snapshot
from etcd_dr.workflows.keep_companions import read_companions
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            show_default=False,
            help="The plain file to write, readable by you only.",
            readable=False,
        ),
    ] = None,
    companions: Annotated[
        Path | None,
        typer.Option(
            "--companions",
            metavar="DIRECTORY",
            show_default=False,
            help="A new directory for the files beside the database.",
            readable=False,
        ),
    ] = None,
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE where it exists.")] = False,
) -> None:
    """Bring a snapshot back as a plain file.

    The latest verified one, unless another one is named. The file is what `etcdutl snapshot restore` takes; the
    companions are the files that were kept beside the database.
    """
    if to is None and companions is None:
        raise UsageError(
            "says not what to fetch",
            next_step="Name --to FILE, --companions DIRECTORY, or both: etcd-dr snapshot fetch --help",
        )
    selector = parse_choice(snapshot, at, revision, default="latest-verified")
    with stopped_by_signals() as switch, open_place(run, run.surroundings(switch)) as place:
        decoder = make_decoder(place.target.encryption)
        chosen = choose(run, read_catalogue(place.store, place.layout), selector)
        extracted = _extract(place, chosen, companions, decoder) if companions is not None else ()
        fetched = _fetch(place, chosen, to, decoder, overwrite=overwrite) if to is not None else None
    told = {
        "file": str(fetched.path) if fetched else None,
        "size_bytes": fetched.size_bytes if fetched else None,
        "digest": str(fetched.digest) if fetched else None,
        "companions": [str(path) for path in extracted],
    }
    run.answer(
        selected_document(chosen, told), table=lambda: draw(run.screen, facts(_rows(chosen, fetched, extracted)))
    )


def _fetch(place: Place, chosen: Snapshot, to: Path, decoder: Decoder, *, overwrite: bool) -> FetchedSnapshot:
    return fetch_snapshot(
        place.store,
        place.layout,
        chosen.manifest,
        to.absolute(),
        decoder=decoder,
        files=make_file_sink(),
        cancellation=place.surroundings.cancellation,
        progress=place.surroundings.progress,
        overwrite=overwrite,
    )


def _extract(place: Place, chosen: Snapshot, directory: Path, decoder: Decoder) -> tuple[Path, ...]:
    kept = chosen.manifest.companions
    if kept is None:
        raise SnapshotNotFound(
            "has no companions: none were configured when it was taken",
            subject=str(chosen.id),
            next_step="See how they are kept beside the database: etcd-dr docs companions",
        )
    files = read_companions(place.store, place.layout, chosen.id, kept, decoder=decoder)
    return extract_companions(files, directory.absolute(), sink=make_file_sink())


def _rows(chosen: Snapshot, fetched: FetchedSnapshot | None, extracted: tuple[Path, ...]) -> Iterator[tuple[str, Cell]]:
    yield "snapshot", str(chosen.id)
    yield "revision", chosen.manifest.database.revision
    if fetched is not None:
        yield "file", f"{fetched.path}, {size(fetched.size_bytes)}"
        yield "digest", f"{fetched.digest}, as the manifest says"
        yield "restore", f"etcdutl snapshot restore {fetched.path} --data-dir NEW-DIRECTORY"
    for path in extracted:
        yield "companion", str(path)
