"""What the jobs of one cluster work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.domain.tripwire import TripwireTerms
from etcd_dr.entrypoints.operator.board import StatusBoard
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.ports.leadership import Leadership
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.count_live_keys import KeyCounter
from etcd_dr.workflows.drill_restore import DrillOptions, DrillPorts
from etcd_dr.workflows.settle_slot import SlotArbiter
from etcd_dr.workflows.verify_snapshot import VerifyPorts


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperDrills:
    """How this cluster is drilled. `ports` is called for each drill; `schedule` None: health alone asks for drills."""

    ports: Callable[[], DrillPorts]
    options: DrillOptions
    schedule: CronSchedule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSlots:
    """How this replica and others keep out of each other's way. `life` is the longest that a claim is waited for."""

    arbiter: SlotArbiter
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperTripwire:
    """When vanishing keys are a mass deletion. `counter` None: nobody can count, and snapshots alone are compared."""

    terms: TripwireTerms
    counter: KeyCounter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperParts:
    """What a keeper works with.

    `pipeline` and `verification` are called for each run, so that keys and recipients in files are read afresh; they
    raise ConfigError and FileUnreadable. `look_again` asks for another look at the schedule at a moment.
    `schedule` None: snapshots on demand only. `slots` None: there are no other replicas.
    """

    cluster: str
    store_name: str
    store: ObjectStore
    layout: ClusterLayout
    watch: HealthWatch
    surroundings: Surroundings
    board: StatusBoard
    metrics: OperatorMetrics
    leadership: Leadership
    look_again: Callable[[str, datetime], None]
    pipeline: Callable[[], PipelinePorts]
    verification: Callable[[], VerifyPorts]
    limits: SnapshotLimits
    policy: RetentionPolicy
    schedule: CronSchedule | None = None
    verified_fraction: float = 0.1
    upload_grace: timedelta = timedelta(hours=24)
    endpoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = "etcd"
    drills: KeeperDrills | None = None
    tripwire: KeeperTripwire | None = None
    slots: KeeperSlots | None = None

    @property
    def place(self) -> dict[str, str]:
        """The labels of this cluster's metrics."""
        return {"cluster": self.cluster, "store": self.store_name}
