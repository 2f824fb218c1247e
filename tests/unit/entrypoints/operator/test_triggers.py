"""APScheduler is told the slots of our schedule, and nothing else."""

import itertools
from datetime import UTC, datetime, timedelta

from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.entrypoints.operator.triggers import CronSlotTrigger, SteadyTrigger


def fire_times(trigger: CronSlotTrigger | SteadyTrigger, start: datetime, count: int) -> list[datetime]:
    fired: list[datetime] = []
    for _ in range(count):
        fired.append(trigger.get_next_fire_time(fired[-1] if fired else None, fired[-1] if fired else start))
    return fired


def test_sunday_is_sunday() -> None:
    """APScheduler's own crontab parsing fires `0 0 * * 0` on Monday."""
    trigger = CronSlotTrigger(CronSchedule("0 0 * * 0", "UTC", "prod"))

    fired = trigger.get_next_fire_time(None, datetime(2026, 11, 18, tzinfo=UTC))

    assert fired.strftime("%A %d") == "Sunday 22"


def test_every_slot_fires_once_with_its_jitter() -> None:
    """A jitter that reaches into the next slot neither skips nor repeats one."""
    schedule = CronSchedule("*/10 * * * *", "UTC", "prod", jitter=timedelta(minutes=9))
    start = datetime(2026, 11, 18, tzinfo=UTC)

    fired = fire_times(CronSlotTrigger(schedule), start, 50)

    slots = [schedule.last_at_or_before(moment) for moment in fired]
    assert fired == [schedule.start_of(slot) for slot in slots]
    assert [later - earlier for earlier, later in itertools.pairwise(slots)] == [timedelta(minutes=10)] * 49


def test_the_repeated_hour_fires_once() -> None:
    """On 25 October 2026 02:30 comes twice in Berlin."""
    trigger = CronSlotTrigger(CronSchedule("30 2 * * *", "Europe/Berlin", "prod"))

    fired = fire_times(trigger, datetime(2026, 10, 24, 12, tzinfo=UTC), 2)

    assert [moment.isoformat() for moment in fired] == ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]


def test_rounds_of_many_clusters_are_spread_over_the_period() -> None:
    """Fifty clusters are looked at evenly, not at one instant; no tenth of the period has more than a fifth of them."""
    start, period = datetime(2026, 11, 18, tzinfo=UTC), timedelta(seconds=30)

    first = [SteadyTrigger(period, name=f"c{n}/health").get_next_fire_time(None, start) for n in range(50)]

    tenths = [int((moment - start) / period * 10) for moment in first]
    assert all(start < moment <= start + period for moment in first)
    assert max(tenths.count(tenth) for tenth in range(10)) <= 10


def test_round_comes_once_in_each_period_also_after_a_first_look_out_of_turn() -> None:
    """And at the same place after a restart."""
    trigger = SteadyTrigger(timedelta(seconds=30), name="prod/health")
    start = datetime(2026, 11, 18, 3, 0, 7, 123456, tzinfo=UTC)

    fired = fire_times(trigger, start, 50)
    restarted = fire_times(trigger, start + timedelta(seconds=600), 1)

    assert [later - earlier for earlier, later in itertools.pairwise(fired)] == [timedelta(seconds=30)] * 49
    assert restarted[0] in fired


def test_nothing_that_was_missed_is_worked_off() -> None:
    """A clock that jumps from 1970 to now would make APScheduler list every round of half a century."""
    steady = SteadyTrigger(timedelta(seconds=30), name="prod/health")
    cron = CronSlotTrigger(CronSchedule("0 * * * *", "UTC", "prod"))
    long_ago, now = datetime(1970, 1, 2, tzinfo=UTC), datetime(2026, 11, 18, 3, 5, tzinfo=UTC)

    moments = [trigger.get_next_fire_time(long_ago, now) for trigger in (steady, cron)]

    assert now < moments[0] <= now + timedelta(seconds=30)
    assert moments[1] == datetime(2026, 11, 18, 4, tzinfo=UTC)
