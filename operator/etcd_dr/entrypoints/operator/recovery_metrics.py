"""Metrics of the recovery that the store tells of (docs/metrics.md): one for each cluster at most.

Where the last reading of the store failed nothing is exposed: an old view of one replica would outlive what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etcd_dr.domain.recovery.watched import WatchedState
from etcd_dr.entrypoints.operator.board import StatusBoard


class RecoveryCollector(Collector):
    """Gauges made at each scrape."""

    def __init__(self, board: StatusBoard) -> None:
        self._board = board

    def describe(self) -> Sequence[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        standing = GaugeMetricFamily(
            "etcd_dr_recovery_state",
            "Where the last recovery stands: 1 for the state that holds",
            labels=("cluster", "recovery", "state"),
        )
        changed = GaugeMetricFamily(
            "etcd_dr_recovery_step_started_timestamp_seconds",
            "When its journal was last written to, or its lock taken",
            labels=("cluster", "recovery"),
        )
        for state in self._board.all():
            recovery = state.recovery.value
            if recovery is None or state.store_failure is not None:
                continue
            place = [state.cluster, recovery.recovery_id]
            changed.add_metric(place, recovery.changed_at.timestamp())
            for each in WatchedState:
                standing.add_metric([*place, each.value], float(recovery.state is each))
        yield from (standing, changed)
