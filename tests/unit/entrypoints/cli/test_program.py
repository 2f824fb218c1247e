"""A signal that comes while the program is still being loaded is a wish to stop, and no bug."""

from __future__ import annotations

import io
import signal
from contextlib import suppress
from typing import Any

import pytest
import typer

from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.program import Call, carry_out, run
from etcd_dr.entrypoints.cli.stopping import LastWord
from etcd_dr.errors import Busy, Cancelled


class Told:
    """The streams of one call."""

    def __init__(self) -> None:
        self.stderr = io.StringIO()
        self.process = Process({}, io.StringIO(), io.StringIO(), self.stderr)


@pytest.fixture
def told() -> Told:
    return Told()


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def interrupt_a_class(*_: Any, **__: Any) -> None:
    """Be interrupted where a class is made, which is half of what loading libraries is."""

    class Interrupting:
        __set_name__ = interrupt

    class _Made:
        attribute = Interrupting()


@pytest.mark.parametrize("moment", [interrupt, interrupt_a_class])
def test_signal_before_the_command_begins_is_a_wish_to_stop(
    told: Told, monkeypatch: pytest.MonkeyPatch, moment: Any
) -> None:
    """About one start in a hundred that was stopped at once said "this is a bug in etcd-dr"."""
    monkeypatch.setattr(typer.main, "get_command", moment)

    status = run(["version"], told.process)

    assert status == Cancelled.exit_status
    assert told.stderr.getvalue().startswith("error: stopped on request (SIGINT)\n")


def test_signal_of_which_a_library_makes_an_error_of_its_own_is_a_wish_to_stop(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pydantic tells an interrupt while it builds a validator as a mistake in the model, and keeps no trace of it."""
    last_word = LastWord(tell=lambda _: None, may_end_hard=lambda: False)

    def build(*_: Any, **__: Any) -> None:
        with suppress(KeyboardInterrupt):
            last_word(signal.SIGTERM, None)
        raise LookupError("Error building validator")

    monkeypatch.setattr(typer.main, "get_command", build)

    status = carry_out(Call(told.process, ["version"]), last_word)

    assert status == Cancelled.exit_status
    assert told.stderr.getvalue().startswith("error: stopped on request (SIGTERM)\n")


def test_error_that_is_its_own_cause_is_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is raised again while it is handled closes a ring."""

    def fail(*_: Any, **__: Any) -> None:
        outer, inner = Busy("somebody else is at it"), LookupError("gone")
        outer.__cause__, inner.__context__ = inner, outer
        raise outer

    monkeypatch.setattr(typer.main, "get_command", fail)

    assert run(["version"], told.process) == Busy.exit_status
    assert told.stderr.getvalue().startswith("error: somebody else is at it\n")
