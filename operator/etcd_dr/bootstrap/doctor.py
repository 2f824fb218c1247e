"""The doctor's round on one cluster: over Talos' machine API, or over ssh and etcd's own endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.control_plane_model import ControlPlaneSection
from etcd_dr.domain.doctor import TalosObservation
from etcd_dr.domain.doctor.hosts import HostsObservation
from etcd_dr.domain.health import Finding
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.errors import ConfigError, UsageError
from etcd_dr.workflows.examine_hosts import EtcdLook, examine_hosts

# ruff: noqa: PLC0415 - each way imports libraries of its own, and one of them is enough


def look_at_talos(
    target: Target, surroundings: Surroundings, *, nodes: Sequence[str], deadline: float, stored: SnapshotFacts | None
) -> TalosObservation:
    """Return what the nodes say; those of `nodes`, or all that are known. Raises ConfigError."""
    from etcd_dr.adapters.talos.material import own_certificate
    from etcd_dr.adapters.talos.ports_of_node import SocketPortProbe
    from etcd_dr.bootstrap.talos import talos_nodes
    from etcd_dr.workflows.examine_talos import OwnAccess, examine_talos

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
        is_whole=not nodes,
    )


def look_at_hosts(
    target: Target,
    surroundings: Surroundings,
    *,
    cluster: str,
    nodes: Sequence[str],
    deadline: float,
    stored: SnapshotFacts | None,
) -> tuple[HostsObservation, tuple[Finding, ...]]:
    """Return what the nodes show over ssh, and the findings of a health round where etcd's endpoints are known.

    `nodes`: names or addresses of the configuration; empty: all. Raises ConfigError, UsageError.
    """
    from etcd_dr.adapters.control_planes.remote import open_for_examination
    from etcd_dr.bootstrap.control_plane import ssh_settings, static_pod_settings, systemd_settings

    section = target.need_control_plane()
    if section.platform == "local":
        raise ConfigError(
            "the doctor looks at nodes over ssh, and these are processes of this machine",
            subject="control_plane.platform",
            next_step="Ask etcd itself: etcd-dr health",
        )
    group = open_for_examination(
        _addresses(section, nodes),
        ssh=ssh_settings(section.ssh),
        settings=systemd_settings(section) if section.platform == "systemd" else static_pod_settings(section),
        clock=surroundings.clock,
        cancellation=surroundings.cancellation,
    )
    return examine_hosts(
        group.nodes,
        platform=group.platform,
        cluster=cluster,
        clock=surroundings.clock,
        deadline=deadline,
        etcd=_etcd_look(target, surroundings, deadline=deadline),
        snapshots=stored,
    )


def _addresses(section: ControlPlaneSection, wanted: Sequence[str]) -> dict[str, str]:
    addresses = {node.name: node.address or node.name for node in section.nodes}
    unknown = [word for word in wanted if word not in addresses and word not in addresses.values()]
    if unknown:
        raise UsageError(
            "is no node of the configuration",
            subject=unknown[0][:80],
            next_step=f"Known are: {', '.join(addresses)}",
        )
    return {n: a for n, a in addresses.items() if not wanted or n in wanted or a in wanted}


def _etcd_look(target: Target, surroundings: Surroundings, *, deadline: float) -> EtcdLook | None:
    if target.etcd is None:
        return None
    from dataclasses import replace

    from etcd_dr.bootstrap.health import cluster_observer

    # A round may take a second time as long, for members that no endpoint leads to.
    seconds = min(target.health.timeout.total_seconds(), deadline / 2)
    health = target.health.model_copy(update={"timeout": timedelta(seconds=seconds)})
    observer = cluster_observer(replace(target, health=health), surroundings)
    return EtcdLook(observer.observe, Thresholds().with_overrides(target.health.thresholds))
