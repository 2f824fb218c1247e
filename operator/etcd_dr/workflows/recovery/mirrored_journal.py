"""A journal that is kept here first and mirrored to the store.

- An entry counts when it is here. What the mirror lacks is caught up in order with every later entry; a store that
  does not answer is left alone for a while, so that a recovery never waits for it twice in a row.
- A plan must reach both places: without it nobody could go on from the store.
- What one place has and the other lacks is copied when a journal is opened. Two journals of one recovery that tell
  different stories are never mixed: that is `JournalDamaged`, and says where they part.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import common_length
from etcd_dr.errors import JournalDamaged, StoreError
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.journal_store import JournalStore

_FIRST_RETRY_SECONDS = 5.0
_LAST_RETRY_SECONDS = 120.0


class MirroredJournal:
    """Implements ports.journal_store.JournalStore over two of them. `only_reads`: nothing is copied by reading."""

    def __init__(
        self, here: JournalStore, mirror: JournalStore, *, clock: Clock, events: EventSink, only_reads: bool = False
    ) -> None:
        self._only_reads = only_reads
        self._here = here
        self._mirror = mirror
        self._clock = clock
        self._events = events
        self._mutex = threading.RLock()
        self._missing: list[JournalEntry] = []
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._quiet_until: float | None = None

    @property
    def place(self) -> str:
        return f"{self._here.place}, mirrored to {self._mirror.place}"

    @property
    def lag(self) -> int:
        return len(self._missing)

    def create(self, plan: Plan) -> None:
        self._mirror.create(plan)
        self._here.create(plan)

    def append(self, entry: JournalEntry) -> None:
        """Keep the entry here, and in the mirror where that answers. Raises Busy where either has another one."""
        with self._mutex:
            self._here.append(entry)
            self._missing.append(entry)
            if self._quiet_until is None or self._clock.monotonic() >= self._quiet_until:
                self.catch_up()

    def catch_up(self) -> int:
        """Try to mirror what is missing there, now, and return how many entries still are. Raises Busy."""
        with self._mutex:
            try:
                while self._missing:
                    self._mirror.append(self._missing[0])
                    self._missing.pop(0)
            except StoreError as error:
                self._leave_alone(error)
            else:
                self._quiet_until, self._retry_seconds = None, _FIRST_RETRY_SECONDS
            return len(self._missing)

    def plan(self, recovery_id: str) -> Plan | None:
        """Return the plan, from here where it is; one that only the mirror has is copied here."""
        found = self._here.plan(recovery_id)
        if found is None:
            found = self._mirror.plan(recovery_id)
            if found is not None and not self._only_reads:
                self._here.create(found)
        return found

    def entries(self, recovery_id: str) -> tuple[JournalEntry, ...]:
        """Return the entries of the longer journal, and give the other place what it lacks.

        Raises JournalDamaged where the two tell different stories.
        """
        with self._mutex:
            here = self._here.entries(recovery_id)
            try:
                there = self._mirror.entries(recovery_id)
            except StoreError as error:
                if not here:
                    raise
                self._leave_alone(error)
                return here
            same = common_length(here, there)
            if same < min(len(here), len(there)):
                raise _parted(recovery_id, here=self._here.place, there=there[same], number=same + 1)
            self._missing = list(here[same:])
            if not self._only_reads:
                for entry in there[same:]:
                    self._here.append(entry)
                self.catch_up()
            return here if len(here) >= len(there) else there

    def recovery_ids(self) -> Sequence[str]:
        """Return the ids that either place knows; those of here alone where the mirror does not answer."""
        known = set(self._here.recovery_ids())
        try:
            known |= set(self._mirror.recovery_ids())
        except StoreError as error:
            self._leave_alone(error)
            if not known:
                raise
        return sorted(known)

    def put_report(self, recovery_id: str, name: str, body: bytes) -> None:
        self._here.put_report(recovery_id, name, body)
        try:
            self._mirror.put_report(recovery_id, name, body)
        except StoreError as error:
            self._leave_alone(error)

    def _leave_alone(self, error: StoreError) -> None:
        self._quiet_until = self._clock.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, _LAST_RETRY_SECONDS)
        self._events.emit(
            "journal.mirror_lags",
            level="warning",
            entries=len(self._missing),
            error_code=error.code,
            reason=error.message,
        )


def _parted(recovery_id: str, *, here: str, there: JournalEntry, number: int) -> JournalDamaged:
    return JournalDamaged(
        f"went on elsewhere: entry {number} in the store was written by {there.by or 'somebody'} at {there.at}, and "
        f"another one is in {here}",
        subject=f"recovery {recovery_id}",
        next_step="Go on from the store's journal, with a state directory that knows nothing of this recovery: "
        f"etcd-dr recover resume {recovery_id} --state-dir NEW_DIRECTORY",
        context={"number": number, "by": there.by},
    )
