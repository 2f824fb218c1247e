"""The last question before something is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.confirmation import confirm
from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import Cancelled, UsageError
from scenarios.command_line import Stream


def run_with(typed: str | None) -> tuple[Run, Stream]:
    err = Stream()
    stdin = Stream(typed or "", is_terminal=typed is not None)
    return Run(GlobalOptions(), Process({}, stdin, Stream(), err, (Path("/nonexistent"),))), err


def test_name_of_the_cluster_goes_on() -> None:
    """What is going to happen is said before the question."""
    run, err = run_with("prod\n")

    confirm(run, "2 snapshots are going to be removed", cluster="prod", yes=False)

    assert err.getvalue() == ("2 snapshots are going to be removed.\nType the name of the cluster (prod) to go on: ")


@pytest.mark.parametrize("typed", ["y\n", "yes\n", "prod2\n", "\n", ""])
def test_anything_else_changes_nothing(typed: str) -> None:
    """A habit of typing y is no confirmation."""
    run, _ = run_with(typed)

    with pytest.raises(Cancelled, match="nothing was changed"):
        confirm(run, "x", cluster="prod", yes=False)


def test_where_nobody_can_be_asked_yes_must_be_said() -> None:
    """A script that forgot --yes ends at once, instead of waiting for ever."""
    run, _ = run_with(None)

    with pytest.raises(UsageError) as raised:
        confirm(run, "x", cluster="prod", yes=False)

    assert "--yes" in raised.value.next_step


def test_yes_asks_nothing() -> None:
    """Not even on a terminal."""
    run, err = run_with("no\n")

    confirm(run, "x", cluster="prod", yes=True)

    assert err.getvalue() == ""
