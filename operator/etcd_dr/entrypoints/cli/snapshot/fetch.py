"""`etcd-dr snapshot fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.local_files import make_file_sink
from etcd_dr.entrypoints.cli.human import size
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import selected_document
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import draw, facts
from etcd_dr.workflows.fetch_snapshot import fetch_snapshot
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", help="The plain file to write, readable by you only.", readable=False),
    ],
    snapshot: Which = None,
    at: At = None,
    revision: Revision = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE where it exists.")] = False,
) -> None:
    """Bring a snapshot back as a plain file.

    The latest verified one, unless another one is named. The file is what `etcdutl snapshot restore` takes.
    """
    selector = parse_choice(snapshot, at, revision, default="latest-verified")
    with stopped_by_signals() as switch, open_place(run, run.surroundings(switch)) as place:
        decoder = make_decoder(place.target.encryption)
        chosen = choose(run, read_catalogue(place.store, place.layout), selector)
        fetched = fetch_snapshot(
            place.store,
            place.layout,
            chosen.manifest,
            to.absolute(),
            decoder=decoder,
            files=make_file_sink(),
            cancellation=switch,
            progress=place.surroundings.progress,
            overwrite=overwrite,
        )
    told = {"file": str(fetched.path), "size_bytes": fetched.size_bytes, "digest": str(fetched.digest)}

    def table() -> None:
        draw(
            run.screen,
            facts(
                [
                    ("snapshot", str(chosen.id)),
                    ("revision", chosen.manifest.database.revision),
                    ("file", f"{fetched.path}, {size(fetched.size_bytes)}"),
                    ("digest", f"{fetched.digest}, as the manifest says"),
                    ("restore", f"etcdutl snapshot restore {fetched.path} --data-dir NEW-DIRECTORY"),
                ]
            ),
        )

    run.answer(selected_document(chosen, told), table=table)
