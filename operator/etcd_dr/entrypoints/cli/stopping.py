"""Ctrl-C, SIGTERM or a lost terminal (SIGHUP): the first one asks what is under way to stop cleanly, the second insists."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from etcd_dr.adapters.cancellation import CancellationSwitch

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals() -> Iterator[CancellationSwitch]:
    """Lend a switch that the first signal throws; a second one raises KeyboardInterrupt. Main thread only."""
    switch = CancellationSwitch()

    def ask(number: int, _frame: object) -> None:
        if switch.is_cancelled:
            raise KeyboardInterrupt
        switch.cancel(signal.Signals(number).name)

    # What is ignored stays ignored: nohup says so on purpose.
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield switch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
