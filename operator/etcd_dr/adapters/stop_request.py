"""A wish to stop that a signal handler may make at any instruction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from threading import Lock, Thread


class StopRequest:
    """Implements ports.cancellation.Cancellation; `ask` makes the wish.

    `ask` takes no lock and waits for nobody, because it may run in a signal handler on top of the very thread that
    holds the lock: a thread of its own calls the callbacks.
    """

    def __init__(self) -> None:
        self._reason = ""
        self._is_cancelled = False
        self._lock = Lock()
        self._callbacks: dict[object, Callable[[], object]] = {}

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    @property
    def reason(self) -> str:
        return self._reason

    def ask(self, reason: str) -> None:
        """Make the wish; the first reason stays."""
        if not self._is_cancelled:
            self._reason = reason
            self._is_cancelled = True
            Thread(target=self._tell_everybody, name="stop-request", daemon=True).start()

    @contextlib.contextmanager
    def on_cancel(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call `callback` once, from another thread, when the wish comes or has come already."""
        key = object()
        with self._lock:
            self._callbacks[key] = callback
        if self._is_cancelled:
            Thread(target=self._tell, args=(key,), name="stop-request", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.pop(key, None)

    def _tell_everybody(self) -> None:
        with self._lock:
            keys = list(self._callbacks)
        for key in keys:
            self._tell(key)

    def _tell(self, key: object) -> None:
        with self._lock:
            callback = self._callbacks.pop(key, None)
        if callback is not None:
            callback()
