"""The parts of a health round, as one cluster's configuration has them."""

from __future__ import annotations

from etcd_dr.adapters.member_probe import ProbeFiles
from etcd_dr.bootstrap.members import connect_members, make_probe
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.etcd_model import EtcdSection
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.observe_cluster import ClusterObserver, ObserveOptions


def health_watch(target: Target, surroundings: Surroundings, *, cluster: str) -> HealthWatch:
    """Return what checks this cluster round after round."""
    return HealthWatch(
        cluster=cluster,
        observer=cluster_observer(target, surroundings),
        events=surroundings.events,
        thresholds=Thresholds().with_overrides(target.health.thresholds),
        platform=health_platform(target),
    )


def health_platform(target: Target) -> str:
    """Return what the nodes run etcd by, as far as the configuration says it."""
    if target.talos is not None:
        return "talos"
    return target.control_plane.platform if target.control_plane is not None else ""


def cluster_observer(target: Target, surroundings: Surroundings) -> ClusterObserver:
    """Return what looks at all members of this cluster at once."""
    return ClusterObserver(
        connect_members(target, surroundings),
        make_probe(target, surroundings),
        clock=surroundings.clock,
        options=ObserveOptions(
            deadline_seconds=target.health.timeout.total_seconds(),
            http_urls=target.health.http_urls,
        ),
    )


def probe_files(section: EtcdSection) -> ProbeFiles:
    """Return what members are asked with over HTTP."""
    return ProbeFiles(
        ca_file=section.cacert, cert_file=section.cert, key_file=section.key, server_name=section.server_name
    )
