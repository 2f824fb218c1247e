"""A journal in memory that keeps the port's contract, and breaks it where a test says so.

journal = FakeJournalStore()
journal.fail(StoreUnreachable("gone"), times=3)       # the next appends
journal.on_append = lambda entry: ...                 # before it is kept; may raise
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import checked_entries, is_recovery_id, is_report_name
from etcd_dr.errors import Busy, EtcdDrError, UsageError


class FakeJournalStore:
    """Implements ports.journal_store.JournalStore."""

    def __init__(self, place: str = "memory") -> None:
        self.place = place
        self.lag = 0
        self.plans: dict[str, Plan] = {}
        self.kept: dict[str, dict[int, JournalEntry]] = {}
        self.reports: dict[tuple[str, str], bytes] = {}
        self.on_append: Callable[[JournalEntry], object] = lambda entry: None
        self._failures: list[EtcdDrError] = []
        self._mutex = threading.Lock()

    def fail(self, error: EtcdDrError, *, times: int = 1) -> None:
        """Raise this from the next calls that touch what is kept."""
        self._failures += [error] * times

    def recover(self) -> None:
        """Fail no more."""
        self._failures.clear()

    def create(self, plan: Plan) -> None:
        _check(plan.recovery_id)
        self._meet_failure()
        if self.plans.setdefault(plan.recovery_id, plan) != plan:
            raise Busy("a different plan is there already", subject=plan.recovery_id)

    def append(self, entry: JournalEntry) -> None:
        _check(entry.recovery_id)
        self._meet_failure()
        self.on_append(entry)
        with self._mutex:
            kept = self.kept.setdefault(entry.recovery_id, {})
            if kept.setdefault(entry.number, entry) != entry:
                raise Busy("another entry is there already", subject=entry.recovery_id)

    def plan(self, recovery_id: str) -> Plan | None:
        _check(recovery_id)
        self._meet_failure()
        return self.plans.get(recovery_id)

    def entries(self, recovery_id: str) -> tuple[JournalEntry, ...]:
        _check(recovery_id)
        self._meet_failure()
        return checked_entries(self.kept.get(recovery_id, {}).values(), recovery_id=recovery_id, subject=self.place)

    def recovery_ids(self) -> Sequence[str]:
        self._meet_failure()
        return sorted(self.plans)

    def put_report(self, recovery_id: str, name: str, body: bytes) -> None:
        _check(recovery_id)
        if not is_report_name(name):
            raise UsageError("is not the name of a report", subject=name)
        self._meet_failure()
        self.reports[recovery_id, name] = body

    def _meet_failure(self) -> None:
        if self._failures:
            raise self._failures.pop(0)


def _check(recovery_id: str) -> None:
    if not is_recovery_id(recovery_id):
        raise UsageError("is not the id of a recovery", subject=recovery_id)
