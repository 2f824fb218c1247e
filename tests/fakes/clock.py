"""Time that passes only when a test says so, and tokens that can be told apart."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import count

from etcd_dr.ports.clock import Clock

MORNING = datetime(2026, 8, 20, 3, 0, tzinfo=UTC)


class FakeClock:
    """Both clocks of the port, moved by `advance`, from any thread; usable as the `advance` of a FakeCluster."""

    def __init__(self, now: datetime = MORNING) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._moving = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        with self._moving:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds


class UnhurriedClock:
    """Tells the time of another clock, and lets no deadline come.

    For what asks several members side by side, where one that hangs moves the other clock: the time of that one's
    deadline would be over for all of them, and whoever had not answered yet would be silent, or not, by chance.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return 0.0


class CountingTokens:
    """Tokens in order: 000000000001, 000000000002, …"""

    def __init__(self) -> None:
        self._numbers = count(1)

    def token(self) -> str:
        return f"{next(self._numbers):012x}"
