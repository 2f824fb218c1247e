"""Leadership of the operator process: how it is made, and what is said of it in metrics and probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etcd_dr.adapters.system_clock import steady_seconds
from etcd_dr.bootstrap.leadership import lease_names, lease_timings, make_leases, replica_name
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.kubernetes_model import KubernetesSection
from etcd_dr.entrypoints.operator.lease_leadership import LeaseLeadership, LeaseParts
from etcd_dr.entrypoints.operator.sole_leadership import SoleLeadership
from etcd_dr.ports.leadership import Leadership, LeadershipMode


def make_leadership(
    section: KubernetesSection | None,
    clusters: Iterable[str],
    surroundings: Surroundings,
    *,
    look: Callable[[str], object],
) -> SoleLeadership | LeaseLeadership:
    """Return leadership by leases where Kubernetes is configured, else that of a process alone. Raises ConfigError."""
    names = tuple(clusters)
    if section is None or not section.leases.enabled:
        return SoleLeadership(names, surroundings.cancellation)
    return LeaseLeadership(
        LeaseParts(
            lease_names=lease_names(section.leases, names),
            me=replica_name(surroundings),
            leases=make_leases(section),
            timings=lease_timings(section.leases),
            clock=surroundings.clock,
            now=steady_seconds,
            cancellation=surroundings.cancellation,
            events=surroundings.events,
            look=look,
        )
    )


def told_lines(leadership: Leadership) -> tuple[str, ...]:
    """Return what a probe says of leadership; nothing where there is one process only."""
    if leadership.mode is LeadershipMode.SOLE:
        return ()
    led = [standing for standing in leadership.standings() if standing.leads]
    lines = [f"{standing.cluster}: led here, term {standing.fencing}" for standing in led]
    if leadership.mode is LeadershipMode.SURVIVAL:
        return (f"survival mode: no leases, the store keeps replicas apart ({leadership.silence})", *lines)
    return (f"leases: {len(led)} of {len(leadership.standings())} clusters are led here", *lines)


class LeadershipCollector(Collector):
    """Gauges of leadership, made at each scrape (docs/metrics.md)."""

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership

    def describe(self) -> Sequence[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        leader = GaugeMetricFamily("etcd_dr_leader", "Whether this process leads the cluster", labels=("cluster",))
        terms = GaugeMetricFamily(
            "etcd_dr_lease_transitions", "Number of the newest term of the cluster's lease", labels=("cluster",)
        )
        for standing in self._leadership.standings():
            leader.add_metric((standing.cluster,), float(standing.leads))
            if standing.fencing is not None:
                terms.add_metric((standing.cluster,), float(standing.fencing))
        yield leader
        yield terms
        is_survival = self._leadership.mode is LeadershipMode.SURVIVAL
        text = "Whether no lease can be had, so that the store keeps replicas apart"
        yield GaugeMetricFamily("etcd_dr_survival_mode", text, value=float(is_survival))
        mode = GaugeMetricFamily("etcd_dr_leadership_mode", "1 for how replicas are kept apart now", labels=("mode",))
        for each in LeadershipMode:
            mode.add_metric((each.value,), float(each is self._leadership.mode))
        yield mode
