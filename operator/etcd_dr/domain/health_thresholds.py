"""Where the rules draw their lines: one number each, with its unit in its name and its source beside it.

`health.thresholds` in the configuration overrides single ones by these names (docs/health.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from etcd_dr.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of single rules. A rule fires when its number is reached, unless said otherwise."""

    slow_round_trip_seconds: float = 1.0
    """Status or a linearizable read took this long; etcd itself logs applies above 0.1 s as slow."""
    learner_stuck_seconds: float = 900.0
    """A learner is meant to be promoted in minutes; it adds no vote until then (etcd's learner design)."""
    applied_lag_warning: float = 1000.0
    applied_lag_critical: float = 5000.0
    """Entries committed and not applied; at 5000 etcd refuses requests (v3_server.go, maxGapBetweenApplyAndCommitIndex)."""
    revision_lag: float = 10_000.0
    """Revisions behind the newest member: about what a snapshot transfer instead of the log is made for."""
    quota_warning_ratio: float = 0.75
    quota_critical_ratio: float = 0.85
    """Share of the quota in use; OpenShift's alerts draw the same lines. At 1.0 all writes are refused."""
    assumed_quota_bytes: float = 0.0
    """The quota where neither status nor metrics tell it; 0: unknown, and the rule stays silent."""
    fragmented_ratio: float = 0.5
    fragmented_min_bytes: float = 100 * 1024.0 * 1024.0
    """Less than this share of the file in use, above this much in use (etcd-mixin)."""
    growth_horizon_seconds: float = 4 * 3600.0
    growth_min_history_seconds: float = 1800.0
    """The database will reach its quota within the horizon at the pace of the history (etcd-mixin)."""
    leader_changes_per_hour: float = 4.0
    """Leader changes within an hour; etcd-mixin alerts at 4 in 15 minutes."""
    failed_proposals: float = 5.0
    failed_proposals_window_seconds: float = 900.0
    """Failed proposals within the window (etcd-mixin)."""
    fsync_advice_seconds: float = 0.010
    fsync_warning_seconds: float = 0.5
    fsync_critical_seconds: float = 1.0
    """99th percentile of WAL fsync: etcd's hardware guide asks for 10 ms; etcd-mixin warns at 0.5 s and pages at 1 s."""
    commit_advice_seconds: float = 0.025
    commit_warning_seconds: float = 0.25
    """99th percentile of backend commit: etcd's tuning guide asks for 25 ms; etcd-mixin warns at 0.25 s."""
    disk_min_samples: float = 100.0
    disk_window_seconds: float = 600.0
    """A percentile needs this many observations, and is taken over this window where there is a history."""
    peer_round_trip_seconds: float = 0.15
    """99th percentile between two members (etcd-mixin)."""
    certificate_warning_days: float = 30.0
    certificate_critical_days: float = 7.0
    certificate_lifetime_share: float = 0.25
    """Short-lived certificates are judged by their lifetime: the limits are at most this share of it."""
    ca_warning_days: float = 90.0
    ca_critical_days: float = 30.0
    """Replacing a CA takes a rolling change of every member, so it is said earlier."""
    clock_skew_warning_seconds: float = 1.0
    clock_skew_critical_seconds: float = 30.0
    """Distance between clocks beyond the resolution of the reading; etcd logs a warning at 1 s (rafthttp, probing)."""
    snapshot_stale_warning_intervals: float = 1.5
    snapshot_stale_critical_intervals: float = 2.0
    """Age of the newest proven snapshot, in intervals of the schedule."""
    version_mix_seconds: float = 3600.0
    """Mixed minor versions are an upgrade under way for this long, and worth a warning afterwards."""

    def with_overrides(self, overrides: Mapping[str, float]) -> Self:
        """Return these with single values replaced. Raises ConfigError for an unknown name or a negative value."""
        known = {field.name for field in fields(self)}
        for name, value in overrides.items():
            if name not in known:
                raise ConfigError(
                    f"{name!r} is not a threshold; known are {', '.join(sorted(known))}",
                    subject="health.thresholds",
                    next_step="Use one of the names in the section Thresholds of: etcd-dr docs health",
                )
            if not value >= 0:
                raise ConfigError(
                    f"{name} must not be negative, got {value:g}",
                    subject="health.thresholds",
                    next_step="Leave it out to have the default. See the section Thresholds of: etcd-dr docs health",
                )
        return replace(self, **{name: float(value) for name, value in overrides.items()})
