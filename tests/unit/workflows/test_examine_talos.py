"""One look at a Talos control plane: failures are values, and what hangs ends at the deadline."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.answer import Answer
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.doctor import TalosObservation
from etcd_dr.domain.talos import MACHINE_TYPE, Resource, TalosVersion
from etcd_dr.errors import AccessDenied, MemberTimeout, MemberUnreachable
from etcd_dr.ports.talos import TalosFleet
from etcd_dr.workflows.examine_talos import examine_talos
from fakes.clock import FakeClock
from fakes.talos import FakeFleet, FakeNode


class ClosedPorts:
    """Implements ports.port_probe.PortProbe: nothing listens."""

    def is_open(self, host: str, port: int, *, deadline: float) -> Answer[bool]:
        return Answer(False)

    def authority(self, host: str, port: int, *, deadline: float) -> Answer[str]:
        return Answer("aa")


def look(fleet: TalosFleet, *, deadline: float = 2.0) -> TalosObservation:
    return examine_talos(fleet, fleet.nodes(), probe=ClosedPorts(), clock=SystemClock(), deadline=deadline)


def test_answers_of_all_nodes_are_taken_in() -> None:
    """Each under its address."""
    fleet = FakeFleet(2)
    kind = Resource(MACHINE_TYPE, "machine-type", "controlplane")
    fleet["10.0.0.1:50000"].published[(MACHINE_TYPE.type, "machine-type")] = kind

    first, second = look(fleet).nodes

    assert first.machine_type.value == "controlplane"
    assert second.machine_type.value is None
    assert first.trustd.value is False


def test_refusal_of_one_question_does_not_end_the_others() -> None:
    """A role that is missing for the services says nothing about the version."""
    fleet = FakeFleet(1)
    fleet["10.0.0.1:50000"].fail("ServiceList", AccessDenied("no"))

    [node] = look(fleet).nodes

    assert node.version.is_known
    assert node.services.failure_code == "etcd.denied"
    assert node.mounts.is_known


def test_silence_ends_a_lane() -> None:
    """A node that does not answer one question is not asked ten more."""
    fleet = FakeFleet(1)
    fleet["10.0.0.1:50000"].fail("Version", MemberTimeout("silent"))

    [node] = look(fleet).nodes

    assert node.version.failure_code == "etcd.timeout"
    assert "Mounts" not in fleet["10.0.0.1:50000"].asked
    assert "EtcdStatus" in fleet["10.0.0.1:50000"].asked


def test_dead_node_is_a_value() -> None:
    """And not an answer."""
    fleet = FakeFleet(1)
    for call in ("Version", "EtcdStatus", "EtcdMemberList through quorum"):
        fleet["10.0.0.1:50000"].fail(call, MemberUnreachable("connection refused"))

    [node] = look(fleet).nodes

    assert not node.answers


class SlowlyHeardNode(FakeNode):
    """Has our clock; its answer about it takes four seconds to arrive."""

    clock = FakeClock()

    def local_time(self, *, deadline: float) -> datetime:
        theirs = self.clock.now()
        self.clock.advance(4.0)
        return theirs


class SlowlyHeardFleet(FakeFleet):
    def open(self, address: str) -> FakeNode:
        return SlowlyHeardNode(address)


def test_clock_is_read_as_surely_as_the_question_was_short() -> None:
    """Half of the time that it took is the uncertainty: within it lies the truth, here no difference at all."""
    fleet = SlowlyHeardFleet(1)

    observation = examine_talos(fleet, fleet.nodes(), probe=ClosedPorts(), clock=SlowlyHeardNode.clock, deadline=60.0)

    assert observation.nodes[0].clock.value == ClockReading(offset_seconds=-2.0, resolution_seconds=2.0)


class HangingNode(FakeNode):
    """Never answers about its version."""

    released = threading.Event()

    def version(self, *, deadline: float) -> TalosVersion:
        self.released.wait(20)
        return super().version(deadline=deadline)


class HangingFleet(FakeFleet):
    def open(self, address: str) -> FakeNode:
        return HangingNode(address)


def test_call_that_ignores_its_deadline_holds_up_nobody() -> None:
    """A name lookup, say: the look ends, and the question is a failure."""
    begun = time.monotonic()

    [node] = look(HangingFleet(1), deadline=0.3).nodes
    seconds = time.monotonic() - begun
    HangingNode.released.set()

    assert seconds < 15  # the call hangs for 20
    assert node.version.failure_code == "etcd.timeout"
    assert node.status.was_asked
