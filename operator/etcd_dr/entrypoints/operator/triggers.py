"""Cron for APScheduler, with cron's meaning, and periods that do not fall together.

APScheduler 3's own crontab parsing reads weekday 0 as Monday and joins day-of-month and day-of-week with *and*, so a
user's `0 0 * * 0` would fire on the wrong day. The slots come from our schedule instead (domain/schedule.py).

Its intervals begin with the first run, which is the start of the process: the rounds of all clusters would come at the
same instant for ever.

What was missed is skipped: APScheduler asks for each missed run, to make one of them all. On a machine without a clock
of its own, whose time jumps forward by years once it is told, that would be gigabytes of moments.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from apscheduler.triggers.base import BaseTrigger

from etcd_dr.domain.schedule import CronSchedule


class CronSlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no type hints
    """Fires once for each slot of a schedule, its jitter included."""

    __slots__ = ("schedule",)

    def __init__(self, schedule: CronSchedule) -> None:
        self.schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the start of the first slot that starts after now, and after the previous one."""
        reference = max(previous_fire_time or now, now)
        slot = self.schedule.last_at_or_before(reference)
        while (start := self.schedule.start_of(slot)) <= reference:
            slot = self.schedule.next_after(slot)
        return start

    def __str__(self) -> str:
        return f"cron[{self.schedule.fields} {self.schedule.time_zone}]"


class SteadyTrigger(BaseTrigger):  # type: ignore[misc]  # as above
    """Fires once in each period, at a place in it that the job's name decides: evenly for many, always the same for one."""

    __slots__ = ("period", "phase")

    def __init__(self, period: timedelta, *, name: str) -> None:
        self.period = period
        self.phase = period * (int.from_bytes(sha256(name.encode()).digest()[:8], "big") / 2**64)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the first moment of this phase after now, and after the previous one."""
        since_epoch = max(previous_fire_time or now, now) - _EPOCH - self.phase
        return _EPOCH + self.phase + (since_epoch // self.period + 1) * self.period

    def __str__(self) -> str:
        return f"every {self.period}, {self.phase} after"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
