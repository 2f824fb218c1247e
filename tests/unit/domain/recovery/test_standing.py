"""The arithmetic of quorum over verdicts."""

from __future__ import annotations

import pytest

from etcd_dr.domain.recovery.assessment import MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.standing import judge_standing

V = MemberVerdict


def member(number: int, verdict: MemberVerdict, *, is_voter: bool = True) -> MemberAssessment:
    name = f"m{number}"
    return MemberAssessment(name, name, number, is_voter, (), (), verdict, ())


def standing(*verdicts: MemberVerdict, learners: int = 0) -> QuorumStanding:
    members = [member(n, verdict) for n, verdict in enumerate(verdicts)]
    members += [member(90 + n, V.LEARNER, is_voter=False) for n in range(learners)]
    return judge_standing(members, is_held=False, held_because="").standing


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((V.WIPED,), QuorumStanding.LOST_FOR_GOOD),
        ((V.DOWN,), QuorumStanding.MAY_RETURN),
        ((V.UNKNOWN,), QuorumStanding.CANNOT_TELL),
        ((V.ANSWERS, V.WIPED), QuorumStanding.LOST_FOR_GOOD),
        ((V.ANSWERS, V.DOWN, V.WIPED), QuorumStanding.MAY_RETURN),
        ((V.ANSWERS, V.DAMAGED, V.FOREIGN), QuorumStanding.LOST_FOR_GOOD),
        ((V.ANSWERS, V.UNKNOWN, V.WIPED), QuorumStanding.CANNOT_TELL),
        ((V.SAID_INTACT, V.SAID_INTACT, V.UNKNOWN), QuorumStanding.MAY_RETURN),
        ((V.SAID_LOST, V.SAID_LOST, V.UNKNOWN), QuorumStanding.LOST_FOR_GOOD),
        ((V.WIPED, V.WIPED, V.WIPED, V.UNKNOWN, V.UNKNOWN), QuorumStanding.LOST_FOR_GOOD),
        ((V.WIPED, V.WIPED, V.ANSWERS, V.UNKNOWN, V.ANSWERS), QuorumStanding.CANNOT_TELL),
        ((V.WIPED, V.WIPED, V.DOWN, V.ANSWERS, V.ANSWERS), QuorumStanding.MAY_RETURN),
    ],
)
def test_arithmetic(verdicts: tuple[MemberVerdict, ...], expected: QuorumStanding) -> None:
    """Lost only when the unknown ones together with the able ones are no majority."""
    assert standing(*verdicts) is expected


def test_learners_do_not_count() -> None:
    assert standing(V.ANSWERS, V.WIPED, V.WIPED, learners=2) is QuorumStanding.LOST_FOR_GOOD


def test_held_is_what_etcd_says() -> None:
    """Whatever the verdicts are: a linearizable read was answered."""
    found = judge_standing([member(1, V.UNKNOWN)], is_held=True, held_because="a read was answered")

    assert (found.standing, found.reason) == (QuorumStanding.HELD, "a read was answered")


def test_nobody_known_cannot_be_told() -> None:
    found = judge_standing([], is_held=False, held_because="")

    assert found.standing is QuorumStanding.CANNOT_TELL
    assert found.would_tell


def test_each_unknown_member_says_what_would_tell() -> None:
    found = judge_standing([member(1, V.UNKNOWN), member(2, V.UNKNOWN)], is_held=False, held_because="")

    assert [sentence.partition(":")[0] for sentence in found.would_tell] == ["m1", "m2"]
