"""Jobs go on when the clock is set back, after an error of the scheduler, and to their end at a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import apscheduler.schedulers.base
import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger

from etcd_dr.entrypoints.operator.job_scheduler import JobScheduler
from etcd_dr.entrypoints.operator.triggers import SteadyTrigger
from fakes.events import RecordingEvents

_PATIENCE_SECONDS = 30.0


class AdjustedClock:
    """The machine's clock, as it is after somebody has set it."""

    def __init__(self) -> None:
        self.error = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.error

    def monotonic(self) -> float:
        return time.monotonic()


class SuspendedClock:
    """The machine's clock, where the machine is suspended for hours just before and just after its second look."""

    def __init__(self) -> None:
        self.looks = 0
        self._suspended_seconds = 0.0

    def now(self) -> datetime:
        self.looks += 1
        pause_seconds = 5000.0 if self.looks == 2 else 0.0
        self._suspended_seconds += pause_seconds
        seen = datetime.now(UTC) + timedelta(seconds=self._suspended_seconds)
        self._suspended_seconds += pause_seconds
        return seen

    def monotonic(self) -> float:
        return time.monotonic() + self._suspended_seconds


class BrokenOnce(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no type hints
    """Fires ever again, and fails at its second question."""

    questions = 0

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        self.questions += 1
        if self.questions == 2:
            raise LookupError("no such time zone")
        return now + timedelta(milliseconds=20)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> AdjustedClock:
    """Lend a clock that APScheduler reads, too."""
    adjusted = AdjustedClock()

    class Adjusted(datetime):
        @classmethod
        def now(cls, _tz: Any = None) -> datetime:  # type: ignore[override]  # whoever reads it asks for UTC
            return adjusted.now()

    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Adjusted)
    return adjusted


@pytest.fixture
def events() -> RecordingEvents:
    return RecordingEvents()


@pytest.fixture
def scheduler(clock: AdjustedClock, events: RecordingEvents) -> Iterator[JobScheduler]:
    scheduler = JobScheduler(
        clock=clock,
        events=events,
        timezone=UTC,
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    yield scheduler
    scheduler.stop()


def test_jobs_go_on_after_the_clock_was_set_back(
    scheduler: JobScheduler, clock: AdjustedClock, events: RecordingEvents
) -> None:
    """A clock that was a day ahead is corrected: no round and no snapshot waits for tomorrow."""
    came = Event()
    scheduler.add_job(came.set, SteadyTrigger(timedelta(seconds=0.1), name="prod/health"))
    scheduler.start()
    assert came.wait(_PATIENCE_SECONDS)

    clock.error = -timedelta(days=1)
    came.clear()
    assert came.wait(_PATIENCE_SECONDS)  # the one that was begun already
    came.clear()

    assert came.wait(_PATIENCE_SECONDS)
    assert [event.fields["seconds"] for event in events.of("clock.set_back")] == [86400]


def test_clock_that_is_set_back_between_two_readings_costs_seconds(
    scheduler: JobScheduler, clock: AdjustedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reading sees nothing, and by the second one the next round is a day away."""
    came, set_back = Event(), Event()
    begin_jobs = BackgroundScheduler._process_jobs

    def set_back_and_begin_jobs(self: JobScheduler) -> float | None:
        if came.is_set() and not set_back.is_set():
            clock.error = -timedelta(days=1)
            set_back.set()
            came.clear()
        wait_seconds: float | None = begin_jobs(self)
        return wait_seconds

    monkeypatch.setattr(BackgroundScheduler, "_process_jobs", set_back_and_begin_jobs)
    scheduler.add_job(came.set, SteadyTrigger(timedelta(seconds=0.1), name="prod/health"))

    scheduler.start()
    assert set_back.wait(_PATIENCE_SECONDS)

    assert came.wait(_PATIENCE_SECONDS)


def test_what_waits_goes_on_waiting_for_as_long_as_before(scheduler: JobScheduler, clock: AdjustedClock) -> None:
    """A retry in a minute is one in a minute, whatever the clock says by then."""
    scheduler.add_job(print, DateTrigger(clock.now() + timedelta(minutes=1)), id="prod/again")
    scheduler.start()

    clock.error = -timedelta(hours=2)
    scheduler.add_job(print, DateTrigger(clock.now()))
    until(lambda: left_seconds(scheduler, clock) < 61)

    assert 40 < left_seconds(scheduler, clock) < 61


def test_pause_between_the_readings_of_two_clocks_is_no_clock_set_back(events: RecordingEvents) -> None:
    """A machine that was suspended between them has lost its time on both."""
    clock = SuspendedClock()
    scheduler = JobScheduler(clock=clock, events=events, timezone=UTC)

    scheduler.start()
    for _ in range(3):
        scheduler.add_job(print, SteadyTrigger(timedelta(hours=3), name="prod/health"))  # makes it look at its clocks
        seen = clock.looks
        until(lambda seen=seen: clock.looks > seen)  # type: ignore[misc]  # mypy knows no types of defaults
    scheduler.stop()

    assert events.of("clock.set_back") == []


def test_error_in_the_scheduler_is_told_and_ends_no_job(scheduler: JobScheduler, events: RecordingEvents) -> None:
    """APScheduler's thread ends with it: everything stands still, and the process looks well."""
    scheduler.add_job(print, BrokenOnce(), id="broken", next_run_time=datetime.now(UTC))

    scheduler.start()
    until(lambda: bool(events.of("scheduler.failed")))

    assert scheduler.is_alive
    assert events.of("scheduler.failed")[0].fields["error"] == "unexpected LookupError: no such time zone"


def test_stop_waits_for_a_job_that_asks_for_another_look(scheduler: JobScheduler) -> None:
    """APScheduler's own shutdown waits for it under the lock that it needs to ask."""
    begun, may_go_on, stopped = Event(), Event(), Event()

    def look() -> None:
        begun.set()
        may_go_on.wait(_PATIENCE_SECONDS)
        scheduler.add_job(print)
        stopped.wait(0.2)
        done.append("look")

    done: list[str] = []
    scheduler.add_job(look)
    scheduler.start()
    assert begun.wait(_PATIENCE_SECONDS)
    stopping = Thread(target=lambda: (scheduler.stop(), done.append("stop")), daemon=True)
    stopping.start()
    until(lambda: not scheduler.running)
    may_go_on.set()
    stopping.join(_PATIENCE_SECONDS)

    assert done == ["look", "stop"]
    assert not scheduler.is_alive


def left_seconds(scheduler: JobScheduler, clock: AdjustedClock) -> float:
    [job] = [job for job in scheduler.get_jobs() if job.id == "prod/again"]
    return float((job.next_run_time - clock.now()).total_seconds())


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it; the test's own assertions say what is missing."""
    limit, pause = time.monotonic() + _PATIENCE_SECONDS, Event()
    while not is_so() and time.monotonic() < limit:
        pause.wait(0.01)
