"""What is used again, what is made anew, who is asked, and what is shown while a recovery is under way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry, RecoveryState
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.step import AddLearner, ByHand
from etcd_dr.errors import Cancelled, HandsNeeded, NodeFault, SnapshotDamaged, StepFailed, VerificationFailed
from etcd_dr.workflows.recovery.read_recoveries import read_recoveries, read_recovery
from scenarios.recovery_world import BOB, NODES, RecoveryWorld


@pytest.fixture
def world(tmp_path: Path) -> RecoveryWorld:
    return RecoveryWorld(tmp_path)


def stopped_at(world: RecoveryWorld, call: str) -> Plan:
    """Return a plan whose run was stopped by a node that vanished at this call."""
    plan = world.restore_plan()
    world.plane.node("cp2").vanish(call)
    with pytest.raises(StepFailed):
        world.run(plan)
    return plan


def work_of(world: RecoveryWorld, plan: Plan, state: str = "state") -> Path:
    return world.directory / state / "recoveries" / plan.recovery_id / "work"


def test_what_was_fetched_and_built_is_used_again(world: RecoveryWorld) -> None:
    """The snapshot is downloaded once and each directory built once, however often the run is gone on with."""
    plan = stopped_at(world, "place_data")
    download = ("read", world.layout.data(world.snapshot.id))
    downloads = world.store.calls.count(download)

    world.resume(plan)

    assert world.store.calls.count(download) == downloads
    assert len(world.restorer.orders) == len(NODES)


def test_a_fetched_file_that_changed_is_fetched_anew(world: RecoveryWorld) -> None:
    """A file is used again only with the digest that the journal names."""
    plan = stopped_at(world, "stop_etcd")
    source = work_of(world, plan) / "source" / "snapshot.db"
    source.write_bytes(source.read_bytes()[:-1] + b"x")
    for built in (work_of(world, plan) / "built").iterdir():
        shutil.rmtree(built)
    download = ("read", world.layout.data(world.snapshot.id))
    downloads = world.store.calls.count(download)

    world.resume(plan)

    assert world.store.calls.count(download) == downloads + 1
    assert world.is_recovered(plan)


def test_no_database_in_clear_is_left_here_at_the_end(world: RecoveryWorld) -> None:
    """What was fetched and built holds every Secret; safety copies are kept on purpose and named in the report."""
    plan = world.restore_plan()

    world.run(plan)

    assert [path.name for path in work_of(world, plan).rglob("*") if path.is_file()] == [".held"]


def test_another_machine_makes_what_it_needs_and_no_more(world: RecoveryWorld) -> None:
    """Only the data of the node that lacks it is built there."""
    plan = stopped_at(world, "place_data")
    world.restorer.orders.clear()

    world.resume(plan, ports=world.ports(state="office"), by=BOB, take_over=True)

    assert [order.name for order in world.restorer.orders] == ["m2"]
    assert world.is_recovered(plan)


def test_a_survivor_that_was_set_aside_is_read_again_on_another_machine(world: RecoveryWorld) -> None:
    """What was read before lies on a machine that is gone: the data gets its name back for the reading only."""
    world.keep_data_of("cp1")
    before = world.plane.node("cp1").data
    plan = world.rebuild_plan("m1")
    world.plane.node("cp1").vanish("place_data")
    with pytest.raises(StepFailed):
        world.run(plan)

    world.resume(plan, ports=world.ports(state="office"), by=BOB, take_over=True)

    assert world.is_recovered(plan)
    assert world.plane.node("cp1").aside == {plan.recovery_id: before}
    assert world.plane.node("cp1").abandoned == []


def test_a_damaged_survivor_is_not_built_from(world: RecoveryWorld) -> None:
    """Its data is proven page by page before anything is made of it."""
    world.keep_data_of("cp1")
    node = world.plane.node("cp1")
    assert node.data is not None
    node.data = replace(node.data, database=node.data.database[:8192] + bytes(4096) + node.data.database[12288:])
    plan = world.rebuild_plan("m1")

    with pytest.raises(StepFailed, match="damaged"):
        world.run(plan)

    assert world.restorer.orders == []


@pytest.mark.parametrize("moment", ["read", "await"])
def test_ctrl_c_in_the_middle_of_a_step_is_heard_there(world: RecoveryWorld, moment: str) -> None:
    """A download and a wait are left at once; the step is carried out again by the next run."""
    plan = world.restore_plan()
    if moment == "read":
        world.store.faults.on_chunk = lambda operation, key: world.cancellation.cancel("SIGINT")
    else:
        world.plane.node("cp3").on_start = lambda node: world.cancellation.cancel("SIGINT")

    with pytest.raises(Cancelled):
        world.run(plan)
    last = world.stored_journal(plan)[-1]
    world.store.faults.on_chunk = None
    world.follow()
    for node in world.plane.nodes:
        if node.is_running:
            node.on_start(node)
    world.resume(plan)

    assert last.kind is EntryKind.STOPPED
    assert world.is_recovered(plan)


def test_a_damaged_snapshot_touches_no_node(world: RecoveryWorld) -> None:
    """The proof comes before the first change."""
    plan = world.restore_plan()
    world.store.flip_bit(world.layout.data(world.snapshot.id), offset=4096)

    with pytest.raises(StepFailed) as raised:
        world.run(plan)

    assert isinstance(raised.value.__cause__, SnapshotDamaged)
    assert {call for name in NODES for call in world.plane.node(name).calls} == {"look"}


def test_a_member_that_lies_about_its_data_fails_the_verification(world: RecoveryWorld) -> None:
    """Equal hashes on all members, and the one that was predicted: anything else is no recovery."""
    plan = world.restore_plan()
    world.cluster["m3"].diverge()

    with pytest.raises(StepFailed, match="verify-cluster") as raised:
        world.run(plan)

    assert isinstance(raised.value.__cause__, VerificationFailed)
    assert world.is_locked


def test_an_etcd_that_ends_at_once_is_not_waited_for(world: RecoveryWorld) -> None:
    """Two looks in a row find no process: that is said, with the end of its log."""
    plan = world.restore_plan()
    node = world.plane.node("cp2")
    node.log_tail = ("panic: something",)
    node.on_start = lambda started: setattr(started, "is_running", False)
    begun = world.clock.monotonic()

    with pytest.raises(StepFailed) as raised:
        world.run(plan)

    cause = raised.value.__cause__
    assert isinstance(cause, NodeFault)
    assert cause.subject == "cp2"
    assert "panic: something" in str(cause.context["log"])
    assert "Its log ends with:\n  panic: something" in str(raised.value.next_step)
    assert world.clock.monotonic() - begun < 60


def test_an_alarm_that_came_with_the_data_keeps_the_cluster_from_counting_as_verified(world: RecoveryWorld) -> None:
    """A cluster with a NOSPACE alarm refuses writes."""
    plan = world.restore_plan()
    world.cluster.raised_alarms.append(Alarm(1, "NOSPACE"))

    with pytest.raises(StepFailed, match="NOSPACE"):
        world.run(plan)
    world.cluster.raised_alarms.clear()
    world.resume(plan)

    assert world.is_recovered(plan)


def test_a_step_for_a_person_stops_the_run_and_resume_goes_on_behind_it(world: RecoveryWorld) -> None:
    """The first time it says what to do; going on means that it was done."""
    plan = world.restore_plan()
    first = plan.steps[0]
    hand = ByHand(
        id="00-by-hand", phase=-1, title="by hand", why="nobody else can", check="said", instruction="plug it in"
    )
    plan = plan.model_copy(update={"steps": (hand, first, *plan.steps[1:])})

    with pytest.raises(HandsNeeded, match="plug it in") as raised:
        world.run(plan)
    world.resume(plan)

    assert f"etcd-dr recover resume {plan.recovery_id}" in raised.value.next_step
    assert world.is_recovered(plan)


def test_status_says_where_a_recovery_stands_and_what_may_be_done(world: RecoveryWorld) -> None:
    """From the journal alone, also on another machine."""
    plan = stopped_at(world, "place_data")

    status = read_recovery(
        plan.recovery_id, world.ports(state="office").journal, store=world.store, layout=world.layout
    )

    standings = {step.id: step.standing for step in status.steps}
    [failed] = [step_id for step_id, standing in standings.items() if standing == "failed"]
    assert "place-data-cp2" in failed
    assert status.state is RecoveryState.UNDER_WAY
    assert status.last_failure is not None
    assert status.lock is not None
    assert status.lock.by == "alice@home"
    assert status.commands == (
        f"etcd-dr recover resume {plan.recovery_id}",
        f"etcd-dr recover abort {plan.recovery_id}",
    )
    assert status.done_count == list(standings.values()).count("done") > 0


def test_all_recoveries_are_listed_oldest_first(world: RecoveryWorld) -> None:
    """What is over has nothing left to do."""
    first = stopped_at(world, "stop_etcd")
    world.abort(first)
    second = world.restore_plan()
    world.run(second)

    listed = read_recoveries(world.ports().journal, store=world.store, layout=world.layout)

    assert [(each.recovery_id, each.state, each.commands) for each in listed] == [
        (first.recovery_id, RecoveryState.ABORTED, ()),
        (second.recovery_id, RecoveryState.FINISHED, ()),
    ]


def test_entries_are_told_as_they_are_kept(world: RecoveryWorld) -> None:
    """Whoever watches sees the journal, entry by entry."""
    plan = world.restore_plan()
    told: list[int] = []

    world.run(plan, on_entry=lambda entry: told.append(entry.number))

    assert sorted(told) == list(range(1, len(told) + 1))
    assert EntryKind.FINISHED is world.stored_journal(plan)[-1].kind


def test_a_voter_without_its_data_is_never_let_back(world: RecoveryWorld) -> None:
    """Under its old id it might vote against what it agreed to before: it is removed first, or nothing is started."""
    for member in world.cluster.members:
        member.start()
    words = {"title": "add", "why": "it votes later", "check": "listed"}
    urls = ("https://m2.example:2380",)
    step = AddLearner(id="01-add", phase=0, member="m2", peer_urls=urls, **words)
    plan = world.restore_plan().model_copy(update={"steps": (step,)})

    with pytest.raises(StepFailed, match="votes with the same peer URLs"):
        world.run(plan)

    assert len(world.cluster.members) == 3


def test_etcd_that_somebody_starts_again_is_stopped_before_its_data_is_moved(world: RecoveryWorld) -> None:
    """It would write on in what was set aside, and keep the port from the new member."""
    plan = world.restore_plan()
    node = world.plane.node("cp2")

    def start_it_again(entry: JournalEntry) -> None:
        if entry.kind is EntryKind.INTENT and entry.step.endswith(("set-data-aside-cp2", "place-data-m2")):
            node.is_running = True

    outcome = world.run(plan, on_entry=start_it_again)

    calls = [call for call in node.calls if call != "look"]
    assert outcome.state is RecoveryState.FINISHED
    for moved in ("set_data_aside", "place_data"):
        assert calls[calls.index(moved) - 1] == "stop_etcd"
