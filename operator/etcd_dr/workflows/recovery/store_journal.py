"""The journal in the object store, below the cluster's `recoveries/`, so that anyone with the store can go on.

- Every object but a report is put if absent. The very same bytes are success: an answer may have been lost.
- Without conditional writes the store looks before it puts; a racing writer can slip through (docs/recovery.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import (
    MAX_ENTRY_BYTES,
    MAX_PLAN_BYTES,
    checked_entries,
    damaged,
    entry_name,
    entry_number,
    is_recovery_id,
    is_report_name,
    parse_entry,
    parse_plan,
    record_bytes,
)
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import Busy, ObjectExists, ObjectMissing, UsageError
from etcd_dr.ports.object_store import ObjectStore, StoredObject
from etcd_dr.workflows.read_catalogue import RecordCache

_PARALLEL_READS = 8


class StoreJournal:
    """Implements ports.journal_store.JournalStore in an object store.

    For somebody who looks again and again: `cache` remembers entries, and a journal of more than
    `most_entries` is damaged.
    """

    def __init__(
        self,
        store: ObjectStore,
        layout: ClusterLayout,
        *,
        cache: RecordCache | None = None,
        most_entries: int | None = None,
    ) -> None:
        self._store = store
        self._layout = layout
        self._cache = cache
        self._most_entries = most_entries

    @property
    def place(self) -> str:
        return self._store.url(self._layout.recoveries)

    @property
    def lag(self) -> int:
        return 0

    def create(self, plan: Plan) -> None:
        key = f"{self._folder(plan.recovery_id)}plan.json"
        self._keep(key, record_bytes(plan), limit_bytes=MAX_PLAN_BYTES, what="a different plan")

    def append(self, entry: JournalEntry) -> None:
        key = f"{self._folder(entry.recovery_id)}journal/{entry_name(entry.number)}"
        self._keep(key, record_bytes(entry), limit_bytes=MAX_ENTRY_BYTES, what="another entry")

    def plan(self, recovery_id: str) -> Plan | None:
        key = f"{self._folder(recovery_id)}plan.json"
        try:
            body = self._store.get(key, limit_bytes=MAX_PLAN_BYTES)
        except ObjectMissing:
            return None
        return parse_plan(body, subject=self._store.url(key))

    def entries(self, recovery_id: str) -> tuple[JournalEntry, ...]:
        folder = f"{self._folder(recovery_id)}journal/"
        listed = self._store.list(folder)
        numbered = [stored for stored in listed if entry_number(stored.key.removeprefix(folder)) is not None]
        if self._most_entries is not None and len(numbered) > self._most_entries:
            raise damaged(f"{len(numbered)} entries are more than any recovery writes", subject=self._store.url(folder))
        with ThreadPoolExecutor(_PARALLEL_READS, thread_name_prefix="journal") as pool:
            found = list(pool.map(self._entry, numbered))
        return checked_entries(found, recovery_id=recovery_id, subject=self._store.url(folder))

    def recovery_ids(self) -> Sequence[str]:
        names = self._store.list_folders(self._layout.recoveries)
        return sorted(name for name in names if is_recovery_id(name))

    def put_report(self, recovery_id: str, name: str, body: bytes) -> None:
        if not is_report_name(name):
            raise UsageError("is not the name of a report", subject=name[:80])
        self._store.put(f"{self._folder(recovery_id)}{name}", body, if_absent=False)

    def _entry(self, stored: StoredObject) -> JournalEntry:
        known = self._cache.get(stored) if self._cache is not None else None
        if isinstance(known, JournalEntry):
            return known
        body = self._store.get(stored.key, limit_bytes=MAX_ENTRY_BYTES)
        entry = parse_entry(body, subject=self._store.url(stored.key))
        if self._cache is not None:
            self._cache.put(stored, entry)
        return entry

    def _folder(self, recovery_id: str) -> str:
        if not is_recovery_id(recovery_id):
            raise UsageError(
                "is not the id of a recovery", subject=recovery_id[:80], next_step="List them: etcd-dr recover status"
            )
        return f"{self._layout.recoveries}{recovery_id}/"

    def _keep(self, key: str, body: bytes, *, limit_bytes: int, what: str) -> None:
        try:
            self._store.put(key, body, if_absent=True)
        except ObjectExists as error:
            if self._store.get(key, limit_bytes=limit_bytes) != body:
                raise Busy(
                    f"{what} is there already: this recovery goes on elsewhere",
                    subject=self._store.url(key),
                    next_step="See how far it is: etcd-dr recover status",
                ) from error
