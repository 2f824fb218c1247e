"""Where restore points lie on the line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.entrypoints.web.timeline import RANGES, timeline_of
from fakes.catalogue import snapshot
from fakes.clock import MORNING

HOUR = timedelta(hours=1)


def test_now_is_on_the_right_and_the_beginning_on_the_left() -> None:
    """Half a day before now is in the middle of a day."""
    points = [snapshot(MORNING - n * 12 * HOUR) for n in (0, 1, 2)]

    line = timeline_of(points, now=MORNING, range_name="24h")

    (lane,) = [lane for lane in line.lanes if lane.marks]
    assert (lane.kind, [mark.x for mark in lane.marks]) == ("intact", [100.0, 50.0, 0.0])


def test_every_kind_has_its_lane() -> None:
    """Shape and place tell what colour repeats; the three levels that count are there even when empty."""
    points = [snapshot(MORNING - n * HOUR, state=state) for n, state in enumerate(("damaged", "unproven", "stored"))]

    line = timeline_of(points, now=MORNING, range_name="24h")

    assert [lane.kind for lane in line.lanes] == ["restorable", "consistent", "intact", "stored", "unproven", "damaged"]
    assert [len(lane.marks) for lane in line.lanes] == [0, 0, 0, 1, 1, 1]


def test_the_range_is_the_shortest_that_has_enough_to_show() -> None:
    """Hourly snapshots fill a day; daily ones a month."""
    hourly = [snapshot(MORNING - n * HOUR) for n in range(100)]
    daily = [snapshot(MORNING - n * 24 * HOUR) for n in range(20)]

    assert timeline_of(hourly, now=MORNING, range_name="").range_name == "24h"
    assert timeline_of(daily, now=MORNING, range_name="nonsense").range_name == "30d"
    assert timeline_of(daily, now=MORNING, range_name="7d").hidden == 12


@pytest.mark.parametrize("range_name", RANGES)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_ticks_are_few_and_within(range_name: str, count: int) -> None:
    """Also for a store that is empty or has just begun, and for a clock that was off."""
    points = [snapshot(MORNING + HOUR - n * HOUR) for n in range(count)]

    line = timeline_of(points, now=MORNING, range_name=range_name)

    assert len(line.ticks) <= 7
    assert all(0 <= tick.x <= 96.1 for tick in line.ticks)
    assert all(0 <= mark.x <= 100 for lane in line.lanes for mark in lane.marks)
