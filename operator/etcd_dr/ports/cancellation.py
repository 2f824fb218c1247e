"""A wish to stop, that reaches long work from outside: a signal, a shutdown, a deadline of the caller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Cancellation(Protocol):
    """Work looks at it between chunks and raises Cancelled; it is never taken back.

    Whoever asks to stop never waits for the work to hear it.
    """

    @property
    def is_cancelled(self) -> bool: ...

    @property
    def reason(self) -> str:
        """Why, for a person ("SIGTERM"); empty while nothing is cancelled."""
        ...

    def on_cancel(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Call `callback` once when the wish comes, from another thread, and at once when it has come already.

        Leaving the context takes the callback back. It is for waking work that is blocked in a call; it must be short
        and must not raise.
        """
        ...
