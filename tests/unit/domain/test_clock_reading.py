"""Clocks are apart only as far as no delay on the way explains what was read."""

from __future__ import annotations

import pytest

from etcd_dr.domain.clock_reading import ClockReading, certainly_apart


@pytest.mark.parametrize(
    ("readings", "apart"),
    [
        ((), 0.0),
        ((ClockReading(9.0, 0.5),), 0.0),
        ((ClockReading(0.0, 0.1), ClockReading(2.0, 2.1)), 0.0),
        ((ClockReading(0.0, 0.1), ClockReading(5.0, 2.0)), 2.9),
        ((ClockReading(0.0, 0.1), ClockReading(-5.0, 2.0), ClockReading(0.5, 0.1)), 3.4),
        ((ClockReading(-30.0, 0.0), ClockReading(30.0, 0.0), ClockReading(0.0, 100.0)), 60.0),
    ],
)
def test_distance_is_what_remains_between_the_farthest_readings(
    readings: tuple[ClockReading, ...], apart: float
) -> None:
    """Each reading is the middle of an interval; one that could be anything hides no difference of others."""
    assert certainly_apart(readings) == pytest.approx(apart)
