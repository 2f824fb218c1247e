"""Which stored snapshots are verified again today."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.domain.reverification import choose_for_reverification
from fakes.catalogue import moment, snapshot

NOW = moment("2026-08-20 03:17")


def daily(count: int) -> list[Snapshot]:
    """Return so many proven snapshots, one per day, the newest of yesterday."""
    return [snapshot(NOW - timedelta(days=count - number)) for number in range(count)]


def reverified(subject: Snapshot, at: datetime, result: ProofResult = ProofResult.PASSED) -> Snapshot:
    proof = subject.newest_proofs[ProofLevel.STORED].model_copy(update={"at": at, "result": result})
    return replace(subject, proofs=(*subject.proofs, proof))


def test_share_of_all_is_chosen_oldest_proof_first() -> None:
    """A tenth of thirty is three, and they are those that nobody looked at for longest."""
    snapshots = daily(30)

    chosen = choose_for_reverification(reversed(snapshots), fraction=0.1, now=NOW)

    assert list(chosen) == snapshots[:3]


def test_recently_verified_snapshot_waits_its_turn() -> None:
    """What counts is the age of the proof, not of the snapshot."""
    first, *others = daily(10)
    looked_at = reverified(first, NOW - timedelta(days=2))

    chosen = choose_for_reverification([looked_at, *others], fraction=0.2, now=NOW)

    assert list(chosen) == others[:2]


def test_second_run_of_a_day_takes_what_is_left_of_the_share() -> None:
    """A restart, or a second process, does not read the store twice."""
    snapshots = daily(10)
    snapshots[0] = reverified(snapshots[0], NOW - timedelta(hours=1))

    assert len(choose_for_reverification(snapshots, fraction=0.2, now=NOW)) == 1


def test_every_snapshot_has_its_turn() -> None:
    """With a tenth per day each one is read within about ten days."""
    snapshots = {s.id: s for s in daily(25)}
    seen = set()
    for day in range(10):
        now = NOW + timedelta(days=day)
        for chosen in choose_for_reverification(list(snapshots.values()), fraction=0.1, now=now):
            seen.add(chosen.id)
            snapshots[chosen.id] = reverified(chosen, now)

    assert seen == set(snapshots)


def test_damaged_snapshot_is_not_asked_again() -> None:
    """What is known to be damaged stays damaged."""
    broken = snapshot("2026-08-01 03:00", state="damaged")

    assert choose_for_reverification([broken], fraction=1, now=NOW) == ()


def test_unproven_snapshot_comes_first() -> None:
    """One that nobody ever read back is the most urgent."""
    unproven = snapshot("2026-08-19 03:00", state="unproven")

    assert choose_for_reverification([*daily(9), unproven], fraction=0.1, now=NOW) == (unproven,)


def test_fresh_snapshot_is_left_alone() -> None:
    """It was read back when it was taken, an hour ago."""
    assert choose_for_reverification([snapshot(NOW - timedelta(hours=1))], fraction=1, now=NOW) == ()
