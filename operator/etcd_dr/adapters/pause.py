"""Waits that a wish to stop ends at once."""

from __future__ import annotations

import threading

from etcd_dr.errors import Cancelled
from etcd_dr.ports.cancellation import Cancellation


class CancellablePause:
    """Implements ports.pause.Pause."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation

    def __call__(self, seconds: float) -> None:
        woken = threading.Event()
        with self._cancellation.on_cancel(woken.set):
            if not self._cancellation.is_cancelled:
                woken.wait(seconds)
        if self._cancellation.is_cancelled:
            raise Cancelled(f"stopped on request ({self._cancellation.reason})", next_step="Run it again.")
