"""Writes the journal of one run, from several threads, and knows what its entries add up to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from etcd_dr.domain.recovery.journal import EntryKind, Facts, JournalEntry, JournalProgress
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.step import Step
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink, Level
from etcd_dr.ports.journal_store import JournalStore

OnEntry = Callable[[JournalEntry], object]

_LEVELS: dict[EntryKind, Level] = {EntryKind.FAILED: "error", EntryKind.STOPPED: "warning"}


class Recorder:
    """One per run. `on_entry` is told of each entry after it was kept; it must not raise."""

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[JournalEntry],
        *,
        journal: JournalStore,
        clock: Clock,
        events: EventSink,
        by: str,
        on_entry: OnEntry,
    ) -> None:
        self._plan = plan
        self._entries = list(entries)
        self._journal = journal
        self._clock = clock
        self._events = events
        self._by = by
        self._on_entry = on_entry
        self._mutex = threading.Lock()
        self._progress = JournalProgress.of(self._entries)

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        return tuple(self._entries)

    @property
    def progress(self) -> JournalProgress:
        return self._progress

    def write(
        self,
        kind: EntryKind,
        *,
        step: Step | None = None,
        detail: str = "",
        seconds: float | None = None,
        facts: Facts | None = None,
    ) -> JournalEntry:
        """Keep the next entry before returning it. Raises Busy where somebody else wrote it, and what keeping raises."""
        with self._mutex:
            entry = JournalEntry(
                recovery_id=self._plan.recovery_id,
                number=len(self._entries) + 1,
                at=self._clock.now(),
                kind=kind,
                step=step.id if step is not None else "",
                by=self._by,
                detail=detail,
                seconds=round(seconds, 3) if seconds is not None else None,
                facts=facts or {},
            )
            self._journal.append(entry)
            self._entries.append(entry)
            self._progress = JournalProgress.of(self._entries)
        self._tell(entry, step)
        return entry

    def _tell(self, entry: JournalEntry, step: Step | None) -> None:
        self._events.emit(
            f"recovery.{entry.kind.value.replace('-', '_')}",
            level=_LEVELS.get(entry.kind, "info"),
            cluster=self._plan.cluster,
            recovery=self._plan.recovery_id,
            number=entry.number,
            step=entry.step or None,
            node=step.node or None if step is not None else None,
            duration_seconds=entry.seconds,
            reason=entry.detail or None,
        )
        self._on_entry(entry)
