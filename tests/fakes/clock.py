"""Time that passes only when a test says so, and tokens that can be told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

MORNING = datetime(2026, 8, 20, 3, 0, tzinfo=UTC)


class FakeClock:
    """Both clocks of the port, moved by `advance`; usable as the `advance` of a FakeCluster."""

    def __init__(self, now: datetime = MORNING) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class CountingTokens:
    """Tokens in order: 000000000001, 000000000002, …"""

    def __init__(self) -> None:
        self._numbers = count(1)

    def token(self) -> str:
        return f"{next(self._numbers):012x}"
