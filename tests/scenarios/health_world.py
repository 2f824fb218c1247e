"""A cluster, its pages and an operator's watch over fakes, for stories about health.

    world = HealthWorld()
    world.cluster["m2"].stop()
    report = world.round()
    assert report.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE

Rounds are `every` seconds apart by the fake clock, which moves only between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.member_metrics import MemberMetrics
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.observe_cluster import ClusterObserver, ObserveOptions
from fakes.clock import FakeClock
from fakes.etcd import FakeCluster, FakeEtcdConnector
from fakes.events import RecordingEvents
from fakes.member_probe import FakeMemberProbe

PATIENT = ObserveOptions(deadline_seconds=60.0)  # whoever is silent says so at once, and no pause of the machine does


class HealthWorld:
    """Three members, everything sound until a test bends it."""

    def __init__(
        self,
        cluster: FakeCluster | None = None,
        *,
        endpoints: Sequence[str] | None = None,
        options: ObserveOptions | None = None,
        every: float = 30.0,
    ) -> None:
        self.clock = FakeClock()
        self.cluster = cluster or FakeCluster.of_three()
        self.connector = FakeEtcdConnector(self.cluster, endpoints=endpoints)
        self.probe = FakeMemberProbe(self.cluster, now=self.clock.now)
        self.events = RecordingEvents()
        self.stored: SnapshotFacts | None = None
        self.every = every
        self.watch = HealthWatch(
            cluster="prod",
            observer=ClusterObserver(self.connector, self.probe, clock=self.clock, options=options or PATIENT),
            events=self.events,
            thresholds=Thresholds(),
            peers_every=timedelta(hours=1),
        )

    def round(self, *, after: float | None = None) -> HealthReport:
        """Let time pass and return the report of the next round."""
        self.clock.advance(self.every if after is None else after)
        return self.watch.round(self.stored)

    def metrics(self, name: str, **changes: float) -> None:
        """Change numbers on a member's /metrics."""
        base = self.probe.metrics.get(name, MemberMetrics(process_started_at=1.0, db_quota_bytes=float(2 << 30)))
        self.probe.metrics[name] = replace(base, **changes)  # type: ignore[arg-type]  # names are checked by replace

    @property
    def left_open(self) -> int:
        """How many connections nobody closed."""
        return sum(self.cluster.open_connections.values())


def codes(report: HealthReport) -> set[str]:
    """Return the codes of a report's findings."""
    return {finding.code for finding in report.findings}
