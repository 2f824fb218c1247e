"""Look at every node over ssh, and at etcd itself, side by side, for the doctor.

- Each node is one lane with the deadline; one that hangs is what it said until then.
- etcd is asked in a lane of its own, as a health round does, where the configuration says how; else its rules are silent.
- Nothing is changed anywhere, and the look ends shortly after the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.doctor.hosts.observation import HostObservation, HostsObservation
from etcd_dr.domain.health import Finding
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.errors import EtcdDrError, NodeUnreachable
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.node_examiner import ExaminedNode
from etcd_dr.workflows.ask_in_lanes import Lane, Lanes

_GRACE_SECONDS = 0.7
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class EtcdLook:
    """How etcd itself is asked. `observe` takes a few seconds at most and raises nothing."""

    observe: Callable[[], Observation]
    thresholds: Thresholds = field(default_factory=Thresholds)


def examine_hosts(
    nodes: Sequence[ExaminedNode],
    *,
    platform: str,
    cluster: str,
    clock: Clock,
    deadline: float,
    etcd: EtcdLook | None = None,
    snapshots: SnapshotFacts | None = None,
) -> tuple[HostsObservation, tuple[Finding, ...]]:
    """Return what was seen of the nodes, and what a health round finds. `deadline` is seconds for each node."""
    taken_at, until = clock.now(), clock.monotonic() + deadline + _GRACE_SECONDS
    found: dict[str, HostObservation] = {}
    rounds: list[Observation] = []
    lanes = Lanes(clock)
    asked = [lanes.start(f"node {node.name}", _examine(node, found, deadline=deadline)) for node in nodes]
    if etcd is not None:
        asked.append(lanes.start("etcd", _observe(etcd, rounds)))
    try:
        lanes.wait(asked, until=until)
        seen = tuple(found.get(node.name) or _silent(node, deadline) for node in nodes)
        observation = rounds[0] if rounds else None
    finally:
        _close(nodes, lanes, until=clock.monotonic() + _CLOSE_SECONDS)
    hosts = HostsObservation(taken_at=taken_at, platform=platform, nodes=seen)
    if observation is None or etcd is None:
        return replace(hosts, snapshots=snapshots), ()
    report = evaluate(observation, cluster=cluster, thresholds=etcd.thresholds, snapshots=snapshots, platform=platform)
    view = ClusterView.of(observation, expected_cluster_ids=snapshots.marker_cluster_ids if snapshots else ())
    members = view.members.members if view.members is not None else ()
    return replace(hosts, members=members, quorum=report.quorum), report.findings


def _examine(node: ExaminedNode, found: dict[str, HostObservation], *, deadline: float) -> Callable[[], None]:
    def ask() -> None:
        try:
            found[node.name] = node.examine(deadline=deadline)
        except EtcdDrError as error:
            found[node.name] = HostObservation(node.name, failure=Failure.of(error))

    return ask


def _observe(etcd: EtcdLook, rounds: list[Observation]) -> Callable[[], None]:
    return lambda: rounds.append(etcd.observe())


def _silent(node: ExaminedNode, deadline: float) -> HostObservation:
    return HostObservation(node.name, failure=Failure(NodeUnreachable.code, f"no answer within {deadline:g} s"))


def _close(nodes: Sequence[ExaminedNode], lanes: Lanes, *, until: float) -> None:
    """Close every connection side by side, and wait for none that hangs."""
    closing: list[Lane] = [lanes.start(f"close {node.name}", node.close) for node in nodes]
    lanes.wait(closing, until=until)
