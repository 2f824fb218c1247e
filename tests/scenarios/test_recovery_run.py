"""A plan is carried out, stops, is gone on with and is taken back: what is promised of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry, RecoveryState
from etcd_dr.domain.recovery.plan import PlanFacts
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.errors import (
    Busy,
    Cancelled,
    JournalDamaged,
    NodeUnreachable,
    PlanStale,
    RecoveryError,
    RecoveryLocked,
    StepFailed,
    StoreDenied,
    UsageError,
)
from etcd_dr.workflows.recovery.hold_lock import acquire_lock
from etcd_dr.workflows.recovery.run_plan import abort_recovery, run_plan
from fakes.control_plane import FakeData, FakeNode
from scenarios.recovery_world import BOB, NODES, RecoveryWorld


@pytest.fixture
def world(tmp_path: Path) -> RecoveryWorld:
    return RecoveryWorld(tmp_path)


def test_a_plan_is_carried_out_to_its_end(world: RecoveryWorld) -> None:
    """Every step has its two entries, the cluster is the planned one, and the lock is free."""
    plan = world.restore_plan()

    outcome = world.run(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert world.is_recovered(plan)
    kinds = [entry.kind for entry in world.stored_journal(plan)]
    assert kinds[0] is EntryKind.BEGUN
    assert kinds[-1] is EntryKind.FINISHED
    assert kinds.count(EntryKind.INTENT) == kinds.count(EntryKind.DONE) == len(plan.steps)
    assert outcome.report.verification["is_as_predicted"] is True


def test_writers_are_stopped_before_etcd_and_come_back_after_the_verification(world: RecoveryWorld) -> None:
    """Nobody reads old state from a half-made cluster."""
    plan = world.restore_plan()

    world.run(plan)

    done = [entry.step for entry in world.stored_journal(plan) if entry.kind is EntryKind.DONE]
    order = [step.kind for step in sorted(plan.steps, key=lambda step: done.index(step.id))]
    assert max(_places(order, "fence-writers")) < min(_places(order, "stop-etcd"))
    assert max(_places(order, "verify-cluster")) < min(_places(order, "lift-fence"))


def test_a_node_that_vanishes_stops_the_run_after_its_phase_and_resume_goes_on(world: RecoveryWorld) -> None:
    """The siblings of a failed step end their work; the next phase is not begun; nothing is done twice."""
    plan = world.restore_plan()
    world.plane.node("cp2").vanish("place_data")

    with pytest.raises(StepFailed) as raised:
        world.run(plan)

    assert isinstance(raised.value.__cause__, NodeUnreachable)
    assert f"etcd-dr recover resume {plan.recovery_id}" in raised.value.next_step
    assert f"etcd-dr recover abort {plan.recovery_id}" in raised.value.next_step
    assert [world.plane.node(name).data is not None for name in NODES] == [True, False, True]
    assert world.is_locked

    world.resume(plan)

    assert world.is_recovered(plan)
    assert world.plane.node("cp1").calls.count("place_data") == 1


@pytest.mark.parametrize("call", ["fence_writers", "stop_etcd", "set_data_aside", "place_data", "start_etcd"])
def test_an_answer_that_was_lost_does_no_harm(world: RecoveryWorld, call: str) -> None:
    """The work was done and the node vanished before it said so: the step is simply carried out again."""
    plan = world.restore_plan()
    world.plane.node("cp3").vanish(call, halfway=True)

    with pytest.raises(StepFailed):
        world.run(plan)
    world.resume(plan)

    assert world.is_recovered(plan)


def test_a_stale_plan_is_refused_before_anything_is_touched(world: RecoveryWorld) -> None:
    """What the plan was made from has changed: nothing is done, and nobody is locked out."""
    plan = world.restore_plan()
    world.plane.node("cp1").data = world.plane.node("cp1").data or _data()
    calls_before = {name: len(world.plane.node(name).calls) for name in NODES}

    with pytest.raises(PlanStale, match="m1"):
        world.run(plan)

    touched = [call for name in NODES for call in world.plane.node(name).calls[calls_before[name] :] if call != "look"]
    assert touched == []
    assert not world.is_locked
    assert [entry.kind for entry in world.stored_journal(plan)] == [EntryKind.ABORTED]


def test_a_member_that_stands_still_for_some_seconds_makes_no_plan_stale(world: RecoveryWorld) -> None:
    """It is down at the first looks, and answers at the next one: nothing has changed."""
    plan = world.restore_plan()
    world.plan = plan
    looks = [*[plan.facts.model_copy(update={"standing": "lost"})] * 5, plan.facts]

    outcome = run_plan(plan, world.ports(), by="me", facts_now=lambda: looks.pop(0))

    assert outcome.state is RecoveryState.FINISHED
    assert looks == []


def test_a_last_look_that_is_stopped_locks_nobody_out(world: RecoveryWorld) -> None:
    """Nothing was done, and nobody has to abort it."""
    plan = world.restore_plan()

    def look() -> PlanFacts:
        world.cancellation.cancel("SIGINT")
        return plan.facts.model_copy(update={"standing": "lost"})

    with pytest.raises(Cancelled) as raised:
        run_plan(plan, world.ports(), by="me", facts_now=look)

    assert "Nothing was done" in raised.value.next_step
    assert not world.is_locked
    assert [entry.kind for entry in world.stored_journal(plan)] == [EntryKind.ABORTED]


def test_two_people_cannot_recover_one_cluster(world: RecoveryWorld) -> None:
    """The second one learns who is at it, from where and since when."""
    first, second = world.restore_plan(), world.restore_plan()
    world.plane.node("cp2").vanish("stop_etcd")
    with pytest.raises(StepFailed):
        world.run(first)

    with pytest.raises(RecoveryLocked) as raised:
        world.run(second, ports=world.ports(state="office"), by=BOB)

    assert raised.value.context["by"] == "alice@home"
    assert raised.value.context["recovery_id"] == first.recovery_id
    assert "2026-08-20" in raised.value.message
    assert first.recovery_id in raised.value.next_step


def test_a_lock_whose_run_was_killed_before_it_kept_its_plan_can_be_released(world: RecoveryWorld) -> None:
    """Nothing was done under it: abort says that nothing is known, and the next recovery may begin."""
    plan = world.restore_plan()
    wanted = RecoveryLock(recovery_id="killed", by=BOB, place="/gone", since=world.clock.now())
    acquire_lock(world.store, world.layout, wanted)
    with pytest.raises(RecoveryLocked):
        world.run(plan)

    with pytest.raises(RecoveryError, match="not known"):
        abort_recovery("killed", world.ports(), by="alice@home")
    world.run(plan)

    assert world.is_recovered(plan)


def test_going_on_in_anothers_place_has_to_be_said(world: RecoveryWorld) -> None:
    """Another person, or another machine, takes over on an explicit wish, and is told from whom."""
    plan = world.restore_plan()
    world.plane.node("cp2").vanish("stop_etcd")
    with pytest.raises(StepFailed):
        world.run(plan)

    with pytest.raises(RecoveryLocked) as raised:
        world.resume(plan, ports=world.ports(state="office"), by=BOB)
    outcome = world.resume(plan, ports=world.ports(state="office"), by=BOB, take_over=True)

    assert "--take-over" in raised.value.next_step
    assert world.is_recovered(plan)
    assert any("alice@home" in warning for warning in outcome.warnings)


def test_who_was_taken_over_from_notices_at_their_next_entry(world: RecoveryWorld) -> None:
    """Two runs of one recovery collide in the journal, not on the nodes."""
    plan = world.restore_plan()
    world.plane.node("cp2").vanish("stop_etcd")
    with pytest.raises(StepFailed):
        world.run(plan)
    world.plane.node("cp2").vanish("place_data")
    with pytest.raises(StepFailed):
        world.resume(plan, ports=world.ports(state="office"), by=BOB, take_over=True)

    with pytest.raises((Busy, RecoveryLocked)):
        world.resume(plan)


def test_a_store_that_vanishes_half_way_does_not_stop_a_recovery(world: RecoveryWorld) -> None:
    """Once the snapshot is here, only the last steps need the store; what it lacks is brought to it later."""
    plan = world.restore_plan()

    def lose_the_store(entry: JournalEntry) -> None:
        if entry.kind is EntryKind.DONE and "stop-etcd" in entry.step:
            world.store.faults.is_gone = True

    with pytest.raises(StepFailed, match="accept-cluster-id"):
        world.run(plan, on_entry=lose_the_store)
    world.store.faults.is_gone = False
    outcome = world.resume(plan)

    assert world.is_recovered(plan)
    assert outcome.lag == 0
    assert [entry.number for entry in world.stored_journal(plan)] == list(range(1, len(outcome.report.timeline) + 1))


def test_a_store_that_cannot_be_written_needs_the_explicit_wish(world: RecoveryWorld) -> None:
    """Nobody could be kept out: the run ends before it begins, unless that was wished; then it only reads."""
    plan = world.restore_plan()
    world.store.fail("put", StoreDenied("no right to write"), times=1000)
    with pytest.raises(StoreDenied):
        world.run(plan)

    outcome = world.run(plan, ports=world.ports(state="alone", without_store=True))

    assert outcome.state is RecoveryState.FINISHED
    assert any("without the store" in warning for warning in outcome.warnings)
    assert not world.is_locked


def test_missing_bookkeeping_is_told_apart_from_a_cluster_that_does_not_serve(world: RecoveryWorld) -> None:
    """The store went away after the verification: nobody must take a cluster back that serves."""
    plan = world.restore_plan()

    def lose_the_store(entry: JournalEntry) -> None:
        if entry.kind is EntryKind.DONE and "verify-cluster" in entry.step:
            world.store.faults.is_gone = True

    with pytest.raises(StepFailed) as raised:
        world.run(plan, on_entry=lose_the_store)

    assert "The cluster serves and is verified" in str(raised.value.next_step)
    assert "would lose what was written since" in str(raised.value.next_step)
    world.store.faults.is_gone = False
    world.resume(plan)
    assert world.is_recovered(plan)


def test_ctrl_c_leaves_a_journal_that_resume_understands(world: RecoveryWorld) -> None:
    """A wish to stop is heard between steps; the journal says so; the next run goes on."""
    plan = world.restore_plan()

    def press_ctrl_c(entry: JournalEntry) -> None:
        if entry.kind is EntryKind.DONE and "set-data-aside" in entry.step:
            world.cancellation.cancel("SIGINT")

    with pytest.raises(Cancelled) as raised:
        world.run(plan, on_entry=press_ctrl_c)

    assert world.stored_journal(plan)[-1].kind is EntryKind.STOPPED
    assert f"etcd-dr recover resume {plan.recovery_id}" in raised.value.next_step
    world.resume(plan)
    assert world.is_recovered(plan)


def test_a_cluster_that_does_not_come_up_is_waited_for_only_so_long(world: RecoveryWorld) -> None:
    """The wait ends with the last problem that was seen, and the recovery can still be taken back."""
    plan = world.restore_plan()
    world.plane.node("cp3").on_start = lambda node: None

    with pytest.raises(StepFailed, match="await-cluster"):
        world.run(plan)
    outcome = world.abort(plan)

    assert outcome.state is RecoveryState.ABORTED


def test_aborting_puts_everything_back(world: RecoveryWorld) -> None:
    """Old data has its name again, writers and etcd run as before, what was placed stays beside as abandoned."""
    before = {}
    for number, name in enumerate(NODES, start=1):
        node = world.plane.node(name)
        node.data = _data(member_id=number)
        node.is_running = name != "cp3"
        before[name] = (node.data, node.is_running, dict(node.writers))
    plan = world.restore_plan()
    world.plane.node("cp1").fail("start_etcd", NodeUnreachable("gone", subject="cp1"))
    with pytest.raises(StepFailed):
        world.run(plan)

    outcome = world.abort(plan)

    after = {name: (node.data, node.is_running, dict(node.writers)) for name, node in _nodes(world)}
    assert after == before
    assert outcome.state is RecoveryState.ABORTED
    assert not world.is_locked
    assert all(len(node.abandoned) == 1 for _, node in _nodes(world))


def test_an_abort_that_fails_is_carried_on_by_the_next_one(world: RecoveryWorld) -> None:
    """Taking back is journalled too; a node that is away is waited for by a person, not by us."""
    plan = world.restore_plan()
    world.plane.node("cp1").vanish("start_etcd")
    with pytest.raises(StepFailed):
        world.run(plan)
    world.plane.node("cp2").vanish("put_data_back")

    with pytest.raises(StepFailed) as raised:
        world.abort(plan)
    with pytest.raises(UsageError, match="taken back"):
        world.resume(plan)
    outcome = world.abort(plan)

    assert f"etcd-dr recover abort {plan.recovery_id}" in raised.value.next_step
    assert "recover resume" not in raised.value.next_step
    assert outcome.state is RecoveryState.ABORTED


def test_what_is_finished_is_not_taken_back(world: RecoveryWorld) -> None:
    """New data was written since: going back would lose it."""
    plan = world.restore_plan()
    world.run(plan)

    with pytest.raises(UsageError, match="finished"):
        world.abort(plan)

    assert world.is_recovered(plan)


def test_a_plan_is_carried_out_once(world: RecoveryWorld) -> None:
    """Running it again is refused; going on with what is over only tidies up."""
    plan = world.restore_plan()
    world.run(plan)

    with pytest.raises(UsageError, match="is finished") as refused:
        world.run(plan)
    assert "resume" not in refused.value.next_step
    assert not world.is_locked
    outcome = world.resume(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert not world.is_locked


def test_a_plan_that_is_under_way_or_aborted_is_said_to_be_so(world: RecoveryWorld) -> None:
    """Each state has its own next step: go on, or make a new plan."""
    plan = world.restore_plan()
    world.plane.node("cp2").vanish("place_data")
    with pytest.raises(StepFailed):
        world.run(plan)

    with pytest.raises(UsageError, match="is under way") as under_way:
        world.run(plan)
    world.abort(plan)
    with pytest.raises(UsageError, match="was aborted") as aborted:
        world.run(plan)

    assert f"recover resume {plan.recovery_id}" in under_way.value.next_step
    assert "recover plan" in aborted.value.next_step
    assert "resume" not in aborted.value.next_step


def test_a_plan_that_was_changed_after_it_was_confirmed_is_not_gone_on_with(world: RecoveryWorld) -> None:
    """The journal names the digest that was confirmed."""
    plan = world.restore_plan()
    world.plane.node("cp2").vanish("stop_etcd")
    with pytest.raises(StepFailed):
        world.run(plan)
    key = f"{world.layout.recoveries}{plan.recovery_id}/plan.json"
    world.store.plant(key, world.store.body(key).replace(b"restore it", b"restore IT"))

    with pytest.raises(JournalDamaged, match="digest"):
        world.resume(plan, ports=world.ports(state="office"), take_over=True)


def test_an_unknown_recovery_is_said_to_be_unknown(world: RecoveryWorld) -> None:
    """With what is known."""
    with pytest.raises(RecoveryError, match="not known"):
        world.abort(world.restore_plan())


def test_the_report_tells_times_loss_and_what_is_left_to_do(world: RecoveryWorld) -> None:
    """Written here and to the store, for people and for programs."""
    plan = world.restore_plan()
    for node in world.plane.nodes:
        node.seconds_per_call = 0.5
        node.on_wait = world.clock.advance

    outcome = world.run(plan)

    report = world.stored_report(plan)
    assert report["real_loss_revisions"] == 500
    assert report["recovery_seconds"] == outcome.report.recovery_seconds
    assert outcome.report.recovery_seconds
    assert outcome.report.recovery_seconds > 0
    page = (world.directory / "state" / "recoveries" / plan.recovery_id / "report.md").read_text()
    assert "500 revisions" in page
    assert all(line in page for line in plan.afterwards)


def _places(order: list[str], kind: str) -> list[int]:
    return [place for place, found in enumerate(order) if found == kind]


def _nodes(world: RecoveryWorld) -> list[tuple[str, FakeNode]]:
    return [(name, world.plane.node(name)) for name in NODES]


def _data(member_id: int = 1) -> FakeData:
    return FakeData(database=b"old", cluster_id=0xCDF818194E3A8C32, member_id=member_id, revision=100)
