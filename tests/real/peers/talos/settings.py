"""What a double is made of: how many nodes, which Talos release, which etcd, and how fast its clocks run.

A release is a version and the differences that follow from it; nothing else in this package compares versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from etcd_dr.adapters.local_cluster import EtcdBinaries

MachineType = Literal["init", "controlplane", "worker"]
Start = Literal["formed", "unbootstrapped"]


@dataclass(frozen=True, slots=True, order=True)
class TalosRelease:
    """A release of Talos, such as `TalosRelease.parse("1.13.9")`, and what sets it apart."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> TalosRelease:
        """Return `v1.9.5` or `1.9.5` as a release."""
        major, minor, patch = text.removeprefix("v").split(".")
        return cls(int(major), int(minor), int(patch))

    @property
    def tag(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"

    @property
    def backup_role_reads_status(self) -> bool:
        """From 1.9.6 and 1.10.1 `os:etcd:backup` may ask for status, members and alarms too (talos#10821)."""
        return self >= TalosRelease(1, 10, 1) or TalosRelease(1, 9, 6) <= self < TalosRelease(1, 10, 0)

    @property
    def stopping_before_start_is_a_failure(self) -> bool:
        """Up to 1.12 a service stopped before it ran ended `Failed: … context canceled`; later ones end `Finished`."""
        return self < TalosRelease(1, 13, 0)

    @property
    def worker_bootstrap_is_failed_precondition(self) -> bool:
        return self < TalosRelease(1, 13, 0)

    @property
    def restores_with_many_addresses(self) -> bool:
        """Before 1.9.7 and 1.10.5 a restore on a node with several advertised addresses failed (talos#11257)."""
        return self >= TalosRelease(1, 10, 5) or TalosRelease(1, 9, 7) <= self < TalosRelease(1, 10, 0)

    @property
    def leaving_removes_the_directory(self) -> bool:
        """Up to 1.13 leaving removed /var/lib/etcd itself; later releases empty it."""
        return self < TalosRelease(1, 14, 0)

    @property
    def names_volumes_while_waiting(self) -> bool:
        return self >= TalosRelease(1, 13, 0)

    @property
    def may_have_etcd_volume(self) -> bool:
        """From 1.14 /var/lib/etcd may be a partition of its own, which a reset of EPHEMERAL does not wipe."""
        return self >= TalosRelease(1, 14, 0)

    @property
    def adopts_nameless_learners(self) -> bool:
        """From 1.14 a join that was broken off is taken up again; before, `Peer URLs already exists` is for ever."""
        return self >= TalosRelease(1, 14, 0)

    @property
    def names_access_in_a_document(self) -> bool:
        """From 1.14 access from Kubernetes is a document of its own, KubeTalosAPIAccessConfig."""
        return self >= TalosRelease(1, 14, 0)

    @property
    def missing_calls(self) -> frozenset[str]:
        """The calls of our contract that this release did not have yet."""
        if self >= TalosRelease(1, 5, 0):
            return frozenset()
        return frozenset({"EtcdStatus", "EtcdAlarmList", "EtcdAlarmDisarm", "EtcdDefragment", "EtcdRemoveMemberByID"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take here, in seconds; what they take on real nodes is in the comments."""

    boot: float = 0.05
    condition: float = 0.02  # until time, network and etcd's specification are there, each
    health_delay: float = 0.1  # 5
    health_every: float = 0.2  # 20
    health_timeout: float = 3.0  # 15
    join_every: float = 0.25  # 3, and up to 1 more
    join_attempt: float = 10.0  # 30
    join_for: float = 600.0  # 1800
    promote_every: float = 0.25  # 15 up to 1.13, 2 later
    promote_for: float = 300.0  # 600
    restart_after: float = 0.2  # 5
    time_sync_wait: float = 0.2  # 5: how long Bootstrap waits for the clock
    sequence: float = 0.1  # until a reset or a reboot that was answered begins to strike
    reboot: float = 0.2  # minutes: how long nothing answers


@dataclass(frozen=True, slots=True)
class TalosSettings:
    """A control plane. `start` is `formed` for a cluster in service, `unbootstrapped` for machines just installed.

    `machine_types` overrides `controlplane` by index, as in `{2: "worker"}`. `etcd_volume` makes /var/lib/etcd a
    partition of its own (1.14). `extra_addresses` advertises a second address of each node (talos#11257).
    """

    binaries: EtcdBinaries
    nodes: int = 3
    release: TalosRelease = field(default_factory=lambda: TalosRelease(1, 13, 9))
    start: Start = "formed"
    cluster: str = "talos-double"
    machine_types: dict[int, MachineType] = field(default_factory=dict)
    etcd_volume: bool = False
    extra_addresses: bool = False
    pace: Pace = field(default_factory=Pace)
    port: int = 50_000
    etcd_flags: tuple[str, ...] = ()
