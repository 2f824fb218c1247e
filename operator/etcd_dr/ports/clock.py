"""Time and randomness, so that rules and workflows never ask the machine themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the wall clock as an aware UTC moment. It may jump; use `monotonic` for durations."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        ...


class TokenSource(Protocol):
    def token(self) -> str:
        """Return 48 fresh random bits as 12 lowercase hex digits; unguessable, and unique for all purposes."""
        ...
