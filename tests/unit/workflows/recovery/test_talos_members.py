"""Members that join a Talos cluster, followed on a clock of our own: one that stays a learner is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from etcd_dr.domain.cluster import Member, MemberStatus
from etcd_dr.domain.recovery.talos_step import TalosAwaitMembers, TalosRemoveMember
from etcd_dr.domain.talos import ServiceEvent, ServiceReport
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable, NodeFault
from etcd_dr.workflows.recovery.steps.talos_members import await_members, remove_member
from etcd_dr.workflows.recovery.talos_driver import TalosDriver, TalosLimits
from etcd_dr.workflows.recovery.work import Work
from fakes.clock import FakeClock
from scenarios.recovery_world import FakePause

ELECTION = EtcdError("EtcdRemoveMemberByID: etcdserver: request timed out", context={"reason": "refused"})


@dataclass
class Node:
    """As much of a node as is asked: its service, its status, its list."""

    member_id: int
    world: World
    state: str = "Running"
    text: str = "Health check successful"
    is_healthy: bool = True
    fault: Exception | None = None
    is_cut_off: bool = False
    address: str = "10.0.0.9:50000"

    def services(self, *, deadline: float) -> tuple[ServiceReport, ...]:
        self.world.looked()
        if self.fault is not None:
            raise self.fault
        return (ServiceReport("etcd", self.state, self.is_healthy, "", (ServiceEvent(self.state, self.text),)),)

    def etcd_members(self, *, local: bool, deadline: float) -> tuple[Member, ...]:
        self.world.listed()
        if self.fault is not None:
            raise self.fault
        return tuple(self.world.members)

    def etcd_status(self, *, deadline: float) -> MemberStatus:
        return MemberStatus(0, self.member_id, 0, 1, 1, 1, 1, "3.5.30", 1, None, is_learner=False)

    def remove_member(self, member_id: int, *, deadline: float) -> None:
        self.world.members = [member for member in self.world.members if member.id != member_id]
        if self.is_cut_off:
            self.is_cut_off = False
            raise ELECTION

    def close(self) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Everything else that a look asks is not told."""

        def silent(*_: object, **__: object) -> Any:
            raise EtcdError("is not told")

        return silent


@dataclass
class World:
    """A cluster of nodes by name, and a clock that the waits move."""

    members: list[Member] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    looks: int = 0
    lists: int = 0
    on_look: Callable[[int], None] = lambda _: None
    on_list: Callable[[int], None] = lambda _: None

    def add(self, name: str, member_id: int, *, is_learner: bool = False, **node: Any) -> None:
        url = f"https://{name}:2380"
        self.members.append(Member(member_id, name, (url,), (), is_learner))
        self.nodes[name] = Node(member_id, self, **node)

    def looked(self) -> None:
        self.looks += 1
        self.on_look(self.looks)

    def listed(self) -> None:
        self.lists += 1
        self.on_list(self.lists)

    def open(self, address: str) -> Node:
        return self.nodes[address]

    def work(self) -> Work:
        class Ports:
            talos = TalosDriver(self, limits=TalosLimits(look_again=5.0))  # type: ignore[arg-type]  # enough of a fleet
            clock = self.clock
            pause = FakePause(self.clock.advance, _Never())  # type: ignore[arg-type]  # it only asks is_cancelled

        class Plan:
            cluster = "prod"
            recovery_id = "R"

        return Work(Plan(), Ports(), None, "a@b", lambda: None)  # type: ignore[arg-type]  # what these steps ask of it


class _Never:
    is_cancelled = False


def joining(*nodes: str, **fields: Any) -> TalosAwaitMembers:
    settings = {"deadline_seconds": 3600.0} | fields
    return TalosAwaitMembers(id="1", phase=0, title="", why="", check="", via="cp1", nodes=nodes, **settings)


def removing(member_id: str, *via: str) -> TalosRemoveMember:
    return TalosRemoveMember(id="1", phase=0, title="", why="", check="", member="cp3", member_id=member_id, via=via)


def test_slow_promotion_is_waited_for() -> None:
    """135 s were seen (siderolabs/talos#14097); nothing is called a failure before Talos gives up itself."""
    world = World()
    world.add("cp1", 1)
    world.add("cp2", 2, is_learner=True, is_healthy=False)

    def promote(looks: int) -> None:
        if looks == 40:
            world.members[1] = Member(2, "cp2", (), (), is_learner=False)
            world.nodes["cp2"].is_healthy = True

    world.on_look = promote
    found = await_members(joining("cp2"), world.work())

    assert "cp2 2" in str(found["members"])


def test_learner_that_stays_one_is_named_with_what_to_do() -> None:
    """Talos tries for ten minutes and never again, not even after a reboot (siderolabs/talos#13710)."""
    world = World()
    world.add("cp1", 1)
    world.add("cp2", 0xAB, is_learner=True, is_healthy=False)
    begun = world.clock.monotonic()

    with pytest.raises(NodeFault) as caught:
        await_members(joining("cp2"), world.work())

    assert caught.value.context["reason"] == "learner-stuck"
    assert caught.value.context["member_id"] == "ab"
    assert "remove-member ab" in caught.value.next_step
    assert 600 < world.clock.monotonic() - begun < 700


def test_node_that_gave_up_joining_is_told_at_once() -> None:
    world = World()
    world.add("cp1", 1)
    world.add(
        "cp2", 2, state="Failed", text="Failed to run pre stage: failed to build initial etcd cluster", is_healthy=False
    )

    with pytest.raises(NodeFault, match="failed to build initial etcd cluster"):
        await_members(joining("cp2"), world.work())


def test_learner_that_is_not_waited_for_is_let_be() -> None:
    world = World()
    world.add("cp1", 1)
    world.add("cp2", 2)
    world.add("cp9", 9, is_learner=True)

    assert await_members(joining("cp2", may_be_absent=("9",)), world.work())


def test_member_is_removed_through_the_first_node_that_answers() -> None:
    world = World()
    world.add("cp1", 1, fault=MemberUnreachable("no connection"))
    world.add("cp2", 2)
    world.add("cp3", 3)

    first = remove_member(removing("3", "cp1", "cp2"), world.work())
    again = remove_member(removing("3", "cp1", "cp2"), world.work())

    assert (first["was_listed"], again["was_listed"]) == (True, False)
    assert [member.id for member in world.members] == [1, 2]


def test_removal_that_an_election_cut_off_is_looked_at_again() -> None:
    """It may be done all the same; then nothing is asked for twice."""
    world = World()
    world.add("cp1", 1, is_cut_off=True)
    world.add("cp3", 3)

    found = remove_member(removing("3", "cp1"), world.work())

    assert found["was_listed"] is True
    assert [member.id for member in world.members] == [1]


def test_member_is_removed_once_an_election_is_over() -> None:
    """No node tells a list without a leader; for seconds that is no failure."""
    world = World()
    world.add("cp1", 1, fault=ELECTION)
    world.add("cp2", 2, fault=ELECTION)
    world.add("cp3", 3)

    def elect(lists: int) -> None:
        if lists == 5:
            world.nodes["cp1"].fault = None

    world.on_list = elect
    found = remove_member(removing("3", "cp1", "cp2"), world.work())

    assert found["was_listed"] is True
    assert [member.id for member in world.members] == [1, 2]


def test_removal_that_is_refused_on_and_on_ends_with_the_reason() -> None:
    """The wait has an end."""
    world = World()
    world.add("cp1", 1, fault=ELECTION)

    with pytest.raises(MemberTimeout, match="request timed out"):
        remove_member(removing("3", "cp1"), world.work())
