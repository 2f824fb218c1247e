"""Remove what interrupted runs left in the store: unfinished uploads, and folders that never got a manifest.

- Only below the snapshots of our own cluster, only names that etcd-dr gives, and only what is older than the grace
  period: an upload under way looks exactly the same.
- A folder with a manifest is a snapshot, whatever else is wrong with it, and is never touched. The manifest is looked
  for once more right before the first deletion.
- Decide first, act later: `find_leftovers` returns what there is with reasons, `sweep_uploads` carries it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import UncommittedEntry
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import ObjectLocked, ObjectMissing
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.object_store import ObjectStore, UnfinishedUpload
from etcd_dr.workflows.list_folders import list_uncommitted


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something an interrupted run left. Exactly one of `upload` and `folder` is there."""

    name: str
    reason: str
    is_stale: bool
    upload: UnfinishedUpload | None = None
    folder: UncommittedEntry | None = None


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """What was removed (with `dry_run`: would be), what was left alone because it is young, and what is locked."""

    removed: tuple[Leftover, ...]
    kept: tuple[Leftover, ...]
    locked: tuple[Leftover, ...]


def find_leftovers(
    store: ObjectStore, layout: ClusterLayout, *, now: datetime, grace: timedelta
) -> tuple[Leftover, ...]:
    """Return everything that has no manifest; only what is stale may be removed. Raises StoreError."""
    return (*_uploads(store, layout, now, grace), *_folders(store, layout, now, grace))


def sweep_uploads(
    store: ObjectStore,
    layout: ClusterLayout,
    *,
    now: datetime,
    grace: timedelta,
    events: EventSink,
    dry_run: bool = False,
) -> SweepOutcome:
    """Remove stale leftovers and return what was done. Raises StoreError when the store refuses."""
    removed: list[Leftover] = []
    kept: list[Leftover] = []
    locked: list[Leftover] = []
    for leftover in find_leftovers(store, layout, now=now, grace=grace):
        if not leftover.is_stale:
            kept.append(leftover)
            continue
        try:
            gone = dry_run or _remove(store, layout, leftover)
        except ObjectLocked:
            locked.append(leftover)
            continue
        (removed if gone else kept).append(leftover)
        if gone and not dry_run:
            events.emit("upload.swept", cluster=layout.cluster, snapshot_id=leftover.name, reason=leftover.reason)
    return SweepOutcome(tuple(removed), tuple(kept), tuple(locked))


def _uploads(store: ObjectStore, layout: ClusterLayout, now: datetime, grace: timedelta) -> Iterator[Leftover]:
    for upload in store.unfinished_uploads(layout.snapshots):
        name = upload.key.removeprefix(layout.snapshots).partition("/")[0]
        if _is_ours(name):
            age = now - upload.begun_at
            yield Leftover(name, f"upload begun {_ago(age)}, not ended", age > grace, upload=upload)


def _folders(store: ObjectStore, layout: ClusterLayout, now: datetime, grace: timedelta) -> Iterator[Leftover]:
    for entry in list_uncommitted(store, layout):
        age = now - entry.newest_object_at
        objects = "1 object" if entry.object_count == 1 else f"{entry.object_count} objects"
        reason = f"{objects} without a manifest, the newest written {_ago(age)}"
        yield Leftover(entry.name, reason, entry.is_stale(now=now, grace=grace), folder=entry)


def _remove(store: ObjectStore, layout: ClusterLayout, leftover: Leftover) -> bool:
    """Remove one leftover; False when it turned out to be a snapshot."""
    if leftover.upload is not None:
        store.abort_unfinished(leftover.upload)
        return True
    snapshot_id = SnapshotId.parse(leftover.name)
    with suppress(ObjectMissing):
        store.head(layout.manifest(snapshot_id))
        return False
    for stored in list(store.list(layout.folder(snapshot_id))):
        store.delete(stored.key)
    return True


def _is_ours(name: str) -> bool:
    try:
        return str(SnapshotId.parse(name)) == name
    except ValueError:
        return False


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.0f} h ago" if hours >= 1 else f"{max(0, hours * 60):.0f} min ago"
