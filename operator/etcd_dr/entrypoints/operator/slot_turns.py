"""Whose turn it is when a slot of the schedule is due, among the replicas of the operator.

- Alone, it is always ours.
- With a lease, it is ours too; the claim tells the others, and the decision sees to it that one snapshot comes of the
  slot, also when the lease went on to another replica while this one was paused (workflows/settle_slot.py).
- In survival mode the replica that led last comes first. The others wait a little where the store keeps writers apart,
  and the whole life of a claim where it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.schedule import CronSchedule, DueRun
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts, KeeperSlots
from etcd_dr.errors import Busy
from etcd_dr.ports.leadership import LeadershipMode, Term
from etcd_dr.workflows.settle_slot import Entered, Settled, Waiting

Confirm = Callable[[Manifest], None]
"""Asked when everything but the manifest is stored; raises Busy to give the snapshot up."""

Save = Callable[[Term, Confirm | None], None]

_LET_THE_LAST_LEADER_GO_FIRST = timedelta(seconds=15)


class SlotTurns:
    """Takes turns for one cluster; belongs to one thread at a time."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._clock = parts.surroundings.clock

    def take(self, run: DueRun, schedule: CronSchedule, term: Term, *, save: Save) -> datetime | None:
        """Save if it is our turn. Returns None when a snapshot was saved, else the moment at which to look again.

        Raises what saving raises, and StoreError.
        """
        slots = self._parts.slots
        if slots is None or term.mode is LeadershipMode.SOLE:
            save(term, None)
            return None
        now = self._clock.now()
        life = min(slots.life, schedule.longest_gap(now) / 2)
        turn_at = self._turn_at(run, term, life, now)
        if turn_at > now:
            return turn_at
        entry = slots.arbiter.enter(run.slot, term, life=life)
        if isinstance(entry, Entered):
            return self._save(slots, entry, term, save)
        self._tell(run, entry)
        if isinstance(entry, Waiting):
            return now + timedelta(seconds=entry.seconds)
        return schedule.start_of(schedule.next_after(now))

    def _turn_at(self, run: DueRun, term: Term, life: timedelta, now: datetime) -> datetime:
        """Return when it is our turn to try, which in survival mode depends on who led last."""
        if term.mode is not LeadershipMode.SURVIVAL or term.led_last:
            return now
        is_arbitrated = self._parts.store.guarantees().put_if_absent
        patience = min(_LET_THE_LAST_LEADER_GO_FIRST, life) if is_arbitrated else life
        survived = timedelta(seconds=term.survived_seconds)
        return max(run.start_at + patience, now + patience - survived)

    def _save(self, slots: KeeperSlots, entry: Entered, term: Term, save: Save) -> datetime | None:
        """Save, and give the slot back when that fails. A slot that turned out to be settled is no failure."""
        refused: list[Busy] = []

        def confirm(manifest: Manifest) -> None:
            try:
                slots.arbiter.decide(entry, manifest)
            except Busy as error:
                refused.append(error)
                raise

        is_saved = False
        try:
            save(term, confirm)
            is_saved = True
        except Busy as error:
            if error not in refused:
                raise
            self._parts.surroundings.events.emit("slot.lost", cluster=self._parts.cluster, reason=error.message)
            return self._clock.now() + timedelta(seconds=1)
        finally:
            if not is_saved:
                slots.arbiter.leave(entry)
        return None

    def _tell(self, run: DueRun, entry: Waiting | Settled) -> None:
        event = "slot.left_to_another" if isinstance(entry, Waiting) else "slot.settled"
        self._parts.surroundings.events.emit(
            event, cluster=self._parts.cluster, slot=run.slot.isoformat(), reason=entry.reason
        )
