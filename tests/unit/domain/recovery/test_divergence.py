"""Who differs, and when nobody can say."""

from __future__ import annotations

from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.recovery.divergence import judge_divergence
from etcd_dr.domain.recovery.gathering import MemberHash
from etcd_dr.domain.recovery.hash_questions import hash_question
from fakes.observations import all_bent, bent, healthy, member_id, silent, without_quorum


def view(seen: Observation) -> ClusterView:
    return ClusterView.of(seen)


def hashes(*values: int, revision: int = 1000, compacted: int = -1) -> tuple[MemberHash, ...]:
    return tuple(
        MemberHash(member_id(f"m{number}"), HashKv(value, revision, compacted))
        for number, value in enumerate(values, start=1)
    )


def test_equal_hashes_are_alike() -> None:
    found = judge_divergence(view(healthy(3)), hashes(7, 7, 7))

    assert (found.odd, found.dispute, len(found.alike)) == ({}, "", 3)


def test_majority_wins_against_a_follower() -> None:
    found = judge_divergence(view(healthy(3)), hashes(7, 7, 8))

    assert set(found.odd) == {member_id("m3")}


def test_odd_leader_and_even_halves_are_disputes() -> None:
    assert judge_divergence(view(healthy(3)), hashes(8, 7, 7)).dispute
    assert judge_divergence(view(healthy(2)), hashes(7, 8)).dispute


def test_hashes_of_other_compactions_are_not_compared() -> None:
    """Equal data has other hashes where it was compacted elsewhere."""
    mixed = (*hashes(7, 7), MemberHash(member_id("m3"), HashKv(9, 1000, 500)))

    found = judge_divergence(view(healthy(3)), mixed)

    assert (found.odd, found.dispute) == ({}, "")


def test_unequal_revisions_at_one_applied_index_differ() -> None:
    """Without hashes the revisions tell it, where both readings held still."""
    found = judge_divergence(view(bent(healthy(3), "m3", status={"revision": 990})), ())

    assert set(found.odd) == {member_id("m3")}


def test_lagging_member_does_not_differ() -> None:
    seen = bent(healthy(3), "m3", status={"revision": 990, "raft_applied_index": 1990})

    assert judge_divergence(view(seen), ()).odd == {}


def test_hashes_of_large_served_databases_are_not_asked_without_a_hint() -> None:
    """Asking holds a member up for seconds."""
    large = all_bent(healthy(3), status={"db_size_bytes": 1 << 30})

    assert hash_question(view(large), None) is None
    assert hash_question(view(healthy(3)), None) is not None
    assert hash_question(view(bent(large, "m3", status={"revision": 990})), None) is not None
    assert hash_question(view(bent(large, "m3", status={"errors": ("memberID:259 alarm:CORRUPT ",)})), None) is not None


def test_survivors_without_quorum_are_asked_at_the_revision_that_all_have() -> None:
    """Nobody is served, so nobody is held up."""
    large = all_bent(healthy(5), status={"db_size_bytes": 1 << 30})
    seen = without_quorum(silent(bent(large, "m2", status={"revision": 800}), "m3", "m4", "m5"))

    question = hash_question(view(seen), None)

    assert question is not None
    assert (set(question.endpoints), question.revision) == ({member_id("m1"), member_id("m2")}, 800)
