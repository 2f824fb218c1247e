"""Watch from outside how the recovery of one cluster goes, at the price of two requests when there is none.

- One recovery is looked at: the one that holds the lock, otherwise the newest that has a journal.
- What is over is not read again, and entries never change, so only new ones are read.
- A journal or a lock that does not parse is a value: `damaged`. What ended, or was damaged, a day ago and holds no lock
  is not told any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.recovery.record import RecoveryLock, damaged, is_recovery_id
from etcd_dr.domain.recovery.watched import WatchedRecovery, WatchedState
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import EtcdDrError, JournalDamaged, ManifestInvalid, ObjectMissing
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.read_catalogue import RecordCache
from etcd_dr.workflows.recovery.hold_lock import lock_key, read_lock
from etcd_dr.workflows.recovery.store_journal import StoreJournal

TOLD_FOR = timedelta(days=1)
_NEWEST = 3
_MOST_ENTRIES = 2_000


class RecoveryWatch:
    """Looks again and again; remembers what cannot change. Safe from any thread."""

    def __init__(self, store: ObjectStore, layout: ClusterLayout) -> None:
        self._store = store
        self._layout = layout
        self._journal = StoreJournal(store, layout, cache=RecordCache(_MOST_ENTRIES), most_entries=_MOST_ENTRIES)
        self._over: WatchedRecovery | None = None

    def look(self, *, now: datetime) -> Answer[WatchedRecovery]:
        """Return where the recovery of the moment stands; neither value nor failure where there is none."""
        try:
            found = self._find()
        except EtcdDrError as error:
            return Answer.failed(Failure.of(error))
        return Answer(found if found is not None and self._is_told(found, now) else None)

    def _is_told(self, found: WatchedRecovery, now: datetime) -> bool:
        is_past = found.state.is_over or found.state is WatchedState.DAMAGED
        return not is_past or now - found.changed_at <= TOLD_FOR

    def _find(self) -> WatchedRecovery | None:
        try:
            lock = self._lock()
        except (JournalDamaged, ManifestInvalid) as error:
            return self._damaged("", lock_key(self._layout), error)
        if lock is not None:
            return self._read(lock.recovery_id, lock) or WatchedRecovery.only_locked(lock)
        newest = self._journal.recovery_ids()[: -_NEWEST - 1 : -1]
        return next((found for each in newest if (found := self._read(each, None)) is not None), None)

    def _lock(self) -> RecoveryLock | None:
        lock = read_lock(self._store, self._layout)
        if lock is not None and not is_recovery_id(lock.recovery_id):
            raise damaged("names no recovery", subject=self._store.url(lock_key(self._layout)))
        return lock

    def _read(self, recovery_id: str, lock: RecoveryLock | None) -> WatchedRecovery | None:
        """Return where one stands; None where it has no journal."""
        if lock is None and self._over is not None and self._over.recovery_id == recovery_id:
            return self._over
        try:
            entries = self._journal.entries(recovery_id)
        except ObjectMissing:
            return None  # somebody removes it
        except (JournalDamaged, ManifestInvalid) as error:
            return self._damaged(recovery_id, f"{self._layout.recoveries}{recovery_id}/", error)
        if not entries:
            return None
        found = WatchedRecovery.of(entries, lock=lock)
        if found.state.is_over:
            self._over = found
        return found

    def _damaged(self, recovery_id: str, key: str, error: EtcdDrError) -> WatchedRecovery | None:
        changed = [stored.modified_at for stored in self._store.list(key)]
        return WatchedRecovery.damaged(recovery_id, changed_at=max(changed), why=error.message) if changed else None
