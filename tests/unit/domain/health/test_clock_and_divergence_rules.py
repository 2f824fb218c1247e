"""Whose clock is wrong, and whose data."""

from __future__ import annotations

import pytest

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.proof import HashKvWitness
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from fakes.observations import bent, healthy


def with_clocks(*offsets: float) -> Observation:
    seen = healthy(len(offsets))
    for n, offset in enumerate(offsets):
        seen = bent(seen, f"m{n + 1}", http={"clock": Answer(ClockReading(offset, 0.5))})
    return seen


def skewed(*offsets: float) -> list[str | None]:
    return [f.member for f in evaluate(with_clocks(*offsets), cluster="prod").by_code("clock.skew")]


@pytest.mark.parametrize(
    ("offsets", "members"),
    [
        ((0.4, -0.4, 1.4), []),
        ((0.0, 0.0, 3.0), ["m3"]),
        ((5.0, 5.2, 4.8), [None]),  # all members agree: ours is off
        ((5.0, 5.2, -5.0), ["m1", "m2", "m3"]),
        ((5.0,), ["m1"]),  # one against one: the difference is told, not the culprit
    ],
)
def test_clock_that_is_alone_is_the_wrong_one(offsets: tuple[float, ...], members: list[str | None]) -> None:
    """Where all members agree with one another, it is this machine's clock."""
    assert skewed(*offsets) == members


def witness(member: str, value: int, *, compact_revision: int = 5) -> HashKvWitness:
    return HashKvWitness(
        member=member, revision=900, compact_revision=compact_revision, live_hash=value, file_hash=value
    )


@pytest.mark.parametrize(
    ("witnesses", "summary"),
    [
        ((witness("m1", 1), witness("m2", 1), witness("m3", 2)), "the data of m3 differs from the majority's"),
        ((witness("m1", 1), witness("m2", 2)), "the data of m1, m2 differs, and no majority shows whose is right"),
        ((witness("m1", 1), witness("m2", 2, compact_revision=6)), None),
    ],
)
def test_hashes_are_compared_at_one_place_and_the_majority_is_believed(
    witnesses: tuple[HashKvWitness, ...], summary: str | None
) -> None:
    """Hashes at other compact revisions differ by right; a tie names nobody."""
    facts = SnapshotFacts(store="s", witnesses=witnesses)

    findings = evaluate(healthy(), cluster="prod", snapshots=facts).by_code("members.diverged")

    assert [f.summary for f in findings] == ([] if summary is None else [summary])
