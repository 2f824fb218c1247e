"""The schedule has cron's meaning, survives clock changes, and takes its state from the store."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.schedule import CronSchedule, next_run, retry_delay


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(schedule: CronSchedule, start: datetime, count: int) -> list[str]:
    def walk():
        moment = start
        while True:
            moment = schedule.next_after(moment)
            yield moment.strftime("%m-%dT%H:%M")

    return list(islice(walk(), count))


def schedule(fields: str, zone: str = "UTC", jitter: timedelta = timedelta(0), name: str = "prod") -> CronSchedule:
    return CronSchedule(fields=fields, time_zone=zone, name=name, jitter=jitter)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 0 * * 0", ["11-22T00:00", "11-29T00:00"]),
        ("0 0 * * 7", ["11-22T00:00", "11-29T00:00"]),
        ("0 0 * * 1-5", ["11-17T00:00", "11-18T00:00", "11-19T00:00", "11-20T00:00", "11-23T00:00"]),
        ("0 0 20 * 0", ["11-20T00:00", "11-22T00:00", "11-29T00:00"]),
    ],
)
def test_weekday_numbers_mean_what_cron_means(fields: str, expected: list[str]) -> None:
    """Sunday is 0 and 7, and restricted day-of-month and day-of-week are alternatives (crontab(5))."""
    assert slots(schedule(fields), at("2026-11-16T12:00"), len(expected)) == expected


def test_a_slot_repeated_by_the_end_of_summer_time_fires_once() -> None:
    """On 25 October 2026 in Berlin 02:30 exists twice; a nightly snapshot is taken once."""
    nightly = schedule("30 2 * * *", "Europe/Berlin")

    assert slots(nightly, at("2026-10-24T12:00"), 3) == ["10-25T00:30", "10-26T01:30", "10-27T01:30"]


def test_a_slot_skipped_by_the_start_of_summer_time_still_fires() -> None:
    """On 29 March 2026 in Berlin 02:30 does not exist; the run comes at 03:00 summer time."""
    nightly = schedule("30 2 * * *", "Europe/Berlin")

    assert slots(nightly, at("2026-03-28T12:00"), 2) == ["03-29T01:00", "03-30T00:30"]


def test_half_hourly_slots_have_no_hole_and_no_double_over_the_clock_change() -> None:
    """Wildcard minutes run through both 02:xx hours."""
    half_hourly = schedule("*/30 * * * *", "Europe/Berlin")

    walked = slots(half_hourly, at("2026-10-24T23:20"), 6)

    assert walked == ["10-24T23:30", "10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30", "10-25T02:00"]


@given(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_the_last_slot_and_the_next_slot_are_neighbours(moment: datetime) -> None:
    """Looking back and looking ahead agree at every moment of a year, both clock changes included."""
    quarter = schedule("*/15 1-4 * * *", "Europe/Berlin")

    last = quarter.last_at_or_before(moment)

    assert last <= moment < quarter.next_after(moment)
    assert quarter.next_after(last) == quarter.next_after(moment)


def test_a_fulfilled_slot_is_not_repeated_after_a_restart() -> None:
    """A process that starts at 03:10 sees the snapshot of 03:00 in the store and waits for 04:00."""
    run = next_run(schedule("0 * * * *"), newest_taken_at=at("2026-11-22T03:00:20"), now=at("2026-11-22T03:10"))

    assert run.slot == at("2026-11-22T04:00")


@pytest.mark.parametrize("minute", range(0, 90, 7))
def test_fulfilled_slot_is_not_repeated_in_the_hour_that_comes_twice(minute: int) -> None:
    """A look between 2:00 and 2:30 of the second time would find the first 2:30 still to come, and due: for half an hour
    each look would take a snapshot, and ask for the next look at once."""
    nightly = schedule("30 2 * * *", "Europe/Berlin")
    taken_at, now = at("2026-10-25T00:30") + timedelta(seconds=20), at("2026-10-25T00:31") + timedelta(minutes=minute)

    run = next_run(nightly, newest_taken_at=taken_at, now=now)

    assert run.slot == at("2026-10-26T01:30")


@pytest.mark.parametrize(
    ("fields", "zone", "near"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T22:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T22:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T04:00"),
        ("30 2 * * *", "Africa/Casablanca", "2026-02-14T23:00"),
        ("*/10 * * * *", "Australia/Lord_Howe", "2026-04-04T13:00"),
    ],
)
def test_slots_are_neighbours_over_every_change_of_the_clock(fields: str, zone: str, near: str) -> None:
    """The last one has come, the next one has not, and there is none between them."""
    over = schedule(fields, zone)
    moments = [at(near) + timedelta(minutes=5 * n, seconds=13) for n in range(84)]

    pairs = [(moment, over.last_at_or_before(moment), over.next_after(moment)) for moment in moments]

    assert all(last <= moment < following for moment, last, following in pairs)
    assert all(over.next_after(last) == following for _, last, following in pairs)


def test_missed_slots_are_made_up_for_once() -> None:
    """After an outage of five hours exactly one run is due, for the last slot."""
    run = next_run(schedule("0 * * * *"), newest_taken_at=at("2026-11-21T22:00:05"), now=at("2026-11-22T03:10"))

    assert run.slot == at("2026-11-22T03:00")
    assert run.is_due(at("2026-11-22T03:10"))


def test_an_empty_store_is_due_at_once() -> None:
    """A cluster that was never saved does not wait for its next slot."""
    assert next_run(schedule("0 3 * * *"), newest_taken_at=None, now=at("2026-11-22T12:00")).is_due(
        at("2026-11-22T12:00")
    )


def test_a_snapshot_from_the_future_does_not_stop_the_schedule() -> None:
    """One wrong clock must not silence backups until that future comes."""
    schedule_hourly = schedule("0 * * * *")

    run = next_run(schedule_hourly, newest_taken_at=at("2031-01-01T00:00"), now=at("2026-11-22T03:10"))

    assert run.slot == at("2026-11-22T04:00")


def test_jitter_is_bounded_stable_and_different_per_cluster() -> None:
    """Restarts do not move a run, and clusters do not start together."""
    slot = at("2026-11-22T03:00")
    delays = [schedule("0 * * * *", jitter=timedelta(minutes=5), name=f"c{n}").start_of(slot) - slot for n in range(50)]

    assert all(timedelta(0) <= delay < timedelta(minutes=5) for delay in delays)
    assert len(set(delays)) == 50
    assert schedule("0 * * * *", jitter=timedelta(minutes=5), name="c7").start_of(slot) - slot == delays[7]


def test_the_longest_gap_of_a_working_day_schedule_is_the_weekend() -> None:
    """Staleness is judged by the schedule, so a Friday snapshot is not stale on Sunday."""
    assert schedule("0 3 * * 1-5").longest_gap(at("2026-11-16T12:00")) == timedelta(days=3)


def test_retries_double_and_stay_below_half_a_gap() -> None:
    """A daily snapshot that fails is tried again within minutes, a minutely one does not pile up."""
    daily = [retry_delay(failures=n, gap=timedelta(days=1)) for n in range(1, 8)]

    assert daily[:4] == [timedelta(minutes=m) for m in (1, 2, 4, 8)]
    assert daily[-1] == timedelta(minutes=15)
    assert retry_delay(failures=9, gap=timedelta(minutes=2)) == timedelta(minutes=1)
