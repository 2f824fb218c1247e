"""Replicas of the operator over one etcd, one store and one API of leases, with time in the test's hands.

world = ReplicaWorld(tmp_path)
a, b = world.replica("a"), world.replica("b")
world.pass_seconds(60)          # rounds of every replica that is not paused
world.in_mid_upload(lambda: …)  # once, at the first chunk that the next snapshot writes
a.keeper.look_at_schedule()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts, KeeperSlots
from etcd_dr.entrypoints.operator.leadership_parts import LeadershipCollector
from etcd_dr.entrypoints.operator.lease_leadership import LeaseLeadership, LeaseParts
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.observe_cluster import ClusterObserver
from etcd_dr.workflows.settle_slot import SlotArbiter
from etcd_dr.workflows.verify_snapshot import VerifyPorts
from fakes.clock import UnhurriedClock
from fakes.events import RecordingEvents
from fakes.leases import FakeLeaseApi
from fakes.object_store import FakeObjectStore
from scenarios.lease_world import TIMINGS
from scenarios.snapshot_world import SnapshotWorld

LEASE = "etcd-dr-prod"
LIFE = timedelta(minutes=15)


class ReplicaTokens:
    """Tokens in which the replica can be seen: a00000000001, …"""

    def __init__(self, letter: str) -> None:
        self._letter = letter
        self._count = 0

    def token(self) -> str:
        self._count += 1
        return f"{self._letter}{self._count:011x}"


class OperatorReplica:
    """One process: its keeper of the cluster, its leadership, its connection to the API."""

    def __init__(self, world: ReplicaWorld, name: str) -> None:
        self.world = world
        self.name = name
        self.connection = world.api.connection()
        self.events = RecordingEvents()
        self.cancellation = CancellationSwitch()
        self.tokens = ReplicaTokens(name)
        self.guard = MemberGuard()
        self.looks: list[datetime] = []
        self.is_paused = False
        self.board = StatusBoard([ClusterState(cluster="prod", store="main", schedule_gap=timedelta(hours=1))])
        self.metrics = OperatorMetrics(self.board)
        self.leadership = LeaseLeadership(
            LeaseParts(
                lease_names={"prod": LEASE},
                me=name,
                leases=self.connection,
                timings=TIMINGS,
                clock=world.clock,
                now=world.clock.monotonic,
                cancellation=self.cancellation,
                events=self.events,
                look=lambda _: self.looks.append(world.clock.now()),
            )
        )
        self.metrics.registry.register(LeadershipCollector(self.leadership))
        self.keeper = ClusterKeeper(self._parts())

    @property
    def leads(self) -> bool:
        return self.leadership.standing("prod").leads

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def look(self) -> None:
        self.keeper.look_at_schedule()

    def stop(self) -> None:
        """End gracefully, as the process does: the wish to stop, then the leases."""
        self.cancellation.cancel("SIGTERM")
        self.leadership.stop(is_clean=True)
        self.is_paused = True

    def _parts(self) -> KeeperParts:
        world = self.world
        surroundings = Surroundings(
            clock=world.clock,
            tokens=self.tokens,
            events=self.events,
            progress=world.progress,
            cancellation=self.cancellation,
        )
        arbiter = SlotArbiter(
            world.store,
            world.layout,
            clock=world.clock,
            now=world.clock.monotonic,
            tokens=self.tokens,
            events=self.events,
        )
        observer = ClusterObserver(world.connector, None, clock=UnhurriedClock(world.clock))
        return KeeperParts(
            cluster="prod",
            store_name="main",
            store=world.store,
            layout=world.layout,
            watch=HealthWatch(cluster="prod", observer=observer, events=self.events),
            surroundings=surroundings,
            board=self.board,
            metrics=self.metrics,
            leadership=self.leadership,
            look_again=lambda _, at: self.looks.append(at),
            pipeline=self._pipeline,
            verification=self._verification,
            limits=world.limits,
            policy=RetentionPolicy(),
            schedule=CronSchedule("0 * * * *", "UTC", "prod"),
            slots=KeeperSlots(arbiter=arbiter, life=LIFE),
        )

    def _pipeline(self) -> PipelinePorts:
        return replace(self.world.ports, tokens=self.tokens, events=self.events, guard=self.guard)

    def _verification(self) -> VerifyPorts:
        world = self.world
        return VerifyPorts(
            store=world.store,
            decoder=world.decoder,
            scratch=world.scratch,
            clock=world.clock,
            tokens=self.tokens,
            events=self.events,
            progress=world.progress,
            cancellation=self.cancellation,
        )


class ReplicaWorld(SnapshotWorld):
    """The cluster `prod` with an hourly schedule; replicas in the order in which they came."""

    def __init__(self, directory: Path, *, put_if_absent: bool = True) -> None:
        super().__init__(directory)
        self.store = FakeObjectStore(now=self.clock.now, put_if_absent=put_if_absent)
        self.api = FakeLeaseApi()
        self.replicas: list[OperatorReplica] = []

    def replica(self, name: str) -> OperatorReplica:
        self.replicas.append(OperatorReplica(self, name))
        return self.replicas[-1]

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass in retry periods, with a round of every replica that is not paused in each."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.advance(min(TIMINGS.retry_seconds, end - self.clock.monotonic()))
            for replica in self.replicas:
                if not replica.is_paused:
                    replica.leadership.round()

    def cut_off(self, *replicas: OperatorReplica, is_cut: bool = True) -> None:
        for replica in replicas:
            replica.connection.is_cut = is_cut

    def in_mid_upload(self, then: Callable[[], None]) -> None:
        """Call `then` once, at the first chunk that is written, while the upload stands still."""

        def once(operation: str, _: str) -> None:
            if operation == "write":
                self.store.faults.on_chunk = None
                then()

        self.store.faults.on_chunk = once

    @property
    def takers(self) -> list[str]:
        """Who took each committed snapshot, oldest first."""
        return [str(snapshot.id).partition("-")[2][0] for snapshot in self.catalogue.snapshots]
