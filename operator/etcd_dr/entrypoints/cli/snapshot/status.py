"""`etcd-dr snapshot status FILE`: everything that an etcd database file tells by itself, whatever wraps it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.bootstrap.unwrapping import unwrap_ports
from etcd_dr.config import Target
from etcd_dr.domain.inspected_file import InspectedFile
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.status_document import status_document
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.errors import SnapshotDamaged
from etcd_dr.workflows.inspect_file import inspect_file


def command(
    run: Run,
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A snapshot or a member's database, in any envelope.", readable=False)
    ],
    full: Annotated[bool, typer.Option("--full", help="Compare the trailer's digest and compute HashKV, too.")] = False,
) -> int:
    """Examine a database file and print its numbers.

    Every page is read and checked. Hash, revision, keys and size as etcdutl prints them, and what it does not: both
    key counts, members, alarms, versions, and every damage with its place. Exit status 65 when it is damaged.
    """
    inspected = examine_file(run, file, full=full)
    return 0 if inspected.examination.is_intact else SnapshotDamaged.exit_status


def examine_file(run: Run, file: Path, *, full: bool) -> InspectedFile:
    """Examine a file, print what was found, and return it. `full`: with the trailer's digest and HashKV."""
    with stopped_by_signals() as switch:
        ports = unwrap_ports(Target(encryption=run.encryption()), run.surroundings(switch))
        inspected = inspect_file(file, ports=ports, with_hash_kv=full, check_trailer=full)

    def table() -> None:
        from etcd_dr.entrypoints.cli.snapshot.status_page import draw_page  # noqa: PLC0415 - JSON needs no rich

        draw_page(run.screen, inspected)

    run.answer(status_document(inspected), table=table)
    return inspected
