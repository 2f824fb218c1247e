"""Rules on what a recovery would begin with: a proven snapshot, young enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from etcd_dr.domain.doctor.rules.rule import DoctorRule
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.snapshot_facts import SnapshotFacts

_OLD = timedelta(hours=24)


class StoredAt(Protocol):
    """What knows of stored snapshots: an observation of whatever platform."""

    @property
    def taken_at(self) -> datetime: ...

    @property
    def snapshots(self) -> SnapshotFacts | None: ...


def posture(seen: StoredAt) -> Iterator[Finding]:
    stored = seen.snapshots
    if stored is None:
        return
    if stored.failure is not None:
        yield Finding(
            "backup.store",
            Severity.WARNING,
            f"the store cannot be asked: {stored.failure.message}",
            stored.failure.next_step or "Check the store: etcd-dr snapshot list",
            evidence={"error_code": stored.failure.code},
        )
        return
    if stored.newest_proven_at is None:
        yield Finding(
            "backup.none",
            Severity.CRITICAL,
            "there is no proven snapshot" if stored.count else "there is no snapshot",
            "Take one now: etcd-dr snapshot save. If etcd does not answer: etcd-dr snapshot save --disaster-copy",
            evidence={"count": stored.count},
        )
        return
    age = seen.taken_at - stored.newest_proven_at
    limit = max(_OLD, 2 * stored.interval) if stored.interval is not None else _OLD
    if age > limit:
        hours = age.total_seconds() / 3600
        yield Finding(
            "backup.old",
            Severity.WARNING,
            f"the newest proven snapshot is {hours:.0f} hours old",
            "Take one now, then see why the schedule does not: etcd-dr snapshot save",
            evidence={"snapshot": stored.newest_proven_id, "age_hours": round(hours, 1)},
        )


RULES = (DoctorRule(posture, ("backup.store", "backup.none", "backup.old")),)
