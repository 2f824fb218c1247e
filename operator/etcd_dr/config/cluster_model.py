"""What is done for one cluster: when snapshots are taken, how they are proven, kept and watched."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from etcd_dr.config.companions_model import CompanionsSection
from etcd_dr.config.control_plane_model import ControlPlaneSection
from etcd_dr.config.cron import check_cron, shortest_gap
from etcd_dr.config.drill_model import DrillSection
from etcd_dr.config.duration import Duration, PositiveDuration, duration_text
from etcd_dr.config.etcd_model import EtcdSection
from etcd_dr.config.fields import ClusterName, Count, Section, TimeZoneName
from etcd_dr.config.objective_model import ObjectivesSection
from etcd_dr.config.talos_model import TalosSection
from etcd_dr.config.tripwire_model import TripwireSection
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.errors import ConfigError


class ScheduleSection(Section):
    """When snapshots are taken by the operator."""

    cron: str
    """Five cron fields, or @hourly, @daily, @weekly, @monthly, @yearly; as Debian's cron reads them."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which the fields are read, such as Europe/Berlin."""
    jitter: Duration = timedelta(0)
    """Each run starts up to this much later, so that many clusters do not start together."""

    @field_validator("cron")
    @classmethod
    def _valid(cls, text: str) -> str:
        return check_cron(text)

    @model_validator(mode="after")
    def _not_later_than_the_next(self) -> Self:
        shortest = shortest_gap(self.cron)
        if self.jitter and self.jitter >= shortest:
            raise ValueError(
                f"a jitter of {duration_text(self.jitter)} is not shorter than the {duration_text(shortest)} between "
                "two runs: one run could come after the next"
            )
        return self


class SnapshotSection(Section):
    """How a snapshot is taken and proven."""

    stall_timeout: PositiveDuration = timedelta(seconds=30)
    """Longest silence within the stream before it is given up."""
    total_timeout: PositiveDuration | None = None
    """Longest time for the whole stream; unset: 5 minutes and 5 minutes more for each GiB of the database."""
    endpoint: str | None = None
    """Take it from this endpoint instead of the best member."""
    attempts: int = Field(default=3, ge=1, le=10)
    """How many members are tried in one run."""
    hash_live_members: bool = True
    """Ask members for HashKV for the `consistent` proof; it holds up a member for 1-4 s per GB."""
    hash_max_bytes: int = Field(default=4 << 30, ge=0)
    """Above this database size only one follower is asked."""


class RetentionSection(Section):
    """What is kept. A snapshot stays when any rule keeps it; nothing set: everything stays."""

    keep_last: Count = 0
    """The newest ones."""
    keep_hourly: Count = 0
    """The newest one of each of so many hours; hours without a snapshot do not count."""
    keep_daily: Count = 0
    """Likewise for days."""
    keep_weekly: Count = 0
    """Likewise for weeks (ISO: from Monday)."""
    keep_monthly: Count = 0
    """Likewise for months."""
    keep_yearly: Count = 0
    """Likewise for years."""
    keep_within: Duration | None = None
    """Everything taken within this time before the newest proven one."""
    min_restore_points: int = Field(default=1, ge=1)
    """So many of the newest proven snapshots stay in any case."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which hours, days, weeks and months are counted."""


class HealthSection(Section):
    """Health rounds of the operator and of `etcd-dr health`."""

    interval: PositiveDuration = timedelta(seconds=30)
    """Time between two rounds of the operator and of `health --watch`."""
    timeout: PositiveDuration = timedelta(seconds=3)
    """Deadline for each member; a round never takes much longer."""
    http_urls: dict[str, str] = Field(default_factory=dict)
    """Where an endpoint's /metrics and /health are served elsewhere (--listen-metrics-urls): endpoint to URL."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Limits of single rules by name (docs/health.md)."""

    @field_validator("thresholds")
    @classmethod
    def _known(cls, values: dict[str, float]) -> dict[str, float]:
        try:
            Thresholds().with_overrides(values)
        except ConfigError as error:
            raise ValueError(error.message) from error
        return values


class VerifySection(Section):
    """Re-verification of stored snapshots by the operator."""

    cron: str = "17 3 * * *"
    """When it runs; written as in `schedule`."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which the fields are read."""
    fraction: float = Field(default=0.1, gt=0, le=1)
    """Share of all snapshots that one run verifies, oldest proof first."""

    @field_validator("cron")
    @classmethod
    def _valid(cls, text: str) -> str:
        return check_cron(text)


class ClusterSection(Section):
    """One protected cluster."""

    name: ClusterName
    """Names the cluster's folder in the store: 1 to 63 of a-z, 0-9, '.', '_', '-'."""
    etcd: EtcdSection | None = None
    """Required, except where `talos` is given; beside it, members are asked for HashKV this way."""
    talos: TalosSection | None = None
    """Take snapshots through Talos' machine API."""
    store: str
    """Name of the store under `stores`."""
    schedule: ScheduleSection | None = None
    """Unset: snapshots on demand only."""
    snapshot: SnapshotSection = SnapshotSection()
    retention: RetentionSection = RetentionSection()
    health: HealthSection = HealthSection()
    verify: VerifySection | None = VerifySection()
    """`null` turns re-verification off."""
    control_plane: ControlPlaneSection | None = None
    """The nodes that run etcd, for recovery."""
    objectives: ObjectivesSection = ObjectivesSection()
    tripwire: TripwireSection = TripwireSection()
    drill: DrillSection = DrillSection()
    companions: CompanionsSection = CompanionsSection()
    labels: dict[str, str] = Field(default_factory=dict)
    """Copied into every manifest."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.etcd is None and self.talos is None:
            raise ValueError("give etcd, or talos, or both: how is the cluster reached?")
        if (self.companions.node_files or self.companions.kubeadm) and self.control_plane is None:
            raise ValueError("companions asks for files of nodes: describe the nodes under control_plane")
        return self
