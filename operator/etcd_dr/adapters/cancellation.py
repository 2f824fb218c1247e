"""A switch that stops work from outside: thrown by a signal handler or a shutdown, seen by every thread.

Whoever throws it never waits: callbacks run in threads of their own, because a signal handler interrupts the main
thread anywhere, also while it holds the very lock that a callback wants. Each has its own, so that one that fails or
hangs (a process that even SIGKILL does not end at once) keeps the wish from no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CancellationSwitch:
    """Implements ports.cancellation.Cancellation; one for each piece of work, or one for the whole process."""

    def __init__(self) -> None:
        self._reason = ""
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._mutex = threading.RLock()
        self._next_number = 0

    @property
    def is_cancelled(self) -> bool:
        return bool(self._reason)

    @property
    def reason(self) -> str:
        return self._reason

    def cancel(self, reason: str) -> None:
        """Throw the switch. Only the first reason counts; safe in a signal handler."""
        if self._reason:
            return
        self._reason = reason or "cancelled"
        threading.Thread(target=self._call_all, name="cancel", daemon=True).start()

    @contextmanager
    def on_cancel(self, callback: Callable[[], object]) -> Iterator[None]:
        with self._mutex:
            number = self._next_number
            self._next_number += 1
            self._callbacks[number] = callback
        if self.is_cancelled:
            threading.Thread(target=self._call, args=(number,), name="cancel", daemon=True).start()
        try:
            yield
        finally:
            with self._mutex:
                self._callbacks.pop(number, None)

    def _call_all(self) -> None:
        for number in list(self._callbacks):
            try:
                threading.Thread(target=self._call, args=(number,), name="cancel", daemon=True).start()
            except RuntimeError:  # no more threads are to be had
                self._call(number)

    def _call(self, number: int) -> None:
        """Call one back, once: whoever takes it out of the table is the one to call it."""
        with self._mutex:
            callback = self._callbacks.pop(number, None)
        if callback is not None:
            callback()
