"""When a snapshot is due: cron slots, jitter, missed runs, and retries after failures.

Rules:
- The truth is the store, not a process: a slot is fulfilled when a committed snapshot was taken at or after it. So a
  restart neither forgets a slot nor repeats one, and two processes come to the same answer.
- Missed slots are coalesced: only the latest one that has passed can be due.
- Jitter is derived from the cluster's name and the slot, so that it is stable across restarts.
- All moments are aware and leave as UTC. Two moments of one zone compare by their wall clock in Python, which is wrong
  around the end of summer time; UTC has no such hour. cronsim goes by the wall clock, too: in the hour that comes twice
  it takes what has been for what is to come, so its slots are compared once more.

Cron semantics are Debian's, by cronsim: 0 and 7 are Sunday, day-of-month and day-of-week are alternatives when both
are restricted, a slot that the start of summer time skips fires right after it, one that its end repeats fires once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

_GAP_SAMPLE_SLOTS = 200
_RETRY_FIRST = timedelta(minutes=1)
_RETRY_LONGEST = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Five cron fields read in a time zone, each run up to `jitter` late. `name` seeds the jitter."""

    fields: str
    time_zone: str
    name: str
    jitter: timedelta = timedelta(0)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first slot strictly after `moment`."""
        return next(slot for slot in self._slots(moment) if slot > moment)

    def last_at_or_before(self, moment: datetime) -> datetime:
        """Return the latest slot that has come."""
        just_after = (moment + timedelta(minutes=1)).astimezone(ZoneInfo(self.time_zone))
        backwards = (slot.astimezone(UTC) for slot in CronSim(self.fields, just_after, reverse=True))
        slot = next(slot for slot in backwards if slot <= moment)
        while (later := self.next_after(slot)) <= moment:
            slot = later
        return slot

    def start_of(self, slot: datetime) -> datetime:
        """Return when the run for `slot` begins: the slot plus this cluster's jitter for it."""
        if not self.jitter:
            return slot
        seed = sha256(f"{self.name} {slot.astimezone(UTC).isoformat()}".encode()).digest()
        return slot + self.jitter * (int.from_bytes(seed[:8], "big") / 2**64)

    def longest_gap(self, moment: datetime) -> timedelta:
        """Return the longest time between two slots to come; what "too old" is measured by."""
        slots = islice(self._slots(moment), _GAP_SAMPLE_SLOTS)
        return max(later - earlier for earlier, later in pairwise(slots))

    def _slots(self, moment: datetime) -> Iterator[datetime]:
        local = moment.astimezone(ZoneInfo(self.time_zone))
        return (slot.astimezone(UTC) for slot in CronSim(self.fields, local))


@dataclass(frozen=True, slots=True)
class DueRun:
    """A slot that waits for its snapshot; the run begins at `start_at`, which may have passed."""

    slot: datetime
    start_at: datetime

    def is_due(self, now: datetime) -> bool:
        return self.start_at <= now


def next_run(schedule: CronSchedule, *, newest_taken_at: datetime | None, now: datetime) -> DueRun:
    """Return the run that is due or comes next, given when the newest committed snapshot was taken (None: never).

    A newest snapshot from the future (a clock that was off) does not stop the schedule: it counts as taken now.
    """
    last_slot = schedule.last_at_or_before(now)
    fulfilled = newest_taken_at is not None and min(newest_taken_at, now) >= last_slot
    slot = schedule.next_after(now) if fulfilled else last_slot
    return DueRun(slot=slot, start_at=schedule.start_of(slot))


def retry_delay(*, failures: int, gap: timedelta) -> timedelta:
    """Return how long to wait after the n-th failure in a row (n >= 1): doubling, at most 15 minutes or half a gap."""
    doubled = _RETRY_FIRST * (1 << min(failures - 1, 10))
    return min(doubled, _RETRY_LONGEST, max(gap / 2, timedelta(seconds=10)))
