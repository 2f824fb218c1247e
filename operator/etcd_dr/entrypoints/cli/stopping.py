"""Ctrl-C, SIGTERM or a lost terminal (SIGHUP): the first one asks for an end, and the end comes.

- A command that works for long asks for a switch (`stopped_by_signals`); in any other the signal is a KeyboardInterrupt.
- A store or a member that never answers must not hold a person up. So a command whose door says what a stop leaves
  behind is ended from outside when `PATIENCE_SECONDS` were not enough: as by SIGKILL, which every workflow survives,
  but with a word about it.
- A command that must clean up (the operator, the demo) has a door without such a sentence, and gets all the time it
  needs; its second signal is a KeyboardInterrupt.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.errors import Cancelled

PATIENCE_SECONDS = 1.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = "\x1b[?25h"


class LastWord:
    """The handler of this process's signals. `tell` says how it ended; `may_end_hard` is asked when a signal comes."""

    def __init__(self, *, tell: Callable[[Cancelled], object], may_end_hard: Callable[[], bool]) -> None:
        self._tell = tell
        self._may_end_hard = may_end_hard
        self._telling = threading.Lock()
        self.signal_name = ""
        self.has_interrupted = False
        """Whether a signal was made a KeyboardInterrupt, which libraries may make another error of (pydantic does)."""

    def __call__(self, number: int, _frame: object) -> None:
        self.has_interrupted = True
        self.heard(number)
        raise KeyboardInterrupt

    def heard(self, number: int) -> None:
        """Remember the signal, and see to it that the process ends. Safe in a signal handler."""
        if self.signal_name:
            return
        self.signal_name = signal.Signals(number).name
        if self._may_end_hard():
            timer = threading.Timer(PATIENCE_SECONDS, self._end)
            timer.daemon = True
            timer.start()

    def claim(self) -> bool:
        """Tell whether the caller is the one to say how the command ended: once true, afterwards false."""
        return self._telling.acquire(blocking=False)

    def _end(self) -> None:
        if self.claim():
            self._tell(stopped(self.signal_name))
            os._exit(Cancelled.exit_status)


def stopped(signal_name: str) -> Cancelled:
    """Return what is told of a command that a signal ended; what it left behind is known to its door."""
    return Cancelled(f"stopped on request ({signal_name or signal.SIGINT.name})")


def show_cursor(stream: TextIO) -> None:
    """Bring back the cursor that a progress bar may have hidden."""
    with suppress(OSError, ValueError):
        if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            stream.write(_SHOW_CURSOR)
            stream.flush()


def heard_signals() -> list[signal.Signals]:
    """Return the signals that end a command. What is ignored stays ignored: nohup says so on purpose."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def stopped_by_signals() -> Iterator[CancellationSwitch]:
    """Lend a switch that the first signal throws; a second one raises KeyboardInterrupt. Main thread only.

    A signal that came before throws it at once: where a library lets no exception out, its KeyboardInterrupt was lost.
    """
    before = {number: signal.getsignal(number) for number in heard_signals()}
    asking = _Asking(before)
    for number in before:
        signal.signal(number, asking)
    earlier = next((each.signal_name for each in before.values() if isinstance(each, LastWord)), "")
    if earlier:
        asking.switch.cancel(earlier)
    try:
        yield asking.switch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Asking:
    """The handler that throws a switch. `before` are the handlers that it stands for meanwhile."""

    def __init__(self, before: Mapping[signal.Signals, object]) -> None:
        self.switch = CancellationSwitch()
        self._before = before

    def __call__(self, number: int, _frame: object) -> None:
        if self.switch.is_cancelled:
            raise KeyboardInterrupt
        self.switch.cancel(signal.Signals(number).name)
        outer = self._before.get(signal.Signals(number))
        if isinstance(outer, LastWord):
            outer.heard(number)


def read_answer(stdin: TextIO) -> str:
    """Return the line that a person types; empty at the end of the input, and at a signal: both mean "stop here".

    A switch alone would not be heard: Python goes on reading after a signal handler has returned (PEP 475). One that
    was thrown while the question was being written counts as well.
    """
    if threading.current_thread() is not threading.main_thread():
        return stdin.readline()

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in heard_signals()}
    try:
        for number in before:
            signal.signal(number, interrupt)
        if any(isinstance(handler, _Asking) and handler.switch.is_cancelled for handler in before.values()):
            return ""
        return stdin.readline()
    except KeyboardInterrupt:
        return ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
