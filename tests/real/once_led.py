"""Asks etcd again what an election cut off, as etcd's own clients do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from etcd_dr.errors import MemberTimeout, MemberUnreachable

Answer = TypeVar("Answer")

_SECONDS = 60.0
_BETWEEN_TRIES_SECONDS = 0.05


def once_led(ask: Callable[[], Answer]) -> Answer:
    """Return the answer to a question, asked again for as long as an election may last on a busy machine.

    A change that was cut off may have been made: `ask` may be one only where making it twice is the same.
    """
    ends = time.monotonic() + _SECONDS
    while True:
        try:
            return ask()
        except (MemberTimeout, MemberUnreachable):
            if time.monotonic() >= ends:
                raise
            time.sleep(_BETWEEN_TRIES_SECONDS)
