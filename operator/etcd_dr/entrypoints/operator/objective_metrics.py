"""How the objectives stand, from what the board holds, and their metrics (docs/metrics.md).

Judged anew at each question: a snapshot grows old without anything happening on the board.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etcd_dr.domain.objectives import ObjectivesReport, judge_objectives
from etcd_dr.domain.objectives.rpo import Outlook
from etcd_dr.domain.objectives.status import ObjectiveStatus, seconds_of
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.ports.clock import Clock

_GAUGES = {
    "rpo_objective_seconds": "The most that may be lost",
    "rpo_seconds": "What would be lost now: the age of the newest proven snapshot",
    "rpo_projected_seconds": "What would be lost just before the next snapshot can be proven",
    "rpo_schedule_seconds": "The most that the schedule lets be lost when every run succeeds",
    "rpo_kept_ratio": "Share of the known time of the window in which the RPO was kept",
    "rpo_kept_objective_ratio": "Share in which it is meant to be kept",
    "rpo_known_ratio": "Share of the window of which the store remembers enough to tell",
    "rpo_budget_left_ratio": "Share of the allowed misses that is left; below 0: overdrawn",
    "rpo_worst_seconds": "The longest loss in the window that is certain",
    "rto_objective_seconds": "The longest that a restore may take",
    "rto_seconds": "How long a restore would take with the database of today",
}


def objectives_report(state: ClusterState, *, now: datetime) -> ObjectivesReport | None:
    """Return how the objectives of a cluster stand; None before the first reading of its store."""
    if state.catalogue is None:
        return None
    return judge_objectives(
        state.catalogue,
        state.objectives,
        now=now,
        outlook=Outlook(
            next_start_at=state.next_start_at,
            longest_gap=state.schedule_gap + state.schedule_jitter if state.schedule_gap is not None else None,
            failures=state.failures,
        ),
        policy=state.policy,
        watching_since=state.watching_since,
    )


class ObjectiveCollector(Collector):
    """Gauges made at each scrape."""

    def __init__(self, board: StatusBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def describe(self) -> Sequence[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        place = ("cluster", "store")
        families = {
            name: GaugeMetricFamily(
                f"etcd_dr_{name}", text, labels=(*place, "basis") if name == "rto_seconds" else place
            )
            for name, text in _GAUGES.items()
        }
        text = "How an objective stands: 1 for the status that holds (docs/objectives.md)"
        statuses = GaugeMetricFamily("etcd_dr_objective_status", text, labels=(*place, "objective", "status"))
        now = self._clock.now()
        for state in self._board.all():
            report = objectives_report(state, now=now)
            if report is None:
                continue
            labels = [state.cluster, state.store]
            for name, value in _values(report).items():
                if value is not None:
                    basis = [report.rto.basis.value] if name == "rto_seconds" and report.rto.basis else []
                    families[name].add_metric([*labels, *basis], value)
            for objective, standing in (("rpo", report.rpo.status), ("rto", report.rto.status)):
                for status in ObjectiveStatus:
                    statuses.add_metric([*labels, objective, status.value], float(status is standing))
        yield from (*families.values(), statuses)


def _values(report: ObjectivesReport) -> dict[str, float | None]:
    rpo, rto, history = report.rpo, report.rto, report.history
    return {
        "rpo_objective_seconds": seconds_of(rpo.objective),
        "rpo_seconds": seconds_of(rpo.age),
        "rpo_projected_seconds": seconds_of(rpo.projected),
        "rpo_schedule_seconds": seconds_of(rpo.schedule_takes),
        "rpo_kept_ratio": history.share if history else None,
        "rpo_kept_objective_ratio": history.share_wanted if history else None,
        "rpo_known_ratio": history.known_share if history else None,
        "rpo_budget_left_ratio": history.budget_left if history else None,
        "rpo_worst_seconds": seconds_of(history.worst) if history else None,
        "rto_objective_seconds": seconds_of(rto.objective),
        "rto_seconds": seconds_of(rto.expected),
    }
