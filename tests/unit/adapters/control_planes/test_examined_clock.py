"""How surely a node's clock is read over a shell: login, script and answer take time."""

from __future__ import annotations

from collections.abc import Callable

from etcd_dr.adapters.control_planes.examination.evidence import clock_reading
from etcd_dr.adapters.control_planes.examination.node import Interview
from etcd_dr.domain.clock_reading import ClockReading
from fakes.clock import FakeClock


class SlowShell:
    """Implements Shell: logs in for two seconds, says the clock, and half a second later the rest."""

    node, place = "cp1", "ssh cp1"

    def __init__(self, clock: FakeClock, *, ahead_seconds: int = 0) -> None:
        self._clock = clock
        self._ahead = ahead_seconds

    def run(
        self, script: str, *arguments: str, deadline: float, write: Callable[[bytes], object], **more: object
    ) -> None:
        mark = arguments[0]
        self._clock.advance(2.0)
        write(f"welcome\n{mark} clock\n".encode())
        self._clock.advance(0.5)
        write(f"{int(self._clock.now().timestamp()) + self._ahead}\n".encode())
        self._clock.advance(0.5)
        write(f"{mark} hostname\ncp1\n".encode())
        self._clock.advance(10.0)
        write(f"{mark} swaps\n".encode())


def reading(*, ahead_seconds: int = 0) -> ClockReading | None:
    clock = FakeClock()
    shell = SlowShell(clock, ahead_seconds=ahead_seconds)
    interview = Interview(shell, clock=clock, until=float("inf"), seconds_per_command=1)  # type: ignore[arg-type]  # only `run` is called
    said = interview.ask("")
    return clock_reading(said, asked_at=interview.asked_at, answered_at=interview.answered_at)


def test_clock_is_read_between_the_question_and_the_next_answer() -> None:
    """Three seconds and the one that whole seconds hide: half of that to each side, and the truth is within."""
    found = reading()

    assert found is not None
    assert found.resolution_seconds == 2.0
    assert abs(found.offset_seconds) <= found.resolution_seconds


def test_clock_that_is_off_is_off_beyond_the_delay() -> None:
    """A minute is a minute, give or take the same."""
    found = reading(ahead_seconds=60)

    assert found is not None
    assert abs(found.offset_seconds - 60) <= found.resolution_seconds
    assert found.resolution_seconds == 2.0
