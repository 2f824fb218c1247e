"""Several replicas that hold leases of one API, with time in the test's hands.

world = LeaseWorld(clusters=["c0", "c1"])
a, b = world.replica("a"), world.replica("b")
world.pass_seconds(60)          # every replica makes its rounds, each retry period
a.connection.is_cut = True
"""

from __future__ import annotations

from contextlib import suppress

from etcd_dr.domain.leadership import LeaseTimings
from etcd_dr.errors import KubernetesError
from etcd_dr.workflows.hold_leases import LeaseHolder, LeaseHooks
from fakes.clock import FakeClock
from fakes.leases import FakeLeaseApi

TIMINGS = LeaseTimings(lease_seconds=30, renew_deadline_seconds=20, retry_seconds=5, request_seconds=4)


class Replica:
    """One process; `told` is what its hooks heard, `busy` are clusters with work under way."""

    def __init__(self, world: LeaseWorld, name: str) -> None:
        self.name = name
        self.connection = world.api.connection()
        self.told: list[tuple[str, ...]] = []
        self.busy: set[str] = set()
        self.is_paused = False
        self.failures: list[KubernetesError] = []
        hooks = LeaseHooks(
            begun=lambda cluster, fencing: self.told.append(("begun", cluster, str(fencing))),
            ended=lambda cluster, reason: self.told.append(("ended", cluster, reason)),
            may_give=lambda cluster: cluster not in self.busy,
            kept=lambda _: None,
        )
        self.holder = LeaseHolder(
            world.clusters,
            me=name,
            leases=self.connection,
            timings=TIMINGS,
            clock=world.clock,
            now=world.clock.monotonic,
            hooks=hooks,
        )

    def round(self) -> None:
        if self.is_paused:
            return
        try:
            self.holder.round()
        except KubernetesError as error:
            self.failures.append(error)

    def stop(self) -> None:
        """End gracefully."""
        with suppress(KubernetesError):
            self.holder.release_all("stopped")
        self.is_paused = True

    @property
    def led(self) -> list[str]:
        return [cluster for cluster in self.holder.names if self.holder.leads(cluster)]


class LeaseWorld:
    """An API, a clock, and replicas in the order in which they came."""

    def __init__(self, clusters: list[str]) -> None:
        self.clusters = clusters
        self.clock = FakeClock()
        self.api = FakeLeaseApi()
        self.replicas: list[Replica] = []

    def replica(self, name: str) -> Replica:
        self.replicas.append(Replica(self, name))
        return self.replicas[-1]

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass in retry periods, with a round of every replica in each; never two leaders meanwhile."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.advance(TIMINGS.retry_seconds)
            for replica in self.replicas:
                replica.round()
            for cluster in self.clusters:
                leaders = [each.name for each in self.replicas if each.holder.leads(cluster)]
                assert len(leaders) <= 1, f"{cluster} is led by {leaders}"
