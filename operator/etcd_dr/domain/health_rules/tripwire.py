"""Rules on the number of keys: that many have vanished, and that nobody may count them (domain/tripwire.py)."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation


def mass_deletion(s: Situation) -> Iterator[Finding]:
    trip = s.snapshots.trip if s.snapshots is not None else None
    if trip is None:
        return
    fall = trip.fall
    yield Finding(
        "data.mass_deletion",
        Severity.CRITICAL,
        f"{fall.percent:.0f} % of all keys vanished: {fall.keys_before} at {fall.before_at:%H:%M}, "
        f"{fall.keys_after} at {fall.at:%Y-%m-%d %H:%M} UTC; snapshot {trip.snapshot_id} has them and is pinned",
        f"If nobody meant it, stop what deletes, and go on with: etcd-dr docs mass-deletion. If somebody did, say so by "
        f"taking the pin away: etcd-dr snapshot unpin {trip.snapshot_id}",
        evidence={
            "keys_before": fall.keys_before,
            "keys_after": fall.keys_after,
            "lost_percent": round(fall.percent, 1),
            "pinned_id": trip.snapshot_id,
            "next_id": trip.next_id,
        },
    )


def keys_uncounted(s: Situation) -> Iterator[Finding]:
    failure = s.snapshots.keys_failure if s.snapshots is not None else None
    if failure is None:
        return
    yield Finding(
        "data.keys_uncounted",
        Severity.INFO,
        f"keys may not be counted, so a mass deletion is noticed with the next snapshot only: {failure.message}",
        "Let the role read all keys: etcdctl role grant-permission ROLE read '' --prefix; or turn the tripwire off "
        "(tripwire.enabled)",
        evidence={"error_code": failure.code},
    )


RULES = (
    Rule.of(mass_deletion, "data.mass_deletion"),
    Rule.of(keys_uncounted, "data.keys_uncounted"),
)
