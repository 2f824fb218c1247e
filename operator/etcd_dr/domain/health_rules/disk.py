"""Rules on the disk, from etcd's histograms: how long it waits for its log and for its database.

A percentile is the upper bound of its bucket, and is taken over the recent window where there is a history, over the
life of the process otherwise; the evidence says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation
from etcd_dr.domain.member_metrics import Histogram, MemberMetrics
from etcd_dr.domain.observation import EndpointObservation


@dataclass(frozen=True, slots=True)
class _Limits:
    advice: float
    warning: float
    critical: float


def slow_fsync(s: Situation) -> Iterator[Finding]:
    t = s.thresholds
    limits = _Limits(t.fsync_advice_seconds, t.fsync_warning_seconds, t.fsync_critical_seconds)
    yield from _judge(s, "disk.slow_fsync", "writing the log (WAL fsync)", limits, lambda m: m.wal_fsync)


def slow_commit(s: Situation) -> Iterator[Finding]:
    limits = _Limits(s.thresholds.commit_advice_seconds, s.thresholds.commit_warning_seconds, float("inf"))
    yield from _judge(s, "disk.slow_commit", "committing to the database", limits, lambda m: m.backend_commit)


def _judge(
    s: Situation, code: str, what: str, limits: _Limits, read: Callable[[MemberMetrics], Histogram]
) -> Iterator[Finding]:
    for endpoint in s.view.answering:
        histogram, window = _recent(s, endpoint, read)
        p99 = histogram.quantile(0.99)
        if p99 is None or histogram.count < s.thresholds.disk_min_samples or p99 <= limits.advice:
            continue
        yield Finding(
            code,
            _severity(p99, limits),
            f"{what} takes up to {p99 * 1000:.0f} ms (99 of 100 times)",
            "Give etcd a disk of its own, and see what else writes to it: iostat -x 5 3; "
            "fio --rw=write --ioengine=sync --fdatasync=1 --size=22m --bs=2300 --directory=DIR --name=etcd",
            member=s.view.label_of(endpoint),
            evidence={
                "p99_at_most_seconds": p99,
                "samples": histogram.count,
                "window_seconds": window,
                "advice_seconds": limits.advice,
            },
        )


def _severity(p99: float, limits: _Limits) -> Severity:
    if p99 > limits.critical:
        return Severity.CRITICAL
    return Severity.WARNING if p99 > limits.warning else Severity.INFO


def _recent(
    s: Situation, endpoint: EndpointObservation, read: Callable[[MemberMetrics], Histogram]
) -> tuple[Histogram, float | None]:
    """Return the histogram of the window with its length in seconds; None: since the process started."""
    metrics = endpoint.http.metrics.value
    if metrics is None:
        return Histogram(), None
    earlier = s.oldest_within(endpoint, s.thresholds.disk_window_seconds)
    before = earlier[1].http.metrics.value if earlier else None
    if earlier is None or before is None or before.process_started_at != metrics.process_started_at:
        return read(metrics), None
    return read(metrics).since(read(before)), (s.now - earlier[0]).total_seconds()


RULES = (Rule.of(slow_fsync, "disk.slow_fsync"), Rule.of(slow_commit, "disk.slow_commit"))
