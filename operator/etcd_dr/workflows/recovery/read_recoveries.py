"""Say where recoveries stand, without touching anything: what `recover status` shows."""

from __future__ import annotations

from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.status import RecoveryStatus
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import JournalDamaged, RecoveryError, StoreError
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.recovery.hold_lock import read_lock


def read_recovery(
    recovery_id: str, journal: JournalStore, *, store: ObjectStore | None, layout: ClusterLayout
) -> RecoveryStatus:
    """Return where one recovery stands. Raises RecoveryError for an unknown one, JournalDamaged, StoreError."""
    plan = journal.plan(recovery_id)
    if plan is None:
        raise RecoveryError(
            f"is not known in {journal.place}",
            subject=f"recovery {recovery_id}",
            next_step="List them with: etcd-dr recover status",
        )
    entries = journal.entries(recovery_id)
    return RecoveryStatus.of(plan, entries, lag=journal.lag, lock=_lock(store, layout))


def read_recoveries(
    journal: JournalStore, *, store: ObjectStore | None, layout: ClusterLayout
) -> tuple[RecoveryStatus, ...]:
    """Return where all recoveries stand, oldest first; one whose journal is damaged is left to `read_recovery`."""
    lock = _lock(store, layout)
    found = []
    for recovery_id in journal.recovery_ids():
        try:
            plan, entries = journal.plan(recovery_id), journal.entries(recovery_id)
        except JournalDamaged:
            continue
        if plan is not None:
            found.append(RecoveryStatus.of(plan, entries, lag=journal.lag, lock=lock))
    return tuple(found)


def _lock(store: ObjectStore | None, layout: ClusterLayout) -> RecoveryLock | None:
    try:
        return read_lock(store, layout) if store is not None else None
    except StoreError:
        return None
