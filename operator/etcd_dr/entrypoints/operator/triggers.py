"""Cron for APScheduler, with cron's meaning.

APScheduler 3's own crontab parsing reads weekday 0 as Monday and joins day-of-month and day-of-week with *and*, so a
user's `0 0 * * 0` would fire on the wrong day. The slots come from our schedule instead (domain/schedule.py).
"""

from __future__ import annotations

from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

from etcd_dr.domain.schedule import CronSchedule


class CronSlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no type hints
    """Fires once for each slot of a schedule, its jitter included."""

    __slots__ = ("schedule",)

    def __init__(self, schedule: CronSchedule) -> None:
        self.schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the start of the first slot whose start lies after the previous one (or now, for the first)."""
        reference = previous_fire_time or now
        slot = self.schedule.last_at_or_before(reference)
        while (start := self.schedule.start_of(slot)) <= reference:
            slot = self.schedule.next_after(slot)
        return start

    def __str__(self) -> str:
        return f"cron[{self.schedule.fields} {self.schedule.time_zone}]"
