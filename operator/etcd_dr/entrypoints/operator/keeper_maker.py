"""The keepers of all clusters, and what the board knows of each before the first look: as the configuration has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.bootstrap.drill import drill_max_age, drill_options, drill_ports, drill_schedule
from etcd_dr.bootstrap.health import health_watch
from etcd_dr.bootstrap.leadership import slot_arbiter
from etcd_dr.bootstrap.objectives import objectives_of
from etcd_dr.bootstrap.readiness import readiness_terms
from etcd_dr.bootstrap.schedules import cron_schedule, retention_policy
from etcd_dr.bootstrap.snapshots import pipeline_ports, snapshot_limits, verify_ports
from etcd_dr.bootstrap.stores import layout_of, open_store
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.tripwire import key_counter, tripwire_terms
from etcd_dr.config import Config, Target
from etcd_dr.config.cluster_model import ClusterSection
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.keeper_parts import KeeperDrills, KeeperParts, KeeperSlots, KeeperTripwire
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.ports.leadership import Leadership
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.guard_member import MemberGuard


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperMaker:
    """Makes keepers that share what one process has once. `look_again` asks for a look at a schedule at a moment."""

    config: Config
    targets: Mapping[str, Target]
    surroundings: Surroundings
    board: StatusBoard
    metrics: OperatorMetrics
    leadership: Leadership
    look_again: Callable[[str, datetime], None]

    def make_all(self, stack: ExitStack) -> dict[str, ClusterKeeper]:
        """Return the keepers by cluster; each store is opened once, and closed with `stack`."""
        guard = MemberGuard()
        stores: dict[str, ObjectStore] = {}
        keepers = {}
        for cluster in self.config.clusters:
            target = self.targets[cluster.name]
            section = target.need_store()
            if section.name not in stores:
                stores[section.name] = stack.enter_context(closing(open_store(section, self.surroundings)))
            keepers[cluster.name] = self._make(cluster, target, stores[section.name], guard)
        return keepers

    def _make(self, cluster: ClusterSection, target: Target, store: ObjectStore, guard: MemberGuard) -> ClusterKeeper:
        surroundings = self.surroundings
        schedule = cron_schedule(cluster.schedule, cluster=cluster.name) if cluster.schedule else None
        return ClusterKeeper(
            KeeperParts(
                cluster=cluster.name,
                store_name=target.need_store().name,
                store=store,
                layout=layout_of(target.need_store(), cluster.name),
                watch=health_watch(target, surroundings, cluster=cluster.name),
                surroundings=surroundings,
                board=self.board,
                metrics=self.metrics,
                leadership=self.leadership,
                look_again=self.look_again,
                pipeline=lambda: pipeline_ports(target, store, surroundings, guard=guard),
                verification=lambda: verify_ports(target, store, surroundings),
                limits=snapshot_limits(target),
                policy=retention_policy(cluster.retention),
                schedule=schedule,
                verified_fraction=cluster.verify.fraction if cluster.verify else 0.0,
                upload_grace=self.config.operator.upload_grace,
                endpoint=cluster.snapshot.endpoint,
                labels=cluster.labels,
                platform=target.platform,
                drills=self._drills_of(target, store, cluster.name),
                tripwire=self._tripwire_of(target),
                slots=self._slots_of(target, store, cluster.name),
            )
        )

    def _slots_of(self, target: Target, store: ObjectStore, name: str) -> KeeperSlots | None:
        said = self.config.kubernetes
        if said is None or not said.leases.enabled:
            return None
        arbiter = slot_arbiter(store, layout_of(target.need_store(), name), self.surroundings)
        return KeeperSlots(arbiter=arbiter, life=said.leases.claim_life)

    def _drills_of(self, target: Target, store: ObjectStore, name: str) -> KeeperDrills:
        return KeeperDrills(
            ports=lambda: drill_ports(target, store, self.surroundings),
            options=drill_options(target),
            schedule=drill_schedule(target, cluster=name),
        )

    def _tripwire_of(self, target: Target) -> KeeperTripwire | None:
        terms = tripwire_terms(target)
        if terms is None:
            return None
        return KeeperTripwire(terms=terms, counter=key_counter(target, self.surroundings))


def first_state(name: str, target: Target, *, now: datetime, reading_interval: timedelta) -> ClusterState:
    """Return what is known of a cluster from its configuration alone."""
    section = target.schedule
    gap = cron_schedule(section, cluster=name).longest_gap(now) if section is not None else None
    return ClusterState(
        cluster=name,
        store=target.need_store().name,
        schedule_gap=gap,
        schedule_jitter=section.jitter if section is not None else timedelta(0),
        drill_max_age=drill_max_age(target, now=now),
        objectives=objectives_of(target),
        policy=retention_policy(target.retention),
        tripwire=tripwire_terms(target),
        terms=readiness_terms(target, now=now, reading_interval=reading_interval),
    )
