"""Health settings for tests on a machine that is busy with others: what is slow is no finding, and is waited for."""

from __future__ import annotations

SLOWNESS_IS_NO_FINDING = dict.fromkeys(
    ("slow_round_trip_seconds", "peer_round_trip_seconds", "fsync_warning_seconds", "commit_warning_seconds"), 60.0
)
"""`health.thresholds` of a cluster's configuration."""
