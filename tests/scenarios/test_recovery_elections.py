"""Steps that change a cluster while etcd refuses for a while, or an election cuts the answer off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_dr.domain.cluster import Alarm, id_text
from etcd_dr.domain.recovery.journal import Facts, JournalEntry, JournalProgress, RecoveryState
from etcd_dr.domain.recovery.step import AddLearner, CompactHistory, DisarmAlarms, PromoteLearner, RemoveMember, Step
from etcd_dr.errors import MemberTimeout
from etcd_dr.workflows.recovery.steps.register import procedure_for
from etcd_dr.workflows.recovery.work import Work
from scenarios.recovery_world import ALICE, RecoveryWorld

URLS = ("https://m9.example:2380",)
WORDS = {"title": "a title", "why": "a reason", "check": "a check"}
ADD = AddLearner(id="01-add", phase=0, member="m9", peer_urls=URLS, **WORDS)
PROMOTE = PromoteLearner(id="02-promote", phase=1, member="m9", peer_urls=URLS, deadline_seconds=60.0, **WORDS)


@pytest.fixture
def world(tmp_path: Path) -> RecoveryWorld:
    """Return a world whose three members run."""
    world = RecoveryWorld(tmp_path)
    for member in world.cluster.members:
        member.start()
    return world


@pytest.fixture
def work(world: RecoveryWorld) -> Iterator[Work]:
    ports, plan = world.ports(), world.restore_plan()
    with ports.work_places.hold(plan.recovery_id) as place:
        yield Work(plan, ports, place, ALICE, JournalProgress)


def carry_out(step: Step, work: Work) -> Facts:
    return procedure_for(step).carry_out(step, work)


def learners(world: RecoveryWorld) -> list[int]:
    return [member.id for member in world.cluster.members if member.is_learner]


def test_member_that_was_removed_in_this_second_is_added_in_the_next(world: RecoveryWorld, work: Work) -> None:
    """Its id would be the removed one's."""
    admin = world.admins.administer(world.cluster.members[0].endpoint)
    removed = admin.add_learner(URLS, deadline=1.0)
    admin.remove_member(removed.id, deadline=1.0)

    facts = carry_out(ADD, work)

    assert learners(world) != [removed.id]
    assert facts == {"member_id": id_text(learners(world)[0]), "was_there": False}


def test_learner_whose_addition_was_cut_off_is_not_added_again(world: RecoveryWorld, work: Work) -> None:
    """etcd says that the request timed out, and it may be done all the same."""
    world.admins.cut_off.add("add_learner")

    facts = carry_out(ADD, work)

    assert facts == {"member_id": id_text(learners(world)[0]), "was_there": True}


def test_member_whose_removal_was_cut_off_is_removed_once(world: RecoveryWorld, work: Work) -> None:
    """What is gone is not asked for again."""
    gone = world.cluster.members[2]
    world.admins.cut_off.add("remove_member")
    step = RemoveMember(id="01-remove", phase=0, member="m3", member_id=id_text(gone.id), **WORDS)

    facts = carry_out(step, work)

    assert facts == {"was_there": True}
    assert gone not in world.cluster.members
    assert [call for _, call in world.admins.calls].count("remove_member") == 1


def test_learner_is_taken_out_though_its_removal_is_cut_off(world: RecoveryWorld, work: Work) -> None:
    """An abort must not end there."""
    carry_out(ADD, work)
    world.admins.cut_off.add("remove_member")

    procedure_for(ADD).undo(ADD, work)

    assert not learners(world)


def test_promotion_that_was_cut_off_is_not_asked_for_again(world: RecoveryWorld, work: Work) -> None:
    """It votes already; etcd would refuse."""
    carry_out(ADD, work)
    world.admins.lagging.clear()
    world.admins.cut_off.add("promote")

    carry_out(PROMOTE, work)

    assert not learners(world)
    assert len(world.cluster.members) == 4


@pytest.mark.parametrize("call", ["add_learner", "promote", "remove_member"])
def test_change_that_comes_through_late_is_no_failure(world: RecoveryWorld, work: Work, call: str) -> None:
    """Cut off by an election, it is not in the member list yet, and then etcd refuses to do it a second time."""
    world.admins.late.add(call)

    carry_out(ADD, work)
    world.admins.lagging.clear()
    carry_out(PROMOTE, work)
    [joined] = [member for member in world.cluster.members if member.row.peer_urls == URLS]
    facts = carry_out(RemoveMember(id="03-remove", phase=2, member="m9", member_id=id_text(joined.id), **WORDS), work)

    assert not world.admins.under_way
    assert facts == {"was_there": True}
    assert len(world.cluster.members) == 3


def test_change_that_is_refused_on_and_on_ends_with_the_reason(world: RecoveryWorld, work: Work) -> None:
    """The wait has an end."""
    world.admins.too_few_started = True
    step = RemoveMember(id="01-remove", phase=0, member="m3", member_id=id_text(world.cluster.members[2].id), **WORDS)

    with pytest.raises(MemberTimeout, match="not enough started members"):
        carry_out(step, work)


def test_history_is_compacted_though_the_answer_was_cut_off(world: RecoveryWorld, work: Work) -> None:
    """Compacted already is success."""
    world.admins.cut_off.add("compact")

    facts = carry_out(CompactHistory(id="01-compact", phase=0, **WORDS), work)

    assert facts == {"revision": world.cluster.members[0].compact_revision}


def test_long_work_that_an_election_cuts_off_at_its_end_is_done_again(world: RecoveryWorld, work: Work) -> None:
    """The patience is for the election, and is not used up by what went before."""
    begun, tries = world.clock.monotonic(), []

    def hash_for_minutes() -> int:
        tries.append(world.clock.monotonic() - begun)
        world.clock.advance(200.0)
        if len(tries) == 1:
            raise MemberTimeout("etcdserver: leader changed", context={"reason": "leader-changed"})
        return 1

    assert work.patiently(hash_for_minutes) == 1
    assert len(tries) == 2


def test_alarm_is_disarmed_though_the_answer_was_cut_off(world: RecoveryWorld, work: Work) -> None:
    """The second look finds none, and the journal says all the same which one it was."""
    world.cluster.raised_alarms = [Alarm(world.cluster.members[0].id, "NOSPACE")]
    world.admins.cut_off.add("disarm")
    step = DisarmAlarms(id="01-disarm", phase=0, alarms=("NOSPACE",), **WORDS)

    facts = carry_out(step, work)

    assert facts == {"disarmed": f"NOSPACE:{world.cluster.members[0].id:x}"}
    assert not world.cluster.raised_alarms


def test_recovered_cluster_is_verified_though_it_elects_a_leader(tmp_path: Path) -> None:
    """Whoever waits for the cluster at 3 a.m. does not have to resume for that."""
    world = RecoveryWorld(tmp_path)
    world.admins.cut_off.add("put")

    outcome = world.run(world.restore_plan())

    assert not world.admins.cut_off
    assert outcome.state is RecoveryState.FINISHED


def test_what_was_compared_stays_compared_though_the_write_is_cut_off(tmp_path: Path) -> None:
    """Up to 3.5.9 etcd has no hash of its compact revision any more once something was written."""
    world = RecoveryWorld(tmp_path)
    plan = world.restore_plan()
    [verify] = [step.id for step in plan.steps if step.kind == "verify-cluster"]
    asked: list[int] = []
    world.admins.cut_off.add("put")

    def count(entry: JournalEntry) -> None:
        if entry.step == verify:
            asked.append([call for _, call in world.cluster.calls].count("hash_kv"))

    world.run(plan, on_entry=count)

    before, after = asked
    assert after - before == len(world.cluster.members)
