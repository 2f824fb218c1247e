"""How far the clocks of nodes are apart for certain, whatever the questions took.

A question that stands still for seconds, on the way there or back, moves what was read by half of that: a difference
counts only as far as no such delay explains it.
"""

from __future__ import annotations

from collections.abc import Collection

from etcd_dr.domain.observation import ClockReading


def certainly_apart(readings: Collection[ClockReading]) -> float:
    """Return the least distance, in seconds, between the two clocks that are farthest apart; 0 where one may be all."""
    if not readings:
        return 0.0
    highest = max(reading.offset_seconds - reading.resolution_seconds for reading in readings)
    lowest = min(reading.offset_seconds + reading.resolution_seconds for reading in readings)
    return max(0.0, highest - lowest)
