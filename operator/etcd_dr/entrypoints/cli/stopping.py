"""Ctrl-C and SIGTERM while something is under way: the first one asks it to stop cleanly, the second one insists."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from etcd_dr.adapters.cancellation import CancellationSwitch

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals() -> Iterator[CancellationSwitch]:
    """Lend a switch that the first signal throws; a second one raises KeyboardInterrupt. Main thread only."""
    switch = CancellationSwitch()

    def ask(number: int, _frame: object) -> None:
        if switch.is_cancelled:
            raise KeyboardInterrupt
        switch.cancel(signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield switch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
