"""Carry out a retention plan: delete what may go, spare what turns out to be pinned or locked, and say all of it.

1. Decide (`decide_retention`).
2. See that the newest proven snapshot is really there. If its data is gone or has another size, nothing is pruned:
   what the catalogue calls proven is then no reason to delete anything.
3. For each snapshot to be removed, oldest first: look for a pin once more, then delete it (`delete_snapshot`).

A locked snapshot stays whole and is reported, not fatal. Any other refusal of the store ends the run; what was deleted
before is in the log, and the next run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.retention import (
    ReasonCode,
    RetentionDecision,
    RetentionPlan,
    RetentionPolicy,
    decide_retention,
)
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import ObjectMissing, SnapshotDamaged
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.delete_snapshot import Deletion, Lock, delete_objects
from etcd_dr.workflows.pin_snapshot import is_pinned
from etcd_dr.workflows.receive_stream import raise_if_cancelled


@dataclass(frozen=True, slots=True)
class SparedSnapshot:
    """A snapshot that was to be removed and was not: it was pinned meanwhile, or the store keeps it locked."""

    snapshot_id: SnapshotId
    reason: str
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class RetentionOutcome:
    """What was decided and what came of it. With `dry_run`, `removed` and `freed_bytes` say what would be."""

    plan: RetentionPlan
    removed: tuple[RetentionDecision, ...]
    spared: tuple[SparedSnapshot, ...]
    freed_bytes: int
    dry_run: bool

    @property
    def refused(self) -> tuple[SparedSnapshot, ...]:
        """Those that the store keeps locked."""
        return tuple(spared for spared in self.spared if spared.lock is not None)


def apply_retention(
    store: ObjectStore,
    layout: ClusterLayout,
    catalogue: Catalogue,
    *,
    policy: RetentionPolicy,
    now: datetime,
    events: EventSink,
    cancellation: Cancellation | None = None,
    dry_run: bool = False,
) -> RetentionOutcome:
    """Remove what the policy does not keep and return what was done.

    The plan is complete before the first deletion. Raises SnapshotDamaged when the newest proven snapshot is not what
    its manifest says, StoreError, Cancelled (between two snapshots).
    """
    plan = decide_retention(catalogue, policy, now=now)
    if dry_run or not plan.removed:
        return RetentionOutcome(plan, plan.removed, (), plan.freed_bytes, dry_run)
    _check_for_losses(layout, catalogue)
    _check_newest_proven(store, layout, plan)
    removed: list[RetentionDecision] = []
    spared: list[SparedSnapshot] = []
    freed_bytes = 0
    for decision in plan.removed:
        if cancellation is not None:
            raise_if_cancelled(cancellation)
        if is_pinned(store, layout, decision.id):
            spared.append(SparedSnapshot(decision.id, "was pinned meanwhile"))
            continue
        deletion = delete_objects(store, layout, decision.id, now=now)
        _tell(events, layout, decision, deletion)
        if deletion.lock is not None:
            spared.append(SparedSnapshot(decision.id, deletion.lock.detail, deletion.lock))
            continue
        removed.append(decision)
        freed_bytes += deletion.freed_bytes
    events.emit(
        "retention.applied",
        cluster=layout.cluster,
        kept=len(plan.kept),
        removed=len(removed),
        spared=len(spared),
        unreadable=len(plan.unreadable),
        bytes=freed_bytes,
    )
    return RetentionOutcome(plan, tuple(removed), tuple(spared), freed_bytes, dry_run=False)


def _check_for_losses(layout: ClusterLayout, catalogue: Catalogue) -> None:
    """A store that loses data is no place to delete older ones from, until a person has looked at it."""
    proven = catalogue.newest_proven
    for snapshot in catalogue.snapshots:
        is_lost = snapshot.was_proven and not snapshot.is_proven
        if is_lost and (proven is None or snapshot.order > proven.order):
            raise _nothing_pruned(layout, snapshot, snapshot.damage)


def _check_newest_proven(store: ObjectStore, layout: ClusterLayout, plan: RetentionPlan) -> None:
    newest = _newest_proven(plan)
    if newest is None:
        return
    expected = newest.manifest.stored_size_bytes
    try:
        found = store.head(layout.data(newest.id)).size_bytes
    except ObjectMissing as error:
        raise _nothing_pruned(layout, newest, "its data is gone from the store") from error
    if found != expected:
        raise _nothing_pruned(layout, newest, f"its data has {found} bytes, the manifest says {expected}")


def _newest_proven(plan: RetentionPlan) -> Snapshot | None:
    return next(
        (d.snapshot for d in plan.kept if any(reason.code is ReasonCode.NEWEST_PROVEN for reason in d.reasons)), None
    )


def _nothing_pruned(layout: ClusterLayout, newest: Snapshot, problem: str) -> SnapshotDamaged:
    return SnapshotDamaged(
        f"was the newest proven snapshot, but {problem}; nothing was pruned",
        subject=str(newest.id),
        next_step=f"Record what is true of it: etcd-dr snapshot verify --cluster {layout.cluster} {newest.id}",
    )


def _tell(events: EventSink, layout: ClusterLayout, decision: RetentionDecision, deletion: Deletion) -> None:
    locked_until = deletion.lock.until if deletion.lock else None
    events.emit(
        "retention.removed" if deletion.is_deleted else "retention.locked",
        cluster=layout.cluster,
        snapshot_id=str(decision.id),
        bytes=deletion.freed_bytes,
        reason="; ".join(map(str, decision.reasons)) if deletion.lock is None else deletion.lock.detail,
        locked_until=locked_until.isoformat() if locked_until else None,
    )
