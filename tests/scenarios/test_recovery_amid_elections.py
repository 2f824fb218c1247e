"""What is seen, and called for, where a look at a cluster falls into an election."""

from __future__ import annotations

from collections.abc import Callable

from etcd_dr.domain.recovery.assessment import QuorumStanding
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.errors import EtcdError, MemberTimeout
from etcd_dr.workflows.recovery.plan_recovery import facts_for
from scenarios.assessment_world import AssessmentWorld


class ElectingWorld(AssessmentWorld):
    """Three members of which the first has lost its data; the others elect a leader after so many looks."""

    def __init__(self) -> None:
        super().__init__()
        self.take_snapshot()
        self.wipe("cp1")
        self.waits: list[float] = []
        self.pause = self._wait
        self.on_wait: Callable[[], object] = lambda: None

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)
        self.on_wait()

    def lead(self) -> None:
        self.cluster.leader = "cp2"


def test_lost_member_is_replaced_though_the_first_look_falls_into_an_election() -> None:
    """It may have led; who looks at that moment sees no quorum, and would wait for members to find one another."""
    world = ElectingWorld()
    world.on_wait = world.lead

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REPLACE, "cp1")
    assert len(world.waits) == 1


def test_lost_member_is_replaced_though_another_one_has_not_heard_of_the_leader_yet() -> None:
    """For a moment it counts as none that could carry the quorum while a member is replaced."""
    world = ElectingWorld()
    world.lead()
    late = world.cluster["cp3"]
    late.errors["read"] = MemberTimeout("etcdserver: leader changed", context={"reason": "leader-changed"})
    world.on_wait = late.errors.clear

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REPLACE, "cp1")


def test_plan_is_not_stale_because_of_an_election() -> None:
    """The last look before a run waits for it to pass, too."""
    world = ElectingWorld()
    world.lead()
    plan = world.plan()
    world.cluster.leader = None
    world.on_wait = world.lead

    assert plan.facts.changes(facts_for(plan, world.assess())) == ()


def test_members_that_elect_nobody_are_not_waited_for_without_end() -> None:
    """They answer and cannot reach one another: that is what is told."""
    world = ElectingWorld()

    found = world.assess().assessment

    assert found.standing is QuorumStanding.MAY_RETURN
    assert 10 <= sum(world.waits) < 11


def test_too_few_members_to_elect_a_leader_are_not_waited_for() -> None:
    """In a disaster nobody waits for what cannot come."""
    world = ElectingWorld()
    world.wipe("cp2")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.LOST_FOR_GOOD
    assert world.waits == []


def test_reads_that_an_alarm_forbids_are_not_waited_for() -> None:
    """A cluster with the alarm CORRUPT is led and refuses every read."""
    world = ElectingWorld()
    world.lead()
    world.cluster.raise_alarm("cp3", "CORRUPT")
    for name in ("cp2", "cp3"):
        world.cluster[name].errors["read"] = EtcdError("corrupt cluster", context={"reason": "corrupt"})

    world.assess()

    assert world.waits == []
