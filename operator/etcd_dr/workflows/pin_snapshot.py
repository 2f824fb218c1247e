"""Pin a snapshot so that retention never removes it, and take the pin away again."""

from __future__ import annotations

from datetime import datetime

from etcd_dr.domain.catalogue import Pin
from etcd_dr.domain.key_count import KeyFall
from etcd_dr.domain.manifest import canonical_json
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import ObjectMissing, SnapshotNotFound
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.object_store import ObjectStore


def pin_snapshot(
    store: ObjectStore,
    layout: ClusterLayout,
    snapshot_id: SnapshotId,
    *,
    pinned_by: str,
    reason: str,
    now: datetime,
    events: EventSink,
    fall: KeyFall | None = None,
) -> Pin:
    """Pin a committed snapshot and return the pin; an earlier one is replaced. `fall`: the keys that vanished after it.

    The manifest is looked for after the pin was written, because retention reads the pin before it deletes the
    manifest: whoever comes second notices. Raises SnapshotNotFound when it is gone; then no pin stays behind.
    """
    pin = Pin(at=now, by=pinned_by, reason=reason, fall=fall)
    _need_manifest(store, layout, snapshot_id)
    store.put(layout.pin(snapshot_id), canonical_json(pin), if_absent=False)
    try:
        _need_manifest(store, layout, snapshot_id)
    except SnapshotNotFound:
        store.delete(layout.pin(snapshot_id))
        raise
    events.emit("snapshot.pinned", cluster=layout.cluster, snapshot_id=str(snapshot_id), reason=reason)
    return pin


def unpin_snapshot(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId, *, events: EventSink) -> bool:
    """Take the pin away and return whether there was one. Raises SnapshotNotFound, ObjectLocked."""
    _need_manifest(store, layout, snapshot_id)
    was_pinned = is_pinned(store, layout, snapshot_id)
    if was_pinned:
        store.delete(layout.pin(snapshot_id))
        events.emit("snapshot.unpinned", cluster=layout.cluster, snapshot_id=str(snapshot_id))
    return was_pinned


def is_pinned(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId) -> bool:
    """Tell whether a pin is in the store now. What it says does not matter: one that does not parse is a pin."""
    try:
        store.head(layout.pin(snapshot_id))
    except ObjectMissing:
        return False
    return True


def _need_manifest(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId) -> None:
    try:
        store.head(layout.manifest(snapshot_id))
    except ObjectMissing as error:
        raise SnapshotNotFound(
            "is not in the store, or was deleted just now",
            subject=str(snapshot_id),
            next_step=f"See what there is: etcd-dr snapshot list --cluster {layout.cluster}",
        ) from error
