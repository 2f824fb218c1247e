"""Lanes: side by side, bounded, and never waited for beyond the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.workflows.ask_in_lanes import Lanes


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end of the test, so that no thread outlives it."""
    event = threading.Event()
    yield event
    event.set()


def waited(lanes: Lanes, *started: object, seconds: float) -> float:
    begun = time.monotonic()
    lanes.wait(started, until=begun + seconds)  # type: ignore[arg-type]  # only lanes are passed
    return time.monotonic() - begun


def test_questions_are_asked_side_by_side() -> None:
    """Each needs the other one to be under way, so one after the other they would hang."""
    lanes, meeting = Lanes(SystemClock()), threading.Barrier(3)

    started = [lanes.start(f"lane {n}", lambda: meeting.wait(10) and None) for n in range(3)]
    lanes.wait(started, until=time.monotonic() + 10)

    assert all(lane.is_done for lane in started)


def test_lane_that_hangs_is_not_waited_for(release: threading.Event) -> None:
    """The deadline is for all of them together."""
    lanes = Lanes(SystemClock())
    started = [lanes.start(f"lane {n}", lambda: release.wait(30) and None) for n in range(100)]

    assert waited(lanes, *started, seconds=0.2) < 10  # one after the other would take 20
    assert not any(lane.is_done for lane in started)


def test_name_that_still_hangs_is_not_asked_again(release: threading.Event) -> None:
    """So one thread is lost for each name at most, round after round."""
    lanes = Lanes(SystemClock())
    lanes.start("dns", lambda: release.wait(30) and None)

    again = [lanes.start("dns", lambda: pytest.fail("must not run")) for _ in range(50)]

    assert all(lane.was_refused and lane.is_done for lane in again)


def test_name_is_free_again_when_its_lane_ended(release: threading.Event) -> None:
    """A lookup that came back late is no mark for ever."""
    lanes = Lanes(SystemClock())
    first = lanes.start("dns", lambda: release.wait(30) and None)
    release.set()
    lanes.wait([first], until=time.monotonic() + 10)

    assert not lanes.start("dns", lambda: None).was_refused


def test_all_lanes_together_are_bounded(release: threading.Event) -> None:
    """Whatever a member list says, there is an end to the threads."""
    lanes = Lanes(SystemClock(), limit=4)

    started = [lanes.start(f"lane {n}", lambda: release.wait(30) and None) for n in range(10)]

    assert [lane.was_refused for lane in started] == [False] * 4 + [True] * 6


def test_lane_that_ends_in_an_error_is_done_and_frees_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect must not look like a member that hangs."""
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: seen.append(hook.exc_type))  # the interpreter's, not ours
    lanes = Lanes(SystemClock())

    lane = lanes.start("broken", lambda: {}["missing"])
    lanes.wait([lane], until=time.monotonic() + 10)

    assert lane.is_done
    assert seen == [KeyError]
    assert not lanes.start("broken", lambda: None).was_refused


def test_lane_for_which_there_was_no_thread_does_not_count_as_hanging() -> None:
    """A pod at its limit of processes must not be blind to a member until it is started again."""
    lanes = Lanes(SystemClock())
    before = threading.stack_size(1 << 46)  # more than there is: no thread can be made
    try:
        with pytest.raises(RuntimeError):
            lanes.start("m1", lambda: None)
    finally:
        threading.stack_size(before)

    lane = lanes.start("m1", lambda: None)

    assert not lane.was_refused
