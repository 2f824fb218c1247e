"""Which of several proofs of one level counts."""

from datetime import UTC, datetime, timedelta

from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult, newest_by_level

NOON = datetime(2026, 8, 20, 12, tzinfo=UTC)


def proof(result: ProofResult, *, at: datetime = NOON) -> Proof:
    return Proof(
        level=ProofLevel.STORED,
        result=result,
        at=at,
        made_from=ProofOrigin.STORED_OBJECT,
        detail="",
        tool_version="0",
    )


def test_the_newer_answer_counts() -> None:
    """A copy that was repaired is good again, one that rotted is not."""
    good, bad = proof(ProofResult.PASSED), proof(ProofResult.FAILED, at=NOON + timedelta(hours=1))

    assert newest_by_level((bad, good))[ProofLevel.STORED] is bad


def test_an_inconclusive_answer_hides_no_conclusive_one() -> None:
    """A store that was away yesterday does not undo the proof of the day before."""
    good, nothing = proof(ProofResult.PASSED), proof(ProofResult.INCONCLUSIVE, at=NOON + timedelta(days=1))

    assert newest_by_level((good, nothing))[ProofLevel.STORED] is good


def test_of_two_at_the_same_moment_the_failed_one_counts() -> None:
    """Doubt is told, whichever order the store lists them in."""
    good, bad = proof(ProofResult.PASSED), proof(ProofResult.FAILED)

    assert newest_by_level((good, bad))[ProofLevel.STORED] is bad
    assert newest_by_level((bad, good))[ProofLevel.STORED] is bad
