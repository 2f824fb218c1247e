"""Replicas share the leases of all clusters, hand them over, and never lead one together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etcd_dr.errors import ApiDenied, ApiUnreachable
from scenarios.lease_world import LeaseWorld, Replica

TEN = [f"c{number}" for number in range(10)]


@pytest.fixture
def world() -> LeaseWorld:
    return LeaseWorld(TEN)


def test_a_replica_alone_leads_everything_at_once(world: LeaseWorld) -> None:
    """In its first round, and keeps it."""
    alone = world.replica("a")

    world.pass_seconds(5)
    led_first = alone.led
    world.pass_seconds(300)

    assert led_first == alone.led == TEN
    assert [record.transitions for record in world.api.records.values()] == [1] * 10


def test_a_second_replica_gets_half_without_a_cluster_being_without_a_leader_for_long(world: LeaseWorld) -> None:
    """It asks, the first one lets go, nobody waits for a lease to run out."""
    first = world.replica("a")
    world.pass_seconds(60)
    second = world.replica("b")

    world.pass_seconds(25)

    assert (len(first.led), len(second.led)) == (5, 5)
    assert sorted(first.led + second.led) == TEN


def test_three_replicas_share_evenly_and_stay_so(world: LeaseWorld) -> None:
    """Once the spread is fair, nothing moves."""
    replicas = [world.replica(name) for name in "abc"]
    world.pass_seconds(120)
    moved = [len(each.told) for each in replicas]

    world.pass_seconds(600)

    assert sorted(len(each.led) for each in replicas) == [3, 3, 4]
    assert [len(each.told) for each in replicas] == moved


def test_a_rolling_update_ends_with_a_fair_spread(world: LeaseWorld) -> None:
    """One pod after the other is replaced, each new one comes after the old one is gone."""
    for name in "ab":
        world.replica(name)
    world.pass_seconds(60)
    for old, new in (("a", "c"), ("b", "d")):
        next(each for each in world.replicas if each.name == old).stop()
        world.pass_seconds(20)
        world.replica(new)
        world.pass_seconds(60)

    assert [len(each.led) for each in world.replicas] == [0, 0, 5, 5]


def test_a_lease_with_work_under_way_is_not_given(world: LeaseWorld) -> None:
    """A running snapshot is not thrown away for the sake of balance."""
    first = world.replica("a")
    world.pass_seconds(5)
    first.busy = set(TEN)
    world.replica("b")

    world.pass_seconds(60)
    led_while_busy = len(first.led)
    first.busy = set()
    world.pass_seconds(30)

    assert led_while_busy == 10
    assert len(first.led) == 5


def test_a_graceful_stop_hands_over_within_one_retry_period(world: LeaseWorld) -> None:
    """The rest is taken in the very next round, with a higher number."""
    first, second = world.replica("a"), world.replica("b")
    world.pass_seconds(60)
    first.stop()

    world.pass_seconds(5)

    assert second.led == TEN
    assert {world.api.records[name].holder for name in TEN} == {"b"}


def test_a_dead_leader_is_followed_after_its_lease(world: LeaseWorld) -> None:
    """Not before, and at most one retry period later."""
    first, second = world.replica("a"), world.replica("b")
    world.pass_seconds(60)
    before = len(second.led)
    first.is_paused = True

    world.pass_seconds(25)
    early = len(second.led)
    world.pass_seconds(15)

    assert early == before
    assert second.led == TEN


def test_a_paused_leader_knows_when_it_wakes_that_it_leads_no_more(world: LeaseWorld) -> None:
    """Before it has made a single call: its own clock says so."""
    first, second = world.replica("a"), world.replica("b")
    world.pass_seconds(60)
    first.is_paused = True
    world.pass_seconds(60)

    assert first.led == []

    first.is_paused = False
    world.pass_seconds(60)
    assert sorted(first.led + second.led) == TEN
    assert any(told[0] == "ended" for told in first.told)


def test_a_leader_that_cannot_reach_the_api_stops_before_anybody_follows(world: LeaseWorld) -> None:
    """Also when each of its calls hangs until its time is up."""
    first = world.replica("a")
    world.pass_seconds(60)
    first.connection.is_cut = True
    first.connection.on_call = lambda: world.clock.advance(4)

    world.pass_seconds(30)

    assert first.led == []
    assert {told[2] for told in first.told if told[0] == "ended"} == {"its lease could not be renewed in time"}
    assert all(isinstance(error, ApiUnreachable) for error in first.failures)


def test_the_api_comes_back_and_the_old_leader_begins_a_new_term(world: LeaseWorld) -> None:
    """With a new number, although nobody else had it meanwhile."""
    alone = world.replica("a")
    world.pass_seconds(10)
    alone.connection.is_cut = True
    world.pass_seconds(60)
    alone.connection.is_cut = False

    world.pass_seconds(5)

    assert alone.led == TEN
    assert alone.holder.fencing("c0") == 2


def test_a_renewal_whose_answer_was_lost_costs_nothing(world: LeaseWorld) -> None:
    """It was carried out; the next round sees it and renews over it."""
    alone = world.replica("a")
    world.pass_seconds(10)
    alone.connection.loses_answers = 1

    world.pass_seconds(60)

    assert alone.led == TEN
    assert {record.transitions for record in world.api.records.values()} == {1}


def test_a_lease_that_was_deleted_begins_anew(world: LeaseWorld) -> None:
    """Somebody tidied up: the term ends, and another one begins in the same round."""
    alone = world.replica("a")
    world.pass_seconds(10)
    del world.api.records["c3"]

    world.pass_seconds(5)

    assert alone.led == TEN
    assert ("ended", "c3", "its lease was taken away") in alone.told


def test_a_refusal_is_a_failure_of_the_round(world: LeaseWorld) -> None:
    """RBAC that forbids leases: nothing is led, and the reason is at hand."""
    alone = world.replica("a")
    alone.connection.refusal = ApiDenied("may not list leases", subject="api")

    world.pass_seconds(10)

    assert alone.led == []
    assert {error.code for error in alone.failures} == {"kubernetes.denied"}


def test_a_lease_that_is_refused_costs_no_other(world: LeaseWorld) -> None:
    """An admission rule that says no to one name: the round tells it, and the other nine are led."""
    alone = world.replica("a")
    alone.connection.refused_names = {"c3"}

    world.pass_seconds(60)

    assert alone.led == [name for name in TEN if name != "c3"]
    assert {error.code for error in alone.failures} == {"kubernetes.denied"}


def test_a_wish_that_comes_between_costs_the_hand_over_nothing(world: LeaseWorld) -> None:
    """Somebody asked for a lease since its holder saw it last: it is let go all the same, in the same breath."""
    leader, follower = world.replica("a"), world.replica("b")
    world.pass_seconds(60)
    for name in leader.led:
        world.api.put(replace(world.api.records[name], wanted_by="c"))

    leader.stop()

    assert all(record.holder in ("", "b") for record in world.api.records.values())
    assert follower.led


FAULTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["pause", "wake", "cut", "heal", "lose-answer", "slow", "quick", "busy", "idle", "give-way"]),
        st.sampled_from([0, 5, 10, 25, 45]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(faults=FAULTS)
def test_whatever_happens_there_is_one_leader_at_most_and_order_returns(faults: list[tuple[int, str, int]]) -> None:
    """Pauses, cut connections, lost answers, slow calls and failing work in any order; then a fair spread again."""
    world = LeaseWorld([f"c{number}" for number in range(5)])
    replicas = [world.replica(name) for name in "abc"]
    for number, fault, seconds in faults:
        inflict(world, replicas[number], fault)
        world.pass_seconds(seconds)  # looks after each round that nobody leads twice
    for replica in replicas:
        for cure in ("wake", "heal", "quick", "idle"):
            inflict(world, replica, cure)

    world.pass_seconds(150)

    assert sorted(name for each in replicas for name in each.led) == sorted(world.clusters)
    assert sorted(len(each.led) for each in replicas) == [1, 2, 2]


def inflict(world: LeaseWorld, replica: Replica, fault: str) -> None:
    connection = replica.connection
    if fault in ("pause", "wake"):
        replica.is_paused = fault == "pause"
    elif fault in ("cut", "heal"):
        connection.is_cut = fault == "cut"
    elif fault == "lose-answer":
        connection.loses_answers = 1
    elif fault in ("slow", "quick"):
        connection.on_call = (lambda: world.clock.advance(1.5)) if fault == "slow" else None
    elif fault in ("busy", "idle"):
        replica.busy = set(world.clusters) if fault == "busy" else set()
    else:
        replica.holder.give_way(world.clusters[0])
