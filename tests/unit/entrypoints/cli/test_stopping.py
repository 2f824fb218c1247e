"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal

import pytest

from etcd_dr.entrypoints.cli.stopping import stopped_by_signals


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
