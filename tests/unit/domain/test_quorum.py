"""The verdict on quorum: the arithmetic as properties, and the situations that people meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.cluster import quorum_size
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.quorum import Ballot, Quorum, QuorumVerdict, decide, judge_quorum, may_be_electing
from fakes.observations import (
    TIMED_OUT,
    all_bent,
    all_list,
    bent,
    healthy,
    row,
    silent,
    unobserved,
    without_quorum,
)

DENIED = Answer[int].failed(Failure("etcd.denied", "etcdserver: permission denied"))
LATE = Answer[int].failed(TIMED_OUT)


def verdict_on(seen: Observation) -> Quorum:
    return judge_quorum(ClusterView.of(seen))


@st.composite
def ballots(draw: st.DrawFn) -> Ballot:
    """Counts that can occur together."""
    voters = draw(st.integers(0, 9))
    answering = draw(st.integers(0, voters))
    anybody = answering > 0 or draw(st.booleans())
    agreeing = draw(st.integers(0, answering))
    behind = draw(st.integers(0, answering))
    asked = draw(st.integers(0, voters)) if anybody else 0
    return Ballot(
        voters=draw(st.one_of(st.none(), st.just(voters))) if anybody else None,
        answering=answering,
        agreeing=agreeing,
        reads_asked=asked,
        reads_proven=draw(st.integers(0, asked)),
        behind_leader=behind,
        anybody_answers=anybody,
        anybody_names_a_leader=agreeing > 0 or behind > 0 or (anybody and draw(st.booleans())),
    )


@given(ballots())
def test_answered_read_always_means_that_quorum_is_held(ballot: Ballot) -> None:
    """A linearizable read is proof, whatever else is missing; without one nothing is called held."""
    quorum = decide(ballot)

    assert quorum.verdict.is_held is (ballot.anybody_answers and ballot.reads_proven > 0)


@given(ballots())
def test_tolerance_is_the_raft_arithmetic_of_those_that_take_part(ballot: Ballot) -> None:
    """Where tolerance is told, so many voters more may fail, and it is positive exactly for `held`."""
    quorum = decide(ballot)

    if quorum.tolerance is None:
        assert quorum.verdict is not QuorumVerdict.HELD_WITHOUT_TOLERANCE
    else:
        assert ballot.voters is not None
        assert quorum.tolerance == max(0, ballot.agreeing - quorum_size(ballot.voters))
        assert (quorum.tolerance > 0) is (quorum.verdict is QuorumVerdict.HELD)


@given(ballots())
def test_verdict_that_cannot_tell_says_what_would(ballot: Ballot) -> None:
    """`cannot-tell` never comes without a way to find out, and no other verdict has one."""
    quorum = decide(ballot)

    assert bool(quorum.would_tell) is (quorum.verdict is QuorumVerdict.CANNOT_TELL)


@given(ballots())
def test_loss_is_only_told_when_somebody_answers_and_no_leader_has_a_majority(ballot: Ballot) -> None:
    """Silence alone is never called a loss."""
    quorum = decide(ballot)

    if quorum.verdict is QuorumVerdict.LOST_MAY_RETURN:
        assert ballot.anybody_answers
        assert ballot.voters is not None
        assert ballot.behind_leader < quorum_size(ballot.voters)


@given(st.integers(1, 9), st.data())
def test_every_size_of_cluster_loses_quorum_with_its_majority(voters: int, data: st.DataObject) -> None:
    """With k of V voters dead the verdict follows floor(V / 2) + 1 exactly."""
    dead = data.draw(st.integers(0, voters - 1))
    alive, needed = voters - dead, quorum_size(voters)
    seen = silent(healthy(voters), *(f"m{n + 1}" for n in range(alive, voters)))

    quorum = verdict_on(seen if alive >= needed else without_quorum(seen))

    if alive > needed:
        expected = QuorumVerdict.HELD
    elif alive == needed:
        expected = QuorumVerdict.HELD_WITHOUT_TOLERANCE
    else:
        expected = QuorumVerdict.LOST_MAY_RETURN
    assert quorum.verdict is expected
    assert quorum.answering == alive


def test_nobody_answering_is_not_called_a_loss() -> None:
    """All unreachable: it may be our network; the verdict says what would tell."""
    quorum = verdict_on(silent(healthy(), "m1", "m2", "m3"))

    assert quorum.verdict is QuorumVerdict.CANNOT_TELL
    assert "crictl" in quorum.would_tell


def test_survivor_that_hears_from_quorum_is_believed_though_we_reach_only_it() -> None:
    """A partition between us and the majority: held as the members see it, our view partial, tolerance unknown."""
    quorum = verdict_on(silent(healthy(), "m2", "m3"))

    assert quorum.verdict is QuorumVerdict.HELD
    assert quorum.view_is_partial
    assert quorum.tolerance is None


def test_minority_survivor_alone_is_a_loss_that_may_return() -> None:
    """One of three answers, knows no leader and cannot read through quorum."""
    quorum = verdict_on(without_quorum(silent(healthy(), "m2", "m3")))

    assert quorum.verdict is QuorumVerdict.LOST_MAY_RETURN
    assert (quorum.voters, quorum.needed, quorum.answering) == (3, 2, 1)


def test_majority_without_a_common_leader_is_a_loss() -> None:
    """All three answer us but not one another."""
    assert verdict_on(without_quorum(healthy())).verdict is QuorumVerdict.LOST_MAY_RETURN


def test_just_enough_voters_that_name_a_dead_leader_are_a_loss() -> None:
    """They could elect another one, and did not within the deadline of the read."""
    quorum = verdict_on(all_bent(silent(healthy(), "m1"), quorum_read=LATE))

    assert quorum.verdict is QuorumVerdict.LOST_MAY_RETURN
    assert quorum.answering == quorum.needed == 2


def test_learners_do_not_count() -> None:
    """Two dead of three voters is a loss, however many learners live."""
    seen = without_quorum(silent(healthy(3, learners=2), "m2", "m3"))

    quorum = verdict_on(seen)

    assert quorum.verdict is QuorumVerdict.LOST_MAY_RETURN
    assert (quorum.voters, quorum.answering) == (3, 1)


def test_member_that_never_started_counts_as_a_voter() -> None:
    """`member add` to a cluster of one needs two voters at once, though the new one does not run yet."""
    seen = all_list(healthy(1), row("m1"), row("m2", has_started=False))

    quorum = verdict_on(without_quorum(seen))

    assert quorum.verdict is QuorumVerdict.LOST_MAY_RETURN
    assert (quorum.voters, quorum.needed) == (2, 2)


def test_denied_read_proves_quorum_as_well_as_an_answer() -> None:
    """etcd looks at permissions after the majority has confirmed the leader."""
    assert verdict_on(all_bent(healthy(), quorum_read=DENIED)).verdict is QuorumVerdict.HELD


def test_denial_by_a_member_without_a_leader_proves_nothing() -> None:
    """Without a leader a denial cannot come from a majority."""
    seen = all_bent(healthy(), quorum_read=DENIED, status={"leader_id": 0})

    assert not verdict_on(seen).verdict.is_held


def test_followed_leader_without_a_read_in_time_cannot_be_told() -> None:
    """Overload looks like this: nobody is missing, and nothing comes back within the deadline."""
    quorum = verdict_on(all_bent(healthy(), quorum_read=LATE))

    assert quorum.verdict is QuorumVerdict.CANNOT_TELL


def test_leader_named_by_a_minority_that_reads_nothing_cannot_be_told() -> None:
    """The leader died a moment ago, or only the way to it is slow: a second look tells."""
    quorum = verdict_on(all_bent(silent(healthy(), "m1", "m2"), quorum_read=LATE))

    assert quorum.verdict is QuorumVerdict.CANNOT_TELL


def test_member_cut_off_from_its_peers_does_not_count_as_healthy() -> None:
    """It answers us, but no write will ever be acknowledged by it."""
    seen = bent(healthy(), "m3", status={"leader_id": 0}, quorum_read=LATE)

    quorum = verdict_on(seen)

    assert quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE
    assert (quorum.answering, quorum.agreeing) == (3, 2)


def test_unknown_member_list_leaves_the_arithmetic_open() -> None:
    """A read proves quorum even then; without a read nothing can be told."""
    failed = Answer[object].failed(TIMED_OUT)
    blind = all_bent(healthy(), members=failed)

    held, open_question = verdict_on(blind), verdict_on(all_bent(blind, quorum_read=LATE))

    assert (held.verdict, held.tolerance, held.view_is_partial) == (QuorumVerdict.HELD, None, True)
    assert open_question.verdict is QuorumVerdict.CANNOT_TELL


def test_verdict_without_a_read_that_was_tried_is_open() -> None:
    """Status alone never makes quorum held."""
    assert verdict_on(all_bent(healthy(), quorum_read=NOT_ASKED)).verdict is QuorumVerdict.CANNOT_TELL


@pytest.mark.parametrize("missing", ["m2", "m3"])
def test_member_that_nobody_asked_takes_tolerance_away(missing: str) -> None:
    """What we do not see we do not count, even when it may be well."""
    quorum = verdict_on(unobserved(healthy(), missing))

    assert quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE


def test_members_of_another_cluster_do_not_vote() -> None:
    """Two clusters behind one list of endpoints: only the one in view counts."""
    seen = bent(bent(healthy(5), "m4", status={"cluster_id": 7}), "m5", status={"cluster_id": 7})

    quorum = verdict_on(seen)

    assert (quorum.voters, quorum.answering) == (5, 3)
    assert quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE


def test_two_endpoints_of_one_member_are_one_voter() -> None:
    """A load balancer in the list must not make a survivor count twice."""
    alone = without_quorum(silent(healthy(), "m2", "m3"))
    twin = replace(alone.endpoints[0], endpoint="https://vip.example:2379")

    quorum = verdict_on(replace(alone, endpoints=(*alone.endpoints, twin)))

    assert quorum.answering == 1
    assert quorum.verdict is QuorumVerdict.LOST_MAY_RETURN


@pytest.mark.parametrize(("alive", "may_elect"), [(3, True), (2, True), (1, False)])
@pytest.mark.parametrize("is_listed", [True, False])
def test_majority_that_proves_no_leader_may_be_electing_one(alive: int, may_elect: bool, is_listed: bool) -> None:
    """Also where nobody shows a member list, which Talos reads through the quorum that is missing."""
    seen = without_quorum(silent(healthy(), *(f"m{n + 1}" for n in range(alive, 3))))
    listless = seen if is_listed else all_bent(seen, members=Answer.failed(TIMED_OUT))

    assert may_be_electing(ClusterView.of(listless)) is may_elect


def test_majority_that_proves_a_leader_has_elected() -> None:
    """One read is proof."""
    assert not may_be_electing(ClusterView.of(healthy()))
