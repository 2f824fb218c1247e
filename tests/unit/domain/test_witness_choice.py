"""Who is asked for HashKV about a snapshot, and who is spared."""

from __future__ import annotations

from dataclasses import replace

from etcd_dr.domain.cluster import MemberStatus
from etcd_dr.domain.member_choice import ObservedMember
from etcd_dr.domain.witness_choice import Witnesses, choose_witnesses

CLUSTER, LEADER = 0xC1, 1


def member(number: int, *, is_learner: bool = False, cluster_id: int = CLUSTER) -> ObservedMember:
    status = MemberStatus(
        cluster_id=cluster_id,
        member_id=number,
        revision=100,
        raft_term=3,
        raft_index=500,
        raft_applied_index=500,
        leader_id=LEADER,
        version="3.5.30",
        db_size_bytes=1 << 20,
        db_in_use_bytes=None,
        is_learner=is_learner,
    )
    return ObservedMember(f"https://m{number}:2379", status)


def choose(*members: ObservedMember, source_id: int | None, voters: int, is_large: bool = False) -> Witnesses:
    return choose_witnesses(
        members, cluster_id=CLUSTER, source_id=source_id, voter_count=voters, is_large=is_large, wanted=2
    )


def ids(witnesses: Witnesses) -> list[int | None]:
    return [witness.id for witness in witnesses.in_order]


def test_other_followers_come_before_the_source_and_the_leader_last() -> None:
    """Another replica says most; the leader is a last resort."""
    witnesses = choose(member(1), member(2), member(3), source_id=2, voters=3)

    assert ids(witnesses) == [3, 2]
    assert witnesses.last_resort is not None
    assert witnesses.last_resort.id == LEADER
    assert witnesses.needs_another


def test_learners_cannot_witness() -> None:
    """etcd's learners refuse HashKV; a learner's data is compared with voters."""
    witnesses = choose(member(1), member(2), member(4, is_learner=True), source_id=4, voters=2)

    assert ids(witnesses) == [2]


def test_large_database_troubles_one_follower_only() -> None:
    """Above the limit nobody else is asked, the leader never."""
    witnesses = choose(member(1), member(2), member(3), source_id=2, voters=3, is_large=True)

    assert ids(witnesses) == [3]
    assert (witnesses.wanted, witnesses.last_resort) == (1, None)


def test_large_database_of_a_lone_follower_asks_the_source() -> None:
    """With no other follower the source is better than nobody."""
    assert ids(choose(member(1), member(2), source_id=2, voters=2, is_large=True)) == [2]


def test_single_member_is_asked_itself() -> None:
    """Where there is no other voter, none is needed."""
    witnesses = choose(member(1), source_id=1, voters=1)

    assert ids(witnesses) == []
    assert witnesses.last_resort is not None
    assert not witnesses.needs_another


def test_endpoints_of_one_member_count_once() -> None:
    """An alias is no second opinion."""
    alias = replace(member(3), endpoint="https://alias:2379")

    assert ids(choose(member(2), member(3), alias, source_id=2, voters=3)) == [3, 2]


def test_members_of_another_cluster_are_not_asked() -> None:
    """Their hash says nothing about this data."""
    assert ids(choose(member(2), member(3, cluster_id=0xBAD), source_id=2, voters=2)) == [2]


def test_unknown_source_needs_somebody_else() -> None:
    """An imported file has no source among the members; whoever answers is another."""
    witnesses = choose(member(2), source_id=None, voters=1)

    assert ids(witnesses) == [2]
    assert witnesses.needs_another
