"""The few of etcd's own metrics that health rules read, and the arithmetic on its histograms.

Counters and histograms count from the start of the process. What happened lately is the difference to an earlier
reading of the same process; after a restart the new numbers stand for themselves (`since`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative buckets as Prometheus has them: (upper bound in seconds, observations up to it), ascending."""

    buckets: tuple[tuple[float, float], ...] = ()

    @property
    def count(self) -> float:
        return self.buckets[-1][1] if self.buckets else 0.0

    def since(self, earlier: Histogram) -> Histogram:
        """Return what was observed after `earlier`; all of it when the process was restarted in between."""
        before = dict(earlier.buckets)
        grown = tuple((bound, count - before.get(bound, 0.0)) for bound, count in self.buckets)
        return self if any(count < 0 for _, count in grown) else Histogram(grown)

    def quantile(self, share: float) -> float | None:
        """Return the upper bound of the bucket that holds this share of observations; None without any.

        The true value is at most this. Where it lies beyond the last finite bound, that bound is returned.
        """
        if self.count <= 0:
            return None
        wanted = share * self.count
        finite = [bound for bound, _ in self.buckets if math.isfinite(bound)]
        reached = next((bound for bound, count in self.buckets if count >= wanted), math.inf)
        return reached if math.isfinite(reached) else max(finite, default=None)


@dataclass(frozen=True, slots=True)
class MemberMetrics:
    """A reading of one member's /metrics; `None` and empty mean that this etcd does not export it.

    `process_started_at` is a UNIX time in seconds. Keys of `active_peers` and `peer_round_trip` are member ids; an
    active peer is one that this member has a stream to. `learner_promote_failures` is keyed by etcd's reason.
    """

    version: str | None = None
    process_started_at: float | None = None
    has_leader: bool | None = None
    leader_changes: float | None = None
    proposals_committed: float | None = None
    proposals_applied: float | None = None
    proposals_failed: float | None = None
    proposals_pending: float | None = None
    slow_applies: float | None = None
    slow_read_indexes: float | None = None
    failed_read_indexes: float | None = None
    failed_heartbeats: float | None = None
    learner_promote_failures: Mapping[str, float] = field(default_factory=dict)
    db_quota_bytes: float | None = None
    db_open_read_transactions: float | None = None
    defrag_in_flight: bool | None = None
    wal_fsync: Histogram = Histogram()
    backend_commit: Histogram = Histogram()
    active_peers: Mapping[int, bool] = field(default_factory=dict)
    peer_disconnects: float | None = None
    peer_round_trip: Mapping[int, Histogram] = field(default_factory=dict)


def increase(now: float | None, earlier: float | None) -> float | None:
    """Return how much a counter grew; a smaller number now means a restart, and counts from zero. None: unknown."""
    if now is None or earlier is None:
        return None
    return now - earlier if now >= earlier else now
