"""The last question before something is changed: the cluster's name, typed by a person, or `--yes`."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import read_answer
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.errors import Cancelled, UsageError

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the cluster's name.")]


def confirm(run: Run, what: str, *, cluster: str, yes: bool, look_first: str = "with --dry-run") -> None:
    """Return once it is certain that `what` is wanted for `cluster`. `look_first` says how to see it beforehand.

    Raises Cancelled for another name, UsageError where nobody can be asked.
    """
    if yes:
        return
    if not run.stdin.isatty():
        raise UsageError(
            f"needs to be confirmed, and nobody can be asked here: {what}",
            subject=cluster,
            next_step=f"Look first {look_first}, then add --yes.",
        )
    screen = Screen(run.stderr)
    screen.write(f"{plain(what)}.\nType the name of the cluster ({cluster}) to go on: ")
    if read_answer(run.stdin).strip() != cluster:
        raise Cancelled(
            "was not confirmed, so nothing was changed",
            subject=cluster,
            next_step=f"Run it again and type {cluster}, or look first {look_first}.",
        )
