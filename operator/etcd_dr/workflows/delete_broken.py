"""Remove what is left of a snapshot whose manifest cannot be read, once a person has said so.

- Only by its whole id, and only where the manifest, read again now, is broken beyond reading. A manifest that another
  version of etcd-dr wrote is not broken, and one that the store did not give back may be whole: both stay.
- A pin is obeyed, as everywhere; so are the store's own locks.
"""

from __future__ import annotations

from datetime import datetime

from etcd_dr.domain.manifest import MAX_MANIFEST_BYTES, parse_manifest
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import ManifestInvalid, ManifestVersionUnknown, ObjectMissing, SnapshotNotFound, UsageError
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.delete_snapshot import Deletion, delete_objects, locked
from etcd_dr.workflows.pin_snapshot import is_pinned


def check_broken(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId, *, force: bool) -> str:
    """Return what is wrong with the manifest, for a person.

    Raises UsageError where it can be read, and for a pinned one unless `force`; ManifestVersionUnknown for another
    version's; SnapshotNotFound where there is none; StoreError when the store does not give it back.
    """
    fault = _fault(store, layout, snapshot_id)
    if not fault:
        raise UsageError(
            "is not broken: its manifest can be read",
            subject=str(snapshot_id),
            next_step=f"Delete it like any other: etcd-dr snapshot delete --cluster {layout.cluster} {snapshot_id}",
        )
    if not force and is_pinned(store, layout, snapshot_id):
        raise UsageError(
            "is pinned, though its manifest cannot be read",
            subject=str(snapshot_id),
            next_step="Somebody wanted to keep it. To remove what is left all the same, add --force.",
        )
    return fault


def delete_broken(
    store: ObjectStore,
    layout: ClusterLayout,
    snapshot_id: SnapshotId,
    *,
    force: bool,
    now: datetime,
    events: EventSink,
) -> Deletion:
    """Delete every object of the snapshot, after `check_broken`. Raises ObjectLocked, and then nothing was deleted."""
    fault = check_broken(store, layout, snapshot_id, force=force)
    deletion = delete_objects(store, layout, snapshot_id, now=now)
    if deletion.lock is not None:
        raise locked(store, deletion.lock)
    events.emit(
        "snapshot.deleted",
        level="warning",
        cluster=layout.cluster,
        snapshot_id=str(snapshot_id),
        reason=f"on request, broken: {fault}",
    )
    return deletion


def _fault(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId) -> str:
    key = layout.manifest(snapshot_id)
    try:
        if store.head(key).size_bytes > MAX_MANIFEST_BYTES:
            return "it is too large to be a manifest"
        manifest = parse_manifest(store.get(key, limit_bytes=MAX_MANIFEST_BYTES), subject=store.url(key))
    except ManifestVersionUnknown:
        raise
    except ManifestInvalid as error:
        return f"it {error.message}"
    except ObjectMissing as error:
        raise SnapshotNotFound(
            "has no manifest: it was never committed, or is gone",
            subject=str(snapshot_id),
            next_step=f"See what there is: etcd-dr snapshot list --cluster {layout.cluster}",
        ) from error
    is_in_place = manifest.snapshot_id == snapshot_id and manifest.cluster == layout.cluster
    return "" if is_in_place else "it is that of another snapshot"
