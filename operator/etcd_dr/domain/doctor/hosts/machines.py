"""Rules on the machines themselves: clocks, swap, names."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.clock_reading import certainly_apart
from etcd_dr.domain.doctor.hosts.observation import HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity

_SKEW_SECONDS = 1.5


def clock(seen: HostsObservation) -> Iterator[Finding]:
    readings = {n.name: n.clock for n in seen.nodes if n.clock is not None}
    apart = certainly_apart(readings.values())
    if apart > _SKEW_SECONDS:
        yield Finding(
            "host.clock",
            Severity.WARNING,
            f"the nodes' clocks are {apart:.0f} s apart or more",
            "Give all of them the same time servers, and see on each: timedatectl; chronyc tracking. Certificates and "
            "leases go by the clock.",
            evidence={name: round(reading.offset_seconds, 1) for name, reading in readings.items()},
        )


def swap(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        if node.has_swap and seen.platform == "static-pod":
            yield Finding(
                "host.swap",
                Severity.INFO,
                "swap is on",
                "A kubelet that does not expect it refuses to start after its next restart, and an etcd in swap misses "
                f"its heartbeats: {node.command('swapon --show; grep swap /etc/fstab')}",
                member=node.name,
            )


def renamed(seen: HostsObservation) -> Iterator[Finding]:
    """kubeadm gives the member the node's name; a member keeps its name, and its id does not hang on it."""
    for node in seen.nodes:
        if seen.platform != "static-pod" or node.etcd is None or not node.hostname or not node.etcd.settings:
            continue
        name = node.etcd.settings.get("name", "")
        short = node.hostname.partition(".")[0]
        if name and name.partition(".")[0] != short and node.name not in (name, node.hostname, short):
            yield Finding(
                "host.renamed",
                Severity.INFO,
                f"the machine is called {node.hostname}, its member {name}",
                "Harmless for etcd. kubeadm looks for the member by the node's name, so its upgrade and reset do not "
                f"find it: {node.command('hostnamectl')}",
                member=node.name,
            )


RULES = (
    HostRule(clock, ("host.clock",)),
    HostRule(swap, ("host.swap",)),
    HostRule(renamed, ("host.renamed",)),
)
