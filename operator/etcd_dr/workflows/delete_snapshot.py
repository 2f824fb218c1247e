"""Delete one snapshot: the manifest first, so that it stops being one, then its data, proofs and pin.

- Before anything is deleted every object is asked for its retention. A snapshot of which any part is locked stays
  whole and listed.
- A legal hold shows only when a deletion is refused. When the data refuses after the manifest went, the manifest is
  written again: locked data must not become an orphan that nobody lists.
- What a crash leaves behind has no manifest, and the sweep of uploads removes it. Deleting twice is success.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.manifest import MAX_MANIFEST_BYTES
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import ObjectLocked, ObjectMissing, UsageError
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.pin_snapshot import is_pinned


@dataclass(frozen=True, slots=True)
class Lock:
    """Why a snapshot could not be deleted. `until` is None for a legal hold, or where the store does not tell."""

    key: str
    until: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of one snapshot: deleted, or kept whole by a lock."""

    snapshot_id: SnapshotId
    freed_bytes: int
    lock: Lock | None = None

    @property
    def is_deleted(self) -> bool:
        return self.lock is None


def delete_snapshot(
    store: ObjectStore,
    layout: ClusterLayout,
    snapshot: Snapshot,
    catalogue: Catalogue,
    *,
    force: bool,
    now: datetime,
    events: EventSink,
) -> Deletion:
    """Delete one snapshot that somebody named.

    Raises UsageError for a pinned one and for the newest proven one, unless `force`; ObjectLocked when the store's
    retention forbids it, and then nothing was deleted.
    """
    if not force:
        check_deletable(store, layout, snapshot, catalogue)
    deletion = delete_objects(store, layout, snapshot.id, now=now)
    if deletion.lock is not None:
        raise locked(store, deletion.lock)
    events.emit(
        "snapshot.deleted", level="warning", cluster=layout.cluster, snapshot_id=str(snapshot.id), reason="on request"
    )
    return deletion


def locked(store: ObjectStore, lock: Lock) -> ObjectLocked:
    """Return the error of a deletion that the store forbids."""
    return ObjectLocked(
        f"{lock.detail}; nothing was deleted",
        subject=store.url(lock.key),
        next_step="Wait until the retention ends, or have an administrator of the store remove the legal hold.",
        context={"locked_until": lock.until.isoformat() if lock.until else None},
    )


def delete_objects(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId, *, now: datetime) -> Deletion:
    """Delete every object of a snapshot, or none of them where one is locked. Raises StoreError."""
    manifest_key, data_key = layout.manifest(snapshot_id), layout.data(snapshot_id)
    found = {stored.key: stored.size_bytes for stored in store.list(layout.folder(snapshot_id))}
    lock = _find_lock(store, list(found), now=now)
    if lock is not None:
        return Deletion(snapshot_id, 0, lock)
    manifest = _read_manifest(store, manifest_key)
    refused = _delete(store, manifest_key)
    if refused is None:
        refused = _delete(store, data_key)
        if refused is not None and manifest is not None:
            store.put(manifest_key, manifest, if_absent=True)
    if refused is not None:
        return Deletion(snapshot_id, 0, refused)
    for key in found:
        _delete(store, key)  # a proof that is held all the same is left to the sweep: nothing depends on it
    return Deletion(snapshot_id, sum(found.values()))


def _delete(store: ObjectStore, key: str) -> Lock | None:
    """Delete one object; return the lock that forbids it, if one does."""
    try:
        store.delete(key)
    except ObjectLocked as error:
        return Lock(key, None, error.message)
    return None


def check_deletable(store: ObjectStore, layout: ClusterLayout, snapshot: Snapshot, catalogue: Catalogue) -> None:
    """Raise UsageError for a pinned snapshot and for the newest proven one: what nobody deletes without `force`."""
    if is_pinned(store, layout, snapshot.id):
        by = f" by {snapshot.pin.by}" if snapshot.pin else ""
        by += f": {snapshot.pin.reason}" if snapshot.pin and snapshot.pin.reason else ""
        raise UsageError(
            f"is pinned{by}",
            subject=str(snapshot.id),
            next_step=f"Take the pin away first: etcd-dr snapshot unpin --cluster {layout.cluster} {snapshot.id}",
        )
    newest = catalogue.newest_proven
    if newest is not None and newest.id == snapshot.id:
        raise UsageError(
            "is the newest proven snapshot, the one that a recovery would use",
            subject=str(snapshot.id),
            next_step=(
                f"Take and prove a newer one first: etcd-dr snapshot save --cluster {layout.cluster}. "
                "To delete it all the same, say --force."
            ),
        )


def _find_lock(store: ObjectStore, keys: list[str], *, now: datetime) -> Lock | None:
    """Return the lock that ends last among the objects; listings do not tell, so each one is asked."""
    locks = []
    for key in keys:
        try:
            until = store.head(key).locked_until
        except ObjectMissing:
            continue
        if until is not None and until > now:
            locks.append(Lock(key, until, f"is locked by the store until {until:%Y-%m-%d %H:%M} UTC"))
    return max(locks, key=lambda lock: lock.until or now, default=None)


def _read_manifest(store: ObjectStore, key: str) -> bytes | None:
    """Return what would have to be written again; None where there is none, or where it is no manifest by its size."""
    try:
        if store.head(key).size_bytes > MAX_MANIFEST_BYTES:
            return None
        return store.get(key, limit_bytes=MAX_MANIFEST_BYTES)
    except ObjectMissing:
        return None
