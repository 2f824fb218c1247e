"""Alarms of a Talos cluster are taken back, though an election cuts the answers off."""

from __future__ import annotations

import pytest

from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.recovery.talos_step import TalosDisarm
from etcd_dr.errors import EtcdError, MemberTimeout, VerificationFailed
from etcd_dr.workflows.recovery.steps.talos_space import disarm
from etcd_dr.workflows.recovery.talos_driver import TalosDriver, TalosLimits
from etcd_dr.workflows.recovery.work import Work
from fakes.clock import FakeClock
from fakes.talos import FakeFleet, FakeNode
from scenarios.recovery_world import FakePause

FULL = Alarm(member_id=0xA0, kind="NOSPACE")


class _Never:
    is_cancelled = False


def work_on(fleet: FakeFleet) -> Work:
    moving = FakeClock()

    class Ports:
        talos = TalosDriver(fleet, limits=TalosLimits(look_again=5.0))
        clock = moving
        pause = FakePause(moving.advance, _Never())  # type: ignore[arg-type]  # it only asks is_cancelled

    class Plan:
        cluster = "prod"
        recovery_id = "R"

    return Work(Plan(), Ports(), None, "a@b", lambda: None)  # type: ignore[arg-type]  # what this step asks of it


def full_cluster() -> tuple[FakeFleet, FakeNode, TalosDisarm]:
    """Return one node with an alarm and room, and the step that takes it back."""
    fleet = FakeFleet.healthy(1)
    [address] = fleet.nodes()
    fleet[address].alarms = (FULL,)
    step = TalosDisarm(id="1", phase=0, title="", why="", check="", kinds=("NOSPACE",), via=(address,))
    return fleet, fleet[address], step


@pytest.mark.parametrize("call", ["EtcdAlarmList", "EtcdAlarmDisarm"])
def test_alarm_is_taken_back_though_an_election_cuts_a_call_off(call: str) -> None:
    """Both go through quorum; what was done before the cut is still told."""
    fleet, node, step = full_cluster()
    node.cut_off.add(call)

    facts = disarm(step, work_on(fleet))

    assert facts == {"disarmed": "NOSPACE:a0"}
    assert node.alarms == ()


def test_answers_that_stay_away_end_the_step_with_the_reason() -> None:
    """The wait has an end."""
    fleet, node, step = full_cluster()
    node.fail("EtcdAlarmList", EtcdError("EtcdAlarmList: etcdserver: no leader"))

    with pytest.raises(MemberTimeout, match="no leader"):
        disarm(step, work_on(fleet))


def test_other_alarm_is_not_taken_back_with_it() -> None:
    """Talos takes back all at once."""
    fleet, node, step = full_cluster()
    node.alarms = (FULL, Alarm(member_id=0xA0, kind="CORRUPT"))

    with pytest.raises(VerificationFailed, match="CORRUPT"):
        disarm(step, work_on(fleet))
