"""How far clocks are apart, as surely as questions that take their time can tell.

A question that stands still for seconds, on the way there or back, moves what was read by half of that: a difference
counts only as far as no such delay explains it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far another clock is ahead of ours (negative: behind), give or take `resolution_seconds`."""

    offset_seconds: float
    resolution_seconds: float

    @classmethod
    def between(cls, told: float, *, asked_at: float, answered_at: float, unit_seconds: float = 0.0) -> ClockReading:
        """Return the reading of a time that was told at some moment between two times of ours; all are Unix seconds.

        `unit_seconds` is what the other side cuts its time off to: 1 for `date +%s` and HTTP's Date header.
        """
        half_way, half_unit = (answered_at - asked_at) / 2, unit_seconds / 2
        return cls(told + half_unit - (asked_at + half_way), half_unit + half_way)

    @property
    def certain_seconds(self) -> float:
        """The least distance between the two clocks that explains the reading."""
        return max(0.0, abs(self.offset_seconds) - self.resolution_seconds)


def certainly_apart(readings: Collection[ClockReading]) -> float:
    """Return the least distance, in seconds, between the two clocks that are farthest apart; 0 where one may be all."""
    if not readings:
        return 0.0
    highest = max(reading.offset_seconds - reading.resolution_seconds for reading in readings)
    lowest = min(reading.offset_seconds + reading.resolution_seconds for reading in readings)
    return max(0.0, highest - lowest)
