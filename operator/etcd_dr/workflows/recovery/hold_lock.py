"""One recovery of one cluster at a time: `recoveries/lock.json`, put if absent, in the store that all share.

- The lock is kept while a recovery can be resumed, and released when it is finished or aborted. It is never broken
  because it is old: whoever holds it may be waiting for a person.
- The same recovery may be gone on with by who holds the lock (the same person, from the same state directory), and by
  anyone else on an explicit wish (`take_over`), which is told who held it.
- A store that cannot put if absent looks first and puts then; `is_certain` is False, and people are told.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.recovery.record import MAX_LOCK_BYTES, RecoveryLock, parse_lock, record_bytes
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import ObjectExists, ObjectLocked, ObjectMissing, RecoveryLocked, StoreDenied
from etcd_dr.ports.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class HeldLock:
    """`taken_from` is who held it before, where it was taken over. `is_certain`: the store keeps two writers apart.
    `is_new`: nobody held it."""

    lock: RecoveryLock
    is_certain: bool
    taken_from: RecoveryLock | None = None
    is_new: bool = False


def lock_key(layout: ClusterLayout) -> str:
    return f"{layout.recoveries}lock.json"


def read_lock(store: ObjectStore, layout: ClusterLayout) -> RecoveryLock | None:
    """Return who recovers this cluster, None where nobody does. Raises JournalDamaged, StoreError."""
    key = lock_key(layout)
    try:
        found = parse_lock(store.get(key, limit_bytes=MAX_LOCK_BYTES), subject=store.url(key))
    except ObjectMissing:
        return None
    return found if found.released_at is None else None


def acquire_lock(
    store: ObjectStore, layout: ClusterLayout, wanted: RecoveryLock, *, take_over: bool = False
) -> HeldLock:
    """Take the lock, or find that it is ours already.

    Raises RecoveryLocked where another recovery holds it, or another holder of this one and `take_over` is not said;
    StoreError where the store cannot be asked.
    """
    is_certain = store.guarantees().put_if_absent
    held = read_lock(store, layout)
    if held is None:
        _put_first(store, layout, wanted)
        return HeldLock(wanted, is_certain, is_new=True)
    if held.is_held_by(recovery_id=wanted.recovery_id, by=wanted.by, place=wanted.place):
        return HeldLock(held, is_certain)
    if held.recovery_id != wanted.recovery_id or not take_over:
        raise _locked(store, layout, held, wanted)
    store.put(lock_key(layout), record_bytes(wanted), if_absent=False)
    return HeldLock(wanted, is_certain, taken_from=held)


def release_lock(store: ObjectStore, layout: ClusterLayout, ours: RecoveryLock) -> bool:
    """Release the lock where it is this recovery's; whether it was. Raises StoreError.

    A store that refuses to delete (Object Lock, no right to) gets the same record with the time of its release.
    """
    held = read_lock(store, layout)
    if held is None or held.recovery_id != ours.recovery_id:
        return False
    key = lock_key(layout)
    try:
        store.delete(key)
    except (ObjectLocked, StoreDenied):
        released = held.model_copy(update={"released_at": ours.released_at or held.since})
        store.put(key, record_bytes(released), if_absent=False)
    return True


def _put_first(store: ObjectStore, layout: ClusterLayout, wanted: RecoveryLock) -> None:
    """Put the lock where nobody has one; where a released one is left, replace it."""
    key, body = lock_key(layout), record_bytes(wanted)
    try:
        store.put(key, body, if_absent=True)
    except ObjectExists as error:
        held = read_lock(store, layout)
        if held == wanted:
            return  # ours: the answer to the first try was lost
        if held is not None:
            raise _locked(store, layout, held, wanted) from error
        store.put(key, body, if_absent=False)
    held = read_lock(store, layout)
    if held != wanted:
        if held is None:
            raise RecoveryLocked("the lock vanished as it was taken", subject=store.url(key), next_step="Try again.")
        raise _locked(store, layout, held, wanted)


def _locked(store: ObjectStore, layout: ClusterLayout, held: RecoveryLock, wanted: RecoveryLock) -> RecoveryLocked:
    since = held.since.strftime("%Y-%m-%d %H:%M:%S UTC")
    if held.recovery_id == wanted.recovery_id:
        next_step = (
            f"If {held.by} has stopped for good, go on in their place: "
            f"etcd-dr recover resume {held.recovery_id} --take-over"
        )
    else:
        next_step = (
            f"See how far it is: etcd-dr recover status {held.recovery_id}\n"
            f"It ends with: etcd-dr recover resume {held.recovery_id}, or: etcd-dr recover abort {held.recovery_id}"
        )
    return RecoveryLocked(
        f"{held.by} recovers this cluster from {held.place} since {since} (recovery {held.recovery_id})",
        subject=store.url(lock_key(layout)),
        next_step=next_step,
        context={"recovery_id": held.recovery_id, "by": held.by, "place": held.place, "since": held.since.isoformat()},
    )
