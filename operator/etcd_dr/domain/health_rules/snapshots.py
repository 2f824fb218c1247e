"""Rules on what the store holds: that snapshots arrive in time, are proven, and can be reached.

Age is that of the newest *proven* snapshot, in intervals of the schedule: what is not proven does not count, and a
fixed limit would be wrong for every schedule but one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation

_WHY = "See why with: etcd-dr snapshot list; then take one: etcd-dr snapshot save"


def store_unreachable(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is not None and facts.failure is not None:
        yield Finding(
            "store.unreachable",
            Severity.WARNING,
            f"the store cannot be asked, so the age of snapshots is not known: {facts.failure.message}",
            facts.failure.next_step or "See what it says: etcd-dr snapshot list",
            evidence={"store": facts.store, "error_code": facts.failure.code},
        )


def marker_damaged(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is not None and facts.marker_failure is not None:
        yield Finding(
            "store.marker_damaged",
            Severity.CRITICAL,
            f"no snapshot can be saved, because cluster.json {facts.marker_failure.message}",
            facts.marker_failure.next_step or "See what a save says: etcd-dr snapshot save",
            evidence={"store": facts.store, "error_code": facts.marker_failure.code},
        )


def never(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is None or facts.failure is not None or facts.newest_proven_at is not None:
        return
    # Without a schedule none is late, and nobody shall read "ok" beside an empty store without a word about it.
    overdue = facts.interval is not None and (
        facts.watching_since is None or s.now - facts.watching_since > 2 * facts.interval
    )
    is_critical = overdue and facts.watching_since is not None
    yield Finding(
        "snapshot.never",
        Severity.CRITICAL if is_critical else Severity.WARNING if overdue else Severity.INFO,
        _none_proven(facts.count),
        _WHY,
        evidence={
            "store": facts.store,
            "snapshots": facts.count,
            "interval_seconds": facts.interval.total_seconds() if facts.interval is not None else None,
            "since": facts.watching_since.isoformat() if facts.watching_since else None,
        },
    )


def stale(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is None or facts.failure is not None or facts.interval is None or facts.newest_proven_at is None:
        return
    age = s.now - facts.newest_proven_at
    intervals = age / facts.interval if facts.interval else 0.0
    if intervals < s.thresholds.snapshot_stale_warning_intervals:
        return
    is_critical = intervals >= s.thresholds.snapshot_stale_critical_intervals
    yield Finding(
        "snapshot.stale",
        Severity.CRITICAL if is_critical else Severity.WARNING,
        f"the newest proven snapshot is {_hours(age)} old; one is due every {_hours(facts.interval)}",
        _WHY,
        evidence={
            "store": facts.store,
            "snapshot_id": facts.newest_proven_id,
            "age_seconds": round(age.total_seconds()),
            "interval_seconds": facts.interval.total_seconds(),
        },
    )


def damaged_newest(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is not None and facts.newest_damage is not None:
        yield Finding(
            "snapshot.damaged_newest",
            Severity.CRITICAL,
            f"the newest snapshot is damaged: {facts.newest_damage}",
            "Take another one and look at how this one was damaged: etcd-dr snapshot save; "
            f"etcd-dr snapshot show {facts.newest_id}",
            evidence={
                "store": facts.store,
                "snapshot_id": facts.newest_id,
                "newest_proven": facts.newest_proven_id,
            },
        )


def unreadable(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is not None and facts.unreadable:
        yield Finding(
            "snapshot.unreadable",
            Severity.WARNING,
            f"{_records(facts.unreadable)} in the store cannot be read",
            "They are kept as they are; see which and why: etcd-dr snapshot list",
            evidence={"store": facts.store, "unreadable": facts.unreadable},
        )


def drill_stale(s: Situation) -> Iterator[Finding]:
    facts = s.snapshots
    if facts is None or facts.failure is not None or facts.drill_max_age is None:
        return
    age = s.now - facts.drilled_at if facts.drilled_at is not None else None
    if age is None or age > facts.drill_max_age:
        told = f"the last good drill was {_hours(age)} ago" if age is not None else "no drill has ever passed"
        yield Finding(
            "drill.stale",
            Severity.WARNING,
            f"{told}; one is wanted every {_hours(facts.drill_max_age)}",
            "See what drills have shown: etcd-dr drill list; then rehearse: etcd-dr drill run",
            evidence={
                "store": facts.store,
                "drilled_at": facts.drilled_at.isoformat() if facts.drilled_at else None,
                "max_age_seconds": facts.drill_max_age.total_seconds(),
            },
        )


def _records(count: int) -> str:
    return "1 manifest or proof" if count == 1 else f"{count} manifests or proofs"


def _none_proven(count: int) -> str:
    if count == 0:
        return "there is no snapshot yet"
    return "the only snapshot is not proven" if count == 1 else f"none of {count} snapshots is proven"


def _hours(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} min"


RULES = (
    Rule.of(marker_damaged, "store.marker_damaged"),
    Rule.of(damaged_newest, "snapshot.damaged_newest"),
    Rule.of(never, "snapshot.never"),
    Rule.of(stale, "snapshot.stale"),
    Rule.of(unreadable, "snapshot.unreadable"),
    Rule.of(drill_stale, "drill.stale"),
    Rule.of(store_unreachable, "store.unreachable"),
)
