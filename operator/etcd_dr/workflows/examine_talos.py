"""Look at every node of a Talos control plane, for the doctor: many questions side by side, each with a deadline.

- Each node has lanes: the machine itself; etcd's own view; etcd through quorum; other ports. The calls about etcd hang
  when etcd is down, so they never hold up the others.
- In a lane, the first question that is not answered in time ends it: a node that hangs is not asked ten more times.
- The look ends when all lanes did, or shortly after the deadline: a lane that still hangs becomes a failure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.doctor import NodeObservation, TalosObservation
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.domain.talos import (
    CLUSTER_MEMBERS,
    DATA_DIRECTORY,
    ENDPOINTS,
    ETCD_SPEC,
    MACHINE_STATUS,
    MACHINE_TYPE,
    MANIFEST_STATUSES,
    STATIC_POD_STATUSES,
    TIME_STATUS,
    ResourceKind,
)
from etcd_dr.errors import EtcdDrError, MemberTimeout, MemberUnreachable, TlsRefused
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.port_probe import PortProbe
from etcd_dr.ports.talos import TalosFleet, TalosNode
from etcd_dr.workflows.ask_in_lanes import Lane, Lanes

_GRACE_SECONDS = 0.5
_LOG_LINES = 80
_MANIFESTS = "/etc/kubernetes/manifests"
_API_SERVER, _TRUSTD = 6443, 50001
_ENDS_A_LANE = (MemberTimeout.code, MemberUnreachable.code, TlsRefused.code)
_LANES: Mapping[str, tuple[str, ...]] = {
    "machine": ("version",),
    "etcd": ("status", "members"),
    "quorum": ("quorum_members",),
    "ports": ("kubernetes_authority",),
}


@dataclass(frozen=True, slots=True)
class OwnAccess:
    """What our talosconfig says of us."""

    roles: tuple[str, ...] = ()
    certificate_ends_at: datetime | None = None


def examine_talos(
    fleet: TalosFleet,
    addresses: Sequence[str],
    *,
    probe: PortProbe,
    clock: Clock,
    deadline: float,
    own: OwnAccess | None = None,
    snapshots: SnapshotFacts | None = None,
    is_whole: bool = True,
) -> TalosObservation:
    """Return what all nodes said. `deadline` is seconds for each lane; the look takes little longer.

    `is_whole`: the addresses are all that are known. Raises ConfigError.
    """
    lanes = Lanes(clock)
    until = clock.monotonic() + deadline + _GRACE_SECONDS
    interviews = [_Interview(fleet.open(address), probe, clock, deadline) for address in addresses]
    try:
        for interview in interviews:
            interview.start(lanes)
        lanes.wait((lane for interview in interviews for lane in interview.lanes.values()), until=until)
        nodes = tuple(interview.so_far() for interview in interviews)
    finally:
        for interview in interviews:
            interview.close_later()
    access = own or OwnAccess()
    return TalosObservation(
        taken_at=clock.now(),
        nodes=nodes,
        roles=access.roles,
        certificate_ends_at=access.certificate_ends_at,
        snapshots=snapshots,
        is_whole=is_whole,
    )


@dataclass(slots=True)
class _Interview:
    """One node's questions. Lanes write, `so_far` reads."""

    node: TalosNode
    probe: PortProbe
    clock: Clock
    deadline: float
    lanes: dict[str, Lane] = field(default_factory=dict)
    _answers: dict[str, Answer[Any]] = field(default_factory=dict)
    _ends: float = 0.0

    def start(self, lanes: Lanes) -> None:
        self._ends = self.clock.monotonic() + self.deadline
        questions = {
            "machine": self._machine,
            "etcd": self._etcd,
            "quorum": self._quorum,
            "ports": self._ports,
        }
        for name, ask in questions.items():
            self.lanes[name] = lanes.start(f"{name} {self.node.address}", ask)

    def so_far(self) -> NodeObservation:
        answers = dict(self._answers)
        for name, questions in _LANES.items():
            lane = self.lanes.get(name)
            if lane is not None and not lane.is_done:
                for question in questions:
                    answers.setdefault(question, Answer.failed(self._silence()))
        return NodeObservation(self.node.address, **answers)

    def close_later(self) -> None:
        """Close the connection without waiting for what hangs on it."""
        threading.Thread(target=self.node.close, name=f"close {self.node.address}", daemon=True).start()

    def _machine(self) -> None:
        node = self.node
        resources: Iterable[tuple[str, ResourceKind, str]] = (
            ("machine_type", MACHINE_TYPE, "machine-type"),
            ("machine_status", MACHINE_STATUS, "machine"),
            ("time_status", TIME_STATUS, "node"),
            ("etcd_spec", ETCD_SPEC, "etcd"),
        )
        with suppress(_LaneEnds):
            self._ask("version", lambda left: node.version(deadline=left))
            self._ask("services", lambda left: node.services(deadline=left))
            for name, kind, resource_id in resources:
                self._ask_resource(name, kind, resource_id)
            self._ask("data_directory", lambda left: node.list_directory(DATA_DIRECTORY, deadline=left) or ())
            self._ask("mounts", lambda left: node.mounts(deadline=left))
            self._ask("clock", self._read_clock)
            self._ask("cluster_members", lambda left: node.resources(CLUSTER_MEMBERS, deadline=left))
            self._ask("endpoints", lambda left: node.resources(ENDPOINTS, deadline=left))
            self._ask("static_pods", lambda left: node.list_directory(_MANIFESTS, deadline=left) or ())
            self._ask("pod_statuses", lambda left: node.resources(STATIC_POD_STATUSES, deadline=left))
            self._ask("manifests", lambda left: node.resources(MANIFEST_STATUSES, deadline=left))
            self._ask_logs()

    def _ask_logs(self) -> None:
        """Read logs where the service is in trouble; they are long, and boring elsewhere."""
        for service in self._answers["services"].value or ():
            if service.id in ("etcd", "kubelet") and service.is_healthy is not True:
                self._ask(f"{service.id}_log", _logs_of(self.node, service.id))

    def _etcd(self) -> None:
        with suppress(_LaneEnds):
            self._ask("status", lambda left: self.node.etcd_status(deadline=left))
            self._ask("members", lambda left: self.node.etcd_members(local=True, deadline=left))
            self._ask("alarms", lambda left: self.node.etcd_alarms(deadline=left))

    def _quorum(self) -> None:
        with suppress(_LaneEnds):
            self._ask("quorum_members", lambda left: self.node.etcd_members(local=False, deadline=left))

    def _ports(self) -> None:
        host = NodeObservation(self.node.address).host
        self._answers["trustd"] = self.probe.is_open(host, _TRUSTD, deadline=self._left())
        self._answers["kubernetes_authority"] = self.probe.authority(host, _API_SERVER, deadline=self._left())

    def _ask_resource(self, name: str, kind: ResourceKind, resource_id: str) -> None:
        def ask(left: float) -> Any:
            found = self.node.resource(kind, resource_id, deadline=left)
            return found.spec if found is not None else None

        self._ask(name, ask)

    def _read_clock(self, left: float) -> ClockReading:
        # In this order: whatever holds us up after the first line counts as a part of the round trip.
        before = self.clock.monotonic()
        begun = self.clock.now().timestamp()
        theirs = self.node.local_time(deadline=left).timestamp()
        return ClockReading.between(theirs, asked_at=begun, answered_at=begun + self.clock.monotonic() - before)

    def _ask(self, name: str, ask: Callable[[float], Any]) -> None:
        begun = self.clock.monotonic()
        try:
            self._answers[name] = Answer(ask(self._left()), seconds=self.clock.monotonic() - begun)
        except EtcdDrError as error:
            self._answers[name] = Answer.failed(Failure.of(error), seconds=self.clock.monotonic() - begun)
            if error.code in _ENDS_A_LANE:
                raise _LaneEnds from error

    def _left(self) -> float:
        return max(0.1, self._ends - self.clock.monotonic())

    def _silence(self) -> Failure:
        return Failure(MemberTimeout.code, f"no answer within {self.deadline:g} s")


class _LaneEnds(Exception):
    pass


def _logs_of(node: TalosNode, service: str) -> Callable[[float], str]:
    return lambda left: node.logs(service, lines=_LOG_LINES, deadline=left)
