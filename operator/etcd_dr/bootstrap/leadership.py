"""How this process and other replicas of it share the clusters, as the configuration has it."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from etcd_dr.adapters.system_clock import steady_seconds
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.kubernetes_model import KubernetesSection
from etcd_dr.config.lease_model import LeaseSection
from etcd_dr.domain.leadership import LeaseTimings, lease_name
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.ports.leases import Leases
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.settle_slot import SlotArbiter


def make_leases(section: KubernetesSection) -> Leases:
    """Return the leases of the group; no call is made yet. Raises ConfigError when nothing says where the API is."""
    from etcd_dr.adapters.kubernetes.client import open_api  # noqa: PLC0415 - a second that only its users pay
    from etcd_dr.adapters.kubernetes.leases import KubernetesLeases  # noqa: PLC0415 - as above

    api = open_api(kubeconfig=section.kubeconfig, context=section.context, namespace=section.namespace)
    return KubernetesLeases(api, group=section.leases.name, seconds=section.leases.request_timeout.total_seconds())


def lease_timings(section: LeaseSection) -> LeaseTimings:
    return LeaseTimings(
        lease_seconds=section.duration.total_seconds(),
        renew_deadline_seconds=section.renew_deadline.total_seconds(),
        retry_seconds=section.retry_period.total_seconds(),
        request_seconds=section.request_timeout.total_seconds(),
    )


def lease_names(section: LeaseSection, clusters: Iterable[str]) -> dict[str, str]:
    """Return the name of each cluster's lease."""
    return {cluster: lease_name(section.name, cluster) for cluster in clusters}


def replica_name(surroundings: Surroundings) -> str:
    """Return what this process is called among the replicas: its host, and a word that no other process has."""
    return f"{socket.gethostname()}_{surroundings.tokens.token()}"


def slot_arbiter(store: ObjectStore, layout: ClusterLayout, surroundings: Surroundings) -> SlotArbiter:
    return SlotArbiter(
        store,
        layout,
        clock=surroundings.clock,
        now=steady_seconds,
        tokens=surroundings.tokens,
        events=surroundings.events,
    )
