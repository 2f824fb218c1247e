"""The doctor's round on one Talos cluster."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.adapters.talos.material import own_certificate
from etcd_dr.adapters.talos.ports_of_node import SocketPortProbe
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.talos import talos_nodes
from etcd_dr.config import Target
from etcd_dr.domain.doctor import TalosObservation
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.workflows.examine_talos import OwnAccess, examine_talos


def look_at_talos(
    target: Target, surroundings: Surroundings, *, nodes: Sequence[str], deadline: float, stored: SnapshotFacts | None
) -> TalosObservation:
    """Return what the nodes say; those of `nodes`, or all that are known. Raises ConfigError."""
    fleet = talos_nodes(target.need_talos(), surroundings)
    own = own_certificate(fleet.context())
    return examine_talos(
        fleet,
        [fleet.shown(node) for node in nodes] or fleet.nodes(),
        probe=SocketPortProbe(),
        clock=surroundings.clock,
        deadline=deadline,
        own=OwnAccess(own.roles, own.not_after),
        snapshots=stored,
    )
