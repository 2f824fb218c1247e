"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from etcd_dr.entrypoints.cli.stopping import LastWord, read_answer, stopped_by_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_asks_and_second_insists(number: signal.Signals) -> None:
    """Work gets the time to abort cleanly, and a person who cannot wait is obeyed."""
    with stopped_by_signals() as switch:
        os.kill(os.getpid(), number)
        assert switch.is_cancelled
        assert switch.reason == number.name

        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_handlers_are_put_back() -> None:
    """What stood there before stands there afterwards."""
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))

    with stopped_by_signals():
        pass

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_a_question_is_written_is_an_answer(number: signal.Signals) -> None:
    """Nothing is read any more, although there would be something to read: the person has left."""
    reading, writing = os.pipe()
    with stopped_by_signals(), os.fdopen(reading) as stdin, os.fdopen(writing, "w") as keyboard:
        keyboard.write("yes\n")
        keyboard.flush()
        os.kill(os.getpid(), number)

        assert read_answer(stdin) == ""


def test_signal_that_was_lost_before_throws_the_switch() -> None:
    """A KeyboardInterrupt that comes while a library compiles a pattern is only printed: the operator ran on for ever."""
    last_word = LastWord(tell=lambda _: None, may_end_hard=lambda: False)
    before = signal.signal(signal.SIGTERM, last_word)
    try:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)

        with stopped_by_signals() as switch:
            reason = switch.reason
    finally:
        signal.signal(signal.SIGTERM, before)

    assert reason == "SIGTERM"
