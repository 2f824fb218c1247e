"""What an assessment looks at, as one cluster's configuration has it."""

from __future__ import annotations

from etcd_dr.adapters.pause import CancellablePause
from etcd_dr.bootstrap.health import cluster_observer
from etcd_dr.bootstrap.members import connect_members
from etcd_dr.bootstrap.snapshots import snapshot_limits
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.ports.control_plane import SeenControlPlane
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.recovery.assess_cluster import AssessPorts


def assess_ports(
    target: Target, store: ObjectStore | None, surroundings: Surroundings, *, control_plane: SeenControlPlane | None
) -> AssessPorts:
    """Return everything that is looked at; what is not configured is left out."""
    asks_members = target.etcd is not None or target.talos is not None
    return AssessPorts(
        clock=surroundings.clock,
        observer=cluster_observer(target, surroundings) if asks_members else None,
        connector=connect_members(target, surroundings) if asks_members else None,
        control_plane=control_plane,
        store=store,
        pause=CancellablePause(surroundings.cancellation),
        limits=snapshot_limits(target),
    )
