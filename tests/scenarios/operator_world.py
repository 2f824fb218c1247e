"""The operator's keeper of one cluster over the fakes of SnapshotWorld, with time in the test's hands."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.domain.objectives import Objectives
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.domain.tripwire import TripwireTerms
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.keeper_parts import KeeperDrills, KeeperParts, KeeperTripwire
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.entrypoints.operator.objective_metrics import ObjectiveCollector
from etcd_dr.entrypoints.operator.readiness import ReadinessCollector
from etcd_dr.entrypoints.operator.recovery_metrics import RecoveryCollector
from etcd_dr.entrypoints.operator.sole_leadership import SoleLeadership
from etcd_dr.entrypoints.operator.tripwire_metrics import TripwireCollector
from etcd_dr.ports.leadership import Leadership
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.count_live_keys import KeyCounter
from etcd_dr.workflows.observe_cluster import ClusterObserver
from etcd_dr.workflows.verify_snapshot import VerifyPorts
from fakes.clock import UnhurriedClock
from scenarios.snapshot_world import SnapshotWorld


class OperatorWorld(SnapshotWorld):
    """`keeper` looks at an hourly schedule; `looks` are the moments at which it asked to look again."""

    def __init__(self, directory: Path, *, policy: RetentionPolicy | None = None) -> None:
        super().__init__(directory)
        self.looks: list[datetime] = []
        self.policy = policy or RetentionPolicy()
        self.drills: KeeperDrills | None = None
        self.leadership: Leadership = SoleLeadership(["prod"], self.cancellation)
        self.objectives = Objectives()
        self.tripwire = TripwireTerms()
        self.restart()

    def restart(self) -> None:
        """Forget everything that a new process would not know."""
        state = ClusterState(
            cluster="prod",
            store="main",
            schedule_gap=timedelta(hours=1),
            drill_max_age=timedelta(days=8),
            objectives=self.objectives,
            policy=self.policy,
            tripwire=self.tripwire,
        )
        self.board = StatusBoard([state])
        self.metrics = OperatorMetrics(self.board)
        self.metrics.registry.register(ObjectiveCollector(self.board, self.clock))
        self.metrics.registry.register(TripwireCollector(self.board, self.clock))
        self.metrics.registry.register(RecoveryCollector(self.board))
        self.metrics.registry.register(ReadinessCollector(self.board, self.clock))
        self.keeper = ClusterKeeper(self._parts())

    def value(self, name: str, **labels: str) -> float | None:
        """Return one sample as a scrape would show it."""
        return self.metrics.registry.get_sample_value(name, labels)

    def _parts(self) -> KeeperParts:
        surroundings = Surroundings(
            clock=self.clock,
            tokens=self.tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
        )
        observer = ClusterObserver(self.connector, None, clock=UnhurriedClock(self.clock))
        return KeeperParts(
            cluster="prod",
            store_name="main",
            store=self.store,
            layout=self.layout,
            watch=HealthWatch(cluster="prod", observer=observer, events=self.events),
            surroundings=surroundings,
            board=self.board,
            metrics=self.metrics,
            leadership=self.leadership,
            look_again=lambda _, at: self.looks.append(at),
            pipeline=lambda: self.ports,
            verification=self._verification,
            limits=self.limits,
            policy=self.policy,
            schedule=CronSchedule("0 * * * *", "UTC", "prod"),
            verified_fraction=0.5,
            drills=self.drills,
            tripwire=KeeperTripwire(
                terms=self.tripwire,
                counter=KeyCounter(self.connector, clock=self.clock, ignored=("/registry/events/",)),
            ),
        )

    def _verification(self) -> VerifyPorts:
        return VerifyPorts(
            store=self.store,
            decoder=self.decoder,
            scratch=self.scratch,
            clock=self.clock,
            tokens=self.tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
        )
