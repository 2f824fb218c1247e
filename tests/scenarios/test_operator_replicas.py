"""Several replicas of the operator: one of them writes, a slot has one snapshot, and a silent API stops nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from etcd_dr.errors import ApiDenied, StoreUnreachable
from etcd_dr.ports.leadership import LeadershipMode
from etcd_dr.workflows.settle_slot import KEPT_FOR
from scenarios.replica_world import LIFE, OperatorReplica, ReplicaWorld


@pytest.fixture
def world(tmp_path: Path) -> ReplicaWorld:
    return ReplicaWorld(tmp_path)


def leading_pair(world: ReplicaWorld) -> tuple[OperatorReplica, OperatorReplica]:
    """Return a replica that leads, and one that does not."""
    leader = world.replica("a")
    world.pass_seconds(10)
    follower = world.replica("b")
    world.pass_seconds(10)
    assert (leader.leads, follower.leads) == (True, False)
    return leader, follower


def test_the_leader_alone_takes_the_snapshot(world: ReplicaWorld) -> None:
    """The follower looks at the same slot and leaves it; the manifest says in which term it was taken."""
    leader, follower = leading_pair(world)

    follower.look()
    leader.look()
    follower.look()

    assert world.takers == ["a"]
    assert world.catalogue.snapshots[0].manifest.fencing == 1


def test_every_replica_watches(world: ReplicaWorld) -> None:
    """Health and the catalogue do not depend on who leads; metrics say who does."""
    leader, follower = leading_pair(world)
    leader.look()

    follower.keeper.refresh()
    follower.keeper.check_health()

    assert follower.value("etcd_dr_restorable_points", cluster="prod", store="main") == 1
    assert follower.value("etcd_dr_quorum_verdict", cluster="prod", verdict="held") == 1
    assert (leader.value("etcd_dr_leader", cluster="prod"), follower.value("etcd_dr_leader", cluster="prod")) == (1, 0)
    assert follower.value("etcd_dr_lease_transitions", cluster="prod") == 1
    assert follower.value("etcd_dr_survival_mode") == 0


def test_a_graceful_stop_hands_the_next_slot_over_at_once(world: ReplicaWorld) -> None:
    """The follower leads after one retry period, is told to look, and counts a higher term."""
    leader, follower = leading_pair(world)
    leader.look()
    leader.stop()

    world.pass_seconds(5)
    looked_at = follower.looks[-1]
    world.pass_seconds(3600)
    follower.look()

    assert follower.leads
    assert looked_at < world.clock.now()
    assert world.takers == ["a", "b"]
    assert [s.manifest.fencing for s in world.catalogue.snapshots] == [1, 2]


def test_a_stop_in_mid_upload_leaves_the_slot_to_the_follower(world: ReplicaWorld) -> None:
    """Nothing of the first try stays, and nobody waits for its claim to run out."""
    leader, follower = leading_pair(world)
    world.in_mid_upload(lambda: leader.cancellation.cancel("SIGTERM"))
    leader.look()
    left = [key for key in world.store.keys if key.startswith(world.layout.snapshots)]
    leader.leadership.stop(is_clean=True)
    leader.is_paused = True

    world.pass_seconds(5)
    follower.look()

    assert left == []
    assert world.takers == ["b"]


def test_a_leader_that_wakes_in_mid_upload_loses_to_its_follower(world: ReplicaWorld) -> None:
    """It was stopped in its tracks, another one led and saved, and it goes on as if nothing had been: one snapshot."""
    leader, follower = leading_pair(world)

    def sleep_while_the_other_one_saves() -> None:
        leader.is_paused = True
        world.pass_seconds(60)
        follower.look()

    world.in_mid_upload(sleep_while_the_other_one_saves)
    leader.look()

    assert world.takers == ["b"]
    assert leader.events.of("slot.lost")
    assert not leader.events.of("snapshot.failed")
    folders = {key.split("/")[4] for key in world.store.keys if key.startswith(world.layout.snapshots)}
    assert folders == {str(world.catalogue.snapshots[0].id)}


def test_of_two_uploads_the_first_to_be_decided_stands(world: ReplicaWorld) -> None:
    """The old leader wakes while the new one still uploads, and is done first: the new one gives way."""
    leader, follower = leading_pair(world)
    is_asleep, wake = Event(), Event()

    def sleep() -> None:
        is_asleep.set()
        assert wake.wait(timeout=30)

    def wake_the_other_one_and_let_it_finish() -> None:
        wake.set()
        old.join(timeout=30)

    world.in_mid_upload(sleep)
    old = Thread(target=leader.look, daemon=True)
    old.start()
    assert is_asleep.wait(timeout=30)
    leader.is_paused = True
    world.pass_seconds(60)
    world.in_mid_upload(wake_the_other_one_and_let_it_finish)
    follower.look()

    assert world.takers == ["a"]
    assert follower.events.of("slot.lost")


def test_a_leader_that_learns_of_its_follower_stops_its_upload(world: ReplicaWorld) -> None:
    """It wakes, makes its round, sees another's name in the lease, and throws the upload away before it ends."""
    leader, follower = leading_pair(world)

    def sleep_and_look_around() -> None:
        leader.is_paused = True
        world.pass_seconds(60)
        leader.is_paused = False
        world.pass_seconds(5)

    world.in_mid_upload(sleep_and_look_around)
    leader.look()
    cancelled = leader.events.of("snapshot.failed")[0].fields["error_code"]
    follower.look()

    assert cancelled == "cancelled"
    assert world.takers == ["b"]


def test_a_silent_api_does_not_end_a_running_snapshot(world: ReplicaWorld) -> None:
    """The lease lapses in mid-upload, nobody else leads, and that very moment is when a snapshot matters."""
    leader, follower = leading_pair(world)

    def lose_the_api() -> None:
        world.cut_off(leader, follower)
        world.pass_seconds(60)

    world.in_mid_upload(lose_the_api)
    leader.look()
    follower.look()

    assert not leader.leads
    assert world.takers == ["a"]


def test_a_decision_without_its_manifest_is_finished_by_another_replica(world: ReplicaWorld) -> None:
    """The leader died between the two writes: what it stored is whole, and the follower makes it exist."""
    leader, follower = leading_pair(world)
    world.store.fail_key("manifest.json", StoreUnreachable("the process died here", subject="fake://"))
    leader.look()
    leader.is_paused = True
    world.pass_seconds(60)

    follower.look()
    takers_at_first_sight = world.takers
    world.pass_seconds(60)
    follower.look()

    assert takers_at_first_sight == []
    assert world.takers == ["a"]
    assert follower.events.of("slot.finished")
    assert world.catalogue.snapshots[0].is_proven


def test_a_decision_whose_answer_was_lost_is_made_good_by_its_author(world: ReplicaWorld) -> None:
    """It cannot know whether it won, so nothing is removed; the next look finds its own name and goes on at once."""
    leader, _ = leading_pair(world)
    world.store.lose_answer("decision.json")
    leader.look()
    takers_after_the_loss = world.takers

    leader.look()

    assert takers_after_the_loss == []
    assert world.takers == ["a"]
    assert len({key.split("/")[4] for key in world.store.keys if key.startswith(world.layout.snapshots)}) == 1


def test_a_refusal_is_survived_like_silence(world: ReplicaWorld) -> None:
    """RBAC that forgot the leases: nobody leads, and snapshots are taken all the same."""
    alone = world.replica("a")
    alone.connection.refusal = ApiDenied("may not list leases", subject="api")
    world.pass_seconds(60)

    alone.look()

    assert alone.leadership.mode is LeadershipMode.SURVIVAL
    assert world.takers == ["a"]
    assert len(alone.events.of("leases.unanswered")) == 1


def test_a_replica_that_starts_without_the_api_takes_what_is_due(world: ReplicaWorld) -> None:
    """It has never seen a lease: it waits for the duration of one, and a little more for whoever led last."""
    alone = world.replica("a")
    world.cut_off(alone)
    world.pass_seconds(25)
    alone.look()
    too_early = world.takers
    world.pass_seconds(30)

    alone.look()

    assert too_early == []
    assert world.takers == ["a"]


def test_a_look_that_came_in_the_middle_of_other_work_is_made_up_for(world: ReplicaWorld) -> None:
    """A snapshot on demand began before the slot and ended after it: the slot's own look was dropped meanwhile."""
    leader, _ = leading_pair(world)
    leader.look()
    world.clock.advance(3500)
    world.pass_seconds(10)

    def the_slot_comes() -> None:
        world.clock.advance(200)
        leader.look()

    world.in_mid_upload(the_slot_comes)
    with leader.leadership.work("prod") as term:
        assert term is not None
        leader.keeper.save_now(term, taken_by="alice", labels={})
    told = leader.looks[-1]
    world.pass_seconds(5)
    leader.look()

    assert told <= world.clock.now()
    assert [s.manifest.reason for s in world.catalogue.snapshots] == ["scheduled", "on-demand", "scheduled"]


def test_survival_mode_begins_when_no_lease_can_be_had(world: ReplicaWorld) -> None:
    """Both replicas say so, go on watching, and are told to look at the schedule."""
    pair = leading_pair(world)
    world.cut_off(*pair)
    looks = [len(each.looks) for each in pair]

    world.pass_seconds(40)

    assert {each.leadership.mode for each in pair} == {LeadershipMode.SURVIVAL}
    assert [each.value("etcd_dr_survival_mode") for each in pair] == [1, 1]
    assert all(len(each.looks) > before for each, before in zip(pair, looks, strict=True))
    assert all("no answer" in each.leadership.silence for each in pair)


def test_a_slot_in_survival_mode_is_taken_once(world: ReplicaWorld) -> None:
    """By the replica that led last; the other one waits a little and then finds it done."""
    leader, follower = leading_pair(world)
    leader.look()
    world.cut_off(leader, follower)
    world.pass_seconds(3600)
    world.clock.advance(-world.clock.now().minute * 60 - world.clock.now().second)

    follower.look()
    told = follower.looks[-1]
    leader.look()
    world.clock.advance(20)
    follower.look()

    assert told - world.clock.now() <= timedelta(seconds=15)
    assert world.takers == ["a", "a"]
    assert world.catalogue.snapshots[1].manifest.fencing is None


def test_two_replicas_that_both_want_the_slot_are_kept_apart_by_the_store(world: ReplicaWorld) -> None:
    """The second one finds the claim of the first, which is uploading, and leaves the slot to it."""
    leader, follower = leading_pair(world)
    world.cut_off(leader, follower)
    world.pass_seconds(60)
    world.in_mid_upload(follower.look)

    leader.look()

    assert follower.events.of("slot.left_to_another")
    assert world.takers == ["a"]
    assert not follower.events.of("snapshot.member_chosen")


def test_a_claim_of_a_dead_replica_runs_out(world: ReplicaWorld) -> None:
    """Counted from when the other one first saw it."""
    leader, follower = leading_pair(world)
    world.cut_off(leader, follower)
    world.pass_seconds(60)

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    world.in_mid_upload(kill)
    with pytest.raises(Killed):
        leader.look()
    world.store.plant(*kept_claim(world))  # a killed process takes nothing back
    follower.look()
    world.pass_seconds(LIFE.total_seconds() - 1)
    follower.look()
    too_early = world.takers
    world.pass_seconds(1)
    follower.look()

    assert too_early == []
    assert world.takers == ["b"]


def kept_claim(world: ReplicaWorld) -> tuple[str, bytes]:
    """Return the claim that a run took back when it failed, as its death would have left it."""
    return world.store.deleted[-1]


def test_a_run_that_fails_gives_the_slot_to_the_other_replica(world: ReplicaWorld) -> None:
    """The first one cannot reach etcd; the second one can, and need not wait for the claim."""
    leader, follower = leading_pair(world)
    world.cut_off(leader, follower)
    world.pass_seconds(60)
    for member in world.cluster.members:
        member.stop()
    leader.look()
    for member in world.cluster.members:
        member.start()

    follower.look()

    assert world.takers == ["b"]


def test_a_leader_that_keeps_failing_gives_way_to_another_replica(world: ReplicaWorld) -> None:
    """After three failed runs: it may be the one whose way to etcd or to the store is cut."""
    leader, follower = leading_pair(world)
    for member in world.cluster.members:
        member.stop()
    for _ in range(3):
        leader.look()
        world.pass_seconds(5)
    for member in world.cluster.members:
        member.start()

    world.pass_seconds(5)
    follower.look()

    assert (leader.leads, follower.leads) == (False, True)
    assert world.takers == ["b"]
    assert world.catalogue.snapshots[0].manifest.fencing == 2


def test_a_leader_without_others_leads_on_however_often_it_fails(world: ReplicaWorld) -> None:
    """It lets go, nobody comes, and it leads again after the duration of a lease."""
    alone = world.replica("a")
    world.pass_seconds(10)
    for member in world.cluster.members:
        member.stop()
    for _ in range(3):
        alone.look()
    world.pass_seconds(10)
    led_meanwhile = alone.leads
    world.pass_seconds(40)

    assert not led_meanwhile
    assert alone.leads
    assert alone.looks[-1] > world.clock.now() - timedelta(seconds=40), "it looks at once"


def test_leases_come_back_and_no_slot_is_taken_twice(world: ReplicaWorld) -> None:
    """A new leader finds the slot of the outage settled, and goes on with the next one under a new term."""
    leader, follower = leading_pair(world)
    world.cut_off(leader, follower)
    world.pass_seconds(60)
    leader.look()
    world.cut_off(leader, follower, is_cut=False)

    world.pass_seconds(10)
    for replica in (leader, follower):
        replica.look()
    taken_after_the_outage = len(world.takers)
    world.pass_seconds(3600)
    for replica in (leader, follower):
        replica.look()

    assert {each.leadership.mode for each in world.replicas} == {LeadershipMode.LEASES}
    assert [each.leads for each in world.replicas].count(True) == 1
    assert taken_after_the_outage == 1
    assert [s.manifest.fencing for s in world.catalogue.snapshots] == [None, 2]


def test_a_replica_cut_off_alone_leaves_the_slot_to_the_one_that_leads(world: ReplicaWorld) -> None:
    """It cannot know who leads; the claim in the store tells it."""
    leader, cut_off = leading_pair(world)
    world.cut_off(cut_off)
    world.pass_seconds(60)
    world.in_mid_upload(cut_off.look)

    leader.look()

    assert cut_off.leadership.mode is LeadershipMode.SURVIVAL
    assert world.takers == ["a"]


def test_jobs_that_can_wait_wait_for_the_leases(world: ReplicaWorld) -> None:
    """Sweeps, verification and drills are not urgent; in survival mode nobody does them."""
    leader, follower = leading_pair(world)
    leader.look()
    proofs = len(world.catalogue.snapshots[0].proofs)
    world.cut_off(leader, follower)
    world.pass_seconds(60)

    leader.keeper.reverify()
    leader.keeper.sweep()

    assert len(world.catalogue.snapshots[0].proofs) == proofs


def test_a_store_that_keeps_nobody_apart_lets_the_others_wait_longer(tmp_path: Path) -> None:
    """The replica that led last goes on; the other one waits the whole life of a claim."""
    world = ReplicaWorld(tmp_path, put_if_absent=False)
    leader, follower = leading_pair(world)
    world.cut_off(leader, follower)
    world.pass_seconds(60)

    follower.look()
    told = follower.looks[-1]
    leader.look()

    assert told - world.clock.now() > LIFE / 2
    assert world.takers == ["a"]
    assert world.catalogue.snapshots[0].manifest.commit == "unconditional"


def test_a_snapshot_that_was_removed_is_not_taken_again_for_its_slot(world: ReplicaWorld) -> None:
    """The slot is settled; the next snapshot is that of the next slot."""
    leader, _ = leading_pair(world)
    leader.look()
    for key in [key for key in world.store.keys if key.startswith(world.layout.snapshots)]:
        world.store.lose(key)

    leader.look()

    assert world.takers == []
    assert leader.looks[-1] == world.clock.now().replace(minute=0, second=0) + timedelta(hours=1)


def test_claims_are_swept_after_a_week(world: ReplicaWorld) -> None:
    """And not a day before, so that whoever sleeps over a slot finds it settled."""
    leader, _ = leading_pair(world)
    leader.look()
    world.clock.advance((KEPT_FOR - timedelta(hours=1)).total_seconds())
    world.pass_seconds(40)
    leader.keeper.sweep()
    kept = [key for key in world.store.keys if key.startswith(world.layout.claims)]

    world.clock.advance(7200)
    world.pass_seconds(40)
    leader.keeper.sweep()

    assert len(kept) == 2
    assert not [key for key in world.store.keys if key.startswith(world.layout.claims)]


def test_whoever_sleeps_over_a_slot_for_days_commits_nothing(world: ReplicaWorld) -> None:
    """What settled the slot may have been swept meanwhile."""
    leader, _ = leading_pair(world)

    def sleep_for_days() -> None:
        leader.is_paused = True
        world.clock.advance(KEPT_FOR.total_seconds() / 2 + 1)

    world.in_mid_upload(sleep_for_days)
    leader.look()

    assert world.takers == []
    assert leader.events.of("slot.lost")
