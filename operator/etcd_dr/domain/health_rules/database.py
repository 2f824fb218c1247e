"""Rules on the size of the database: against its quota, how fast it grows, and how much of the file is empty."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation
from etcd_dr.domain.member_health import quota_bytes
from etcd_dr.domain.observation import EndpointObservation


def near_quota(s: Situation) -> Iterator[Finding]:
    for endpoint, status in s.view.statuses:
        quota = _quota(s, endpoint)
        ratio = status.db_size_bytes / quota if quota else 0.0
        if ratio < s.thresholds.quota_warning_ratio:
            continue
        in_use = status.db_in_use_bytes
        is_mostly_empty = in_use is not None and in_use < s.thresholds.fragmented_ratio * status.db_size_bytes
        defrag = s.commands.etcdctl(endpoint.endpoint, "defrag")
        yield Finding(
            "db.near_quota",
            Severity.CRITICAL if ratio >= s.thresholds.quota_critical_ratio else Severity.WARNING,
            f"the database fills {ratio:.0%} of its quota; at 100% the cluster refuses writes",
            f"Most of the file is free space, which defragmenting returns: {defrag}"
            if is_mostly_empty
            else "Find out what grows (etcd-dr snapshot save, then count keys by prefix), delete and compact, "
            f"defragment, or raise --quota-backend-bytes: {defrag}",
            member=s.view.label_of(endpoint),
            evidence={"db_size_bytes": status.db_size_bytes, "db_in_use_bytes": in_use, "quota_bytes": int(quota)},
        )


def fragmented(s: Situation) -> Iterator[Finding]:
    for endpoint, status in s.view.statuses:
        in_use = status.db_in_use_bytes
        if in_use is None or in_use < s.thresholds.fragmented_min_bytes:
            continue
        if in_use < s.thresholds.fragmented_ratio * status.db_size_bytes:
            yield Finding(
                "db.fragmented",
                Severity.WARNING,
                f"only {in_use / status.db_size_bytes:.0%} of the database file is in use",
                "Defragment one member after the other, the leader last, and not while a snapshot is taken; each one "
                f"stands still meanwhile: {s.commands.etcdctl(endpoint.endpoint, 'defrag')}",
                member=s.view.label_of(endpoint),
                evidence={"db_size_bytes": status.db_size_bytes, "db_in_use_bytes": in_use},
            )


def growing(s: Situation) -> Iterator[Finding]:
    horizon = s.thresholds.growth_horizon_seconds
    for endpoint, status in s.view.statuses:
        earlier, quota = s.oldest_within(endpoint, horizon), _quota(s, endpoint)
        before = earlier[1].latest_status if earlier else None
        if earlier is None or before is None or not quota:
            continue
        seconds = (s.now - earlier[0]).total_seconds()
        grown = status.db_size_bytes - before.db_size_bytes
        if seconds < s.thresholds.growth_min_history_seconds or grown <= 0:
            continue
        left_seconds = (quota - status.db_size_bytes) * seconds / grown
        if left_seconds < horizon:
            yield Finding(
                "db.growing",
                Severity.WARNING,
                f"at this pace the database reaches its quota in {max(0.0, left_seconds) / 3600:.1f} hours",
                "Find the writer before etcd refuses writes: etcd-dr snapshot save, then count keys by prefix; "
                f"and its metrics: {s.commands.etcdctl(endpoint.endpoint, 'endpoint', 'status', '-w', 'table')}",
                member=s.view.label_of(endpoint),
                evidence={"grown_bytes": grown, "within_seconds": round(seconds), "quota_bytes": int(quota)},
            )


def _quota(s: Situation, endpoint: EndpointObservation) -> float:
    return quota_bytes(endpoint) or s.thresholds.assumed_quota_bytes


RULES = (
    Rule.of(near_quota, "db.near_quota"),
    Rule.of(growing, "db.growing"),
    Rule.of(fragmented, "db.fragmented"),
)
