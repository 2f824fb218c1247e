"""Who serves a snapshot, and the reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_dr.domain.cluster import Member, MemberStatus
from etcd_dr.domain.member_choice import MemberChoice, ObservedMember, choose_member

CLUSTER, LEADER = 0xC1, 1


def member(number: int, *, version: str = "3.5.30", is_learner: bool = False, **status: object) -> ObservedMember:
    """Return member `number`; 1 leads. `status` are fields of its MemberStatus."""
    fields: dict[str, object] = {
        "cluster_id": CLUSTER,
        "member_id": number,
        "revision": 100,
        "raft_term": 3,
        "raft_index": 500,
        "raft_applied_index": 500,
        "leader_id": LEADER,
        "version": version,
        "db_size_bytes": 1 << 20,
        "db_in_use_bytes": None,
        "is_learner": is_learner,
    }
    seen = MemberStatus(**(fields | status))  # type: ignore[arg-type]  # fields by name
    row = Member(number, f"m{number}", (), (f"https://m{number}:2379",), is_learner)
    return ObservedMember(f"https://m{number}:2379", seen, row, revision=seen.revision)


def names(choice: MemberChoice) -> list[str]:
    return [candidate.observed.label for candidate in choice.candidates]


def reason_for(choice: MemberChoice, label: str) -> str:
    return next(refused.reason for refused in choice.refused if refused.observed.label == label)


def test_learner_then_followers_then_leader() -> None:
    """The less a member carries, the earlier it is asked; equals keep the configured order."""
    members = (member(1), member(3), member(2), member(4, is_learner=True))

    assert names(choose_member(members, quorum_revision=100)) == ["m4", "m3", "m2", "m1"]


def test_member_behind_the_quorum_is_refused() -> None:
    """A snapshot is never older than a write acknowledged before it began."""
    choice = choose_member((member(1), member(2, revision=99), member(3)), quorum_revision=100)

    assert names(choice) == ["m3", "m1"]
    assert "99" in reason_for(choice, "m2")


def test_revision_of_a_served_read_counts() -> None:
    """A member that served a linearizable read has caught up, whatever its status said before."""
    caught_up = replace(member(2, revision=99), revision=100)

    assert names(choose_member((member(1), caught_up), quorum_revision=100)) == ["m2", "m1"]


def test_member_with_entries_to_apply_is_refused() -> None:
    """A member that only just received the log is not there yet."""
    slow = member(2, raft_index=5000, raft_applied_index=500)

    assert "4500 raft entries" in reason_for(choose_member((member(1), slow), quorum_revision=100), "m2")


@pytest.mark.parametrize(
    ("version", "serves"),
    [("3.4.27", False), ("3.4.28", True), ("3.5.0", True), ("3.6.1", True), ("3.5.0-alpha.1", True), ("odd", True)],
)
def test_learner_serves_only_where_its_version_can(version: str, serves: bool) -> None:
    """Learners of older etcd refuse the call; an unknown version is tried."""
    choice = choose_member((member(1), member(4, is_learner=True, version=version)), quorum_revision=100)

    assert ("m4" in names(choice)) is serves


def test_member_under_a_corrupt_alarm_is_refused() -> None:
    """Every member lists all alarms; only the one they name is refused."""
    text = ("memberID:2 alarm:CORRUPT ",)
    members = tuple(member(n, errors=text) for n in (1, 2, 3))

    choice = choose_member(members, quorum_revision=100)

    assert names(choice) == ["m3", "m1"]
    assert "CORRUPT" in reason_for(choice, "m2")


def test_full_database_still_serves() -> None:
    """NOSPACE stops writes and is no reason against a snapshot."""
    choice = choose_member((member(2, errors=("memberID:2 alarm:NOSPACE ",)),), quorum_revision=100)

    assert names(choice) == ["m2"]


def test_member_of_another_cluster_is_refused() -> None:
    """Only the expected cluster is saved below its prefix."""
    choice = choose_member(
        (member(1), member(2, cluster_id=0xBAD)), quorum_revision=100, cluster_ids=frozenset({CLUSTER})
    )

    assert names(choice) == ["m1"]
    assert "bad" in reason_for(choice, "m2")


def test_second_endpoint_of_a_member_is_not_another_member() -> None:
    """Two addresses of one member give one try, not two."""
    twin = replace(member(2), endpoint="https://alias:2379")

    choice = choose_member((member(2), twin), quorum_revision=100)

    assert len(choice.candidates) == 1
    assert "https://m2:2379" in choice.refused[0].reason


def test_member_that_nobody_configured_does_not_serve() -> None:
    """Members found in the list witness; they are not what somebody gave us to read from."""
    found = replace(member(3), is_configured=False)

    assert names(choose_member((member(1), found), quorum_revision=100)) == ["m1"]


def test_unreachable_member_is_refused_with_its_failure() -> None:
    """The reason is what the connection said."""
    dead = ObservedMember("https://m2:2379", failure="connection refused", failure_code="etcd.unreachable")

    choice = choose_member((member(1), dead), quorum_revision=100)

    assert choice.refused[0].reason == "connection refused"


def test_without_quorum_the_most_advanced_serves() -> None:
    """All members apply one log, so the applied index orders what they hold, not the term or the role."""
    ahead = member(2, leader_id=0, raft_applied_index=510, raft_term=3)
    louder = member(3, leader_id=0, raft_applied_index=505, raft_term=9)

    choice = choose_member((louder, ahead), quorum_revision=None)

    assert names(choice) == ["m2", "m3"]
    assert not choice.has_quorum
    assert any("no quorum" in warning for warning in choice.candidates[0].warnings)


def test_named_member_is_taken_with_a_warning() -> None:
    """Who names a member that lags gets it, and is told."""
    choice = choose_member((member(1), member(2, revision=50)), quorum_revision=100, named_endpoint="https://m2:2379")

    assert names(choice) == ["m2"]
    assert any("revision 50" in warning for warning in choice.candidates[0].warnings)


def test_named_member_that_cannot_serve_is_refused() -> None:
    """Asking by name does not make a dead member answer."""
    dead = ObservedMember("https://m2:2379", failure="connection refused")

    choice = choose_member((member(1), dead), quorum_revision=100, named_endpoint="https://m2:2379")

    assert choice.candidates == ()


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ("3.3.27", True),
        ("3.4.37", True),
        ("3.4.38", False),
        ("3.5.22", True),
        ("3.5.23", False),
        ("3.6.4", True),
        ("3.6.5", False),
        ("3.7.0", False),
    ],
)
def test_versions_that_may_send_another_file_are_warned_about(version: str, warned: bool) -> None:
    """Where the trailer alone proves too little, the choice says which proofs tell."""
    [candidate] = choose_member((member(2, version=version),), quorum_revision=100).candidates

    assert any("replaced file" in warning for warning in candidate.warnings) is warned
