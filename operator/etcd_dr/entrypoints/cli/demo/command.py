"""`etcd-dr demo`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.adapters.event_log import NoEvents
from etcd_dr.bootstrap.stores import open_store
from etcd_dr.entrypoints.cli.answers import Output
from etcd_dr.entrypoints.cli.demo.acts import Demo
from etcd_dr.entrypoints.cli.demo.stage import find_etcd, set_stage
from etcd_dr.entrypoints.cli.human import duration
from etcd_dr.entrypoints.cli.progress import NoProgress
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import draw, styled
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.errors import Cancelled, UsageError


def command(
    run: Run,
    *,
    etcd_dir: Annotated[
        Path | None,
        typer.Option(
            "--etcd-dir", metavar="DIR", help="Where etcd and etcdctl are [env: ETCD_DR_ETCD_DIRS].", readable=False
        ),
    ] = None,
) -> None:
    """Show it all on a real cluster of its own, in under a minute.

    Three members, two snapshots, their proofs, a flipped bit, a dead member. Everything runs on loopback and is
    cleaned up; exit status 0 means that all of it happened as promised.
    """
    if run.output is not Output.TABLE:
        raise UsageError("the demo is for people and has no other form", subject=f"--output {run.output.value}")
    binaries = find_etcd(etcd_dir, run.environment)
    shared = replace(run.surroundings(), progress=NoProgress(), events=NoEvents())
    begun = shared.clock.monotonic()
    screen = Screen(run.process.stdout, columns=None if run.screen.is_terminal else 80)
    draw(screen, styled(f"etcd-dr demo: a real etcd {binaries.version} on this machine", "strong"))
    try:
        with set_stage(binaries) as stage, closing(open_store(stage.target.need_store(), shared)) as store:
            Demo(stage, store, shared, screen).perform()
    except KeyboardInterrupt as error:
        raise Cancelled(
            "was stopped; its processes and files are gone", subject="demo", next_step="Run it again: etcd-dr demo"
        ) from error
    took = duration(timedelta(seconds=shared.clock.monotonic() - begun))
    screen.line()
    draw(screen, styled(f"All of it happened as promised, in {took}; nothing is left behind.", "good"))
