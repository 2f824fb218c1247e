"""The verdict on readiness from what the board holds, and its metrics (docs/metrics.md).

It is judged anew at each question: a snapshot grows old and a drill stale without anything happening on the board.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etcd_dr.domain.readiness.facts import ReadinessFacts
from etcd_dr.domain.readiness.judging import judge_readiness
from etcd_dr.domain.readiness.verdict import Readiness, Recoverable
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.ports.clock import Clock


def readiness_of(state: ClusterState, *, now: datetime) -> Readiness:
    """Return the verdict on one cluster as of `now`."""
    return judge_readiness(
        ReadinessFacts(
            cluster=state.cluster,
            now=now,
            catalogue=state.catalogue,
            read_at=state.catalogue_read_at,
            store_failure=state.store_failure,
            schedule_gap=state.schedule_gap,
            next_start_at=state.next_start_at,
            failures=state.failures,
            quorum=state.report.quorum if state.report is not None else None,
            terms=state.terms,
        )
    )


class ReadinessCollector(Collector):
    """Gauges made at each scrape: the answer, its reasons, and the estimate."""

    def __init__(self, board: StatusBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def describe(self) -> Sequence[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        place = ("cluster", "store")
        text = "Could this cluster be recovered right now? 1 for the answer that holds"
        answers = GaugeMetricFamily("etcd_dr_recoverable", text, labels=(*place, "answer"))
        text = "What speaks against it, by code and weight (docs/status-page.md)"
        reasons = GaugeMetricFamily("etcd_dr_recoverable_reason", text, labels=(*place, "code", "weight"))
        text = "How long a recovery from the newest proven snapshot would take, without the time that people need"
        estimates = GaugeMetricFamily("etcd_dr_recovery_estimate_seconds", text, labels=(*place, "basis"))
        now = self._clock.now()
        for state in self._board.all():
            labels = (state.cluster, state.store)
            readiness = readiness_of(state, now=now)
            for answer in Recoverable:
                answers.add_metric((*labels, answer.value), float(readiness.answer is answer))
            for code, weight in sorted({(reason.code, reason.weight.value) for reason in readiness.reasons}):
                reasons.add_metric((*labels, code, weight), 1.0)
            if readiness.estimate is not None:
                estimates.add_metric((*labels, readiness.estimate.basis.value), readiness.estimate.seconds)
        yield from (answers, reasons, estimates)
