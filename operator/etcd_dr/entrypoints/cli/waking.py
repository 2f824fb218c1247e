"""Wakes the main thread when a signal has come, so that Ctrl-C and SIGTERM are heard whatever the process does.

Python runs the handler of a signal in the main thread, once that thread is back from the call that it waits in. A
signal that the kernel hands to another thread interrupts nothing there: a main thread that waits for a lock or a socket
sleeps on, and nobody is obeyed. While other threads started processes, about one SIGTERM in four was lost like that
(CPython 3.11 and Linux 6.18; tests/real/test_signals.py).

So whatever thread was hit tells this module by `signal.set_wakeup_fd`, and a thread of its own sends the main thread a
signal that is for it alone, until it has woken. SIGURG means nothing to anybody here, and is ignored by default.
"""

from __future__ import annotations

import os
import signal
import threading
import time

_POKE = signal.SIGURG
_AGAIN_SOON_SECONDS = 0.05
_AGAIN_SECONDS = 1.0
"""gRPC looks for signals every 200 ms, but begins these anew whenever it is interrupted (_INTERRUPT_CHECK_PERIOD_MS;
ev_epoll1_linux.cc, EINTR): a poke every 50 ms kept it, and with it the main thread, for ever."""


def wake_at_signals() -> None:
    """See to it, for the rest of this process, that a signal wakes its main thread. To be called there, once."""
    _Waking().start()


class _Waking:
    def __init__(self) -> None:
        self._main = threading.main_thread().ident or 0
        self._is_awake = True
        self._told, tells = os.pipe()
        os.set_blocking(tells, False)  # a handler must never wait
        signal.signal(_POKE, self._woken)
        signal.set_wakeup_fd(tells, warn_on_full_buffer=False)  # full: there is enough to be told already

    def start(self) -> None:
        threading.Thread(target=self._run, name="signals", daemon=True).start()

    def _woken(self, _number: int, _frame: object) -> None:
        self._is_awake = True

    def _run(self) -> None:
        while True:
            if set(os.read(self._told, 4096)) - {_POKE}:
                self._wake()

    def _wake(self) -> None:
        """Poke until the main thread has run handlers: it may have been on its way into a call at the first poke."""
        self._is_awake = False
        pause = _AGAIN_SOON_SECONDS
        while not self._is_awake:
            signal.pthread_kill(self._main, _POKE)
            time.sleep(pause)
            pause = _AGAIN_SECONDS
