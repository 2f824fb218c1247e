"""How long a restore would take today, by what drills measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.drill import drill_record
from etcd_dr.domain.objectives.rto import RtoBasis, judge_rto
from etcd_dr.domain.objectives.status import ObjectiveStatus
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from fakes.catalogue import catalogue_of, moment, snapshot

PHASES = {"fetching": 40.0, "verifying": 10.0, "restoring": 30.0, "starting": 20.0, "comparing": 500.0}
MINUTES = timedelta(minutes=1)


def drilled(
    taken_at: str,
    *,
    phases: dict[str, float] | None = None,
    result: ProofResult = ProofResult.PASSED,
    records: int = 1000,
    **more: Any,
) -> Snapshot:
    record = drill_record(phases or PHASES, objective=None, restored_with="", started_with="", keys_compared=0)
    proof = Proof(
        level=ProofLevel.RESTORABLE,
        result=result,
        at=moment(taken_at),
        made_from=ProofOrigin.STORED_OBJECT,
        detail="",
        tool_version="0",
        drill=record,
    )
    plain = sized(taken_at, records=records, **more)
    return replace(plain, proofs=(*plain.proofs, proof))


def sized(taken_at: str, *, records: int, size_bytes: int = 1_000_000) -> Snapshot:
    plain = snapshot(taken_at)
    database = plain.manifest.database.model_copy(update={"all_records": records, "size_bytes": size_bytes})
    return replace(plain, manifest=plain.manifest.model_copy(update={"database": database}))


def test_newest_whole_drill_tells_it() -> None:
    """Its four phases, without the drill's own comparisons; older drills do not matter."""
    older = drilled("2026-08-19 03:00", phases=dict.fromkeys(PHASES, 1.0))

    standing = judge_rto(catalogue_of(older, drilled("2026-08-20 03:00")), 3 * MINUTES)

    assert standing.measured == standing.expected == timedelta(seconds=100)
    assert standing.status is ObjectiveStatus.MET
    assert standing.basis is RtoBasis.DRILL
    assert standing.drilled_at == moment("2026-08-20 03:00")


@pytest.mark.parametrize(("records", "size_bytes"), [(2500, 1_000_000), (1000, 2_500_000)])
def test_growth_since_the_drill_makes_it_longer(records: int, size_bytes: int) -> None:
    """In records or in bytes, whichever grew more; the objective is broken before a drill has shown it."""
    grown = sized("2026-08-21 03:00", records=records, size_bytes=size_bytes)

    standing = judge_rto(catalogue_of(drilled("2026-08-20 03:00"), grown), 3 * MINUTES)

    assert standing.measured == timedelta(seconds=100)
    assert standing.expected == timedelta(seconds=250)
    assert standing.status is ObjectiveStatus.BROKEN


def test_smaller_database_promises_nothing() -> None:
    """What was measured stays."""
    shrunk = sized("2026-08-21 03:00", records=10, size_bytes=10)

    assert judge_rto(catalogue_of(drilled("2026-08-20 03:00"), shrunk), None).expected == timedelta(seconds=100)


@pytest.mark.parametrize(
    ("rto", "status"),
    [(99, ObjectiveStatus.BROKEN), (101, ObjectiveStatus.AT_RISK), (126, ObjectiveStatus.MET)],
)
def test_objective_is_at_risk_from_four_fifths_on(rto: int, status: ObjectiveStatus) -> None:
    """100 s are expected."""
    assert judge_rto(catalogue_of(drilled("2026-08-20 03:00")), timedelta(seconds=rto)).status is status


def test_drill_of_a_scratch_copy_is_completed_by_an_estimate() -> None:
    """An operator that opens nothing measures all but the fetching; a whole drill is preferred, also an older one."""
    scratch = {name: seconds for name, seconds in PHASES.items() if name != "fetching"}
    partial = drilled("2026-08-20 03:00", phases=scratch)

    alone = judge_rto(catalogue_of(partial), 15 * MINUTES)
    beside = judge_rto(catalogue_of(drilled("2026-08-19 03:00"), partial), 15 * MINUTES)

    assert alone.basis is RtoBasis.DRILL_WITHOUT_FETCHING
    assert alone.status is ObjectiveStatus.MET
    assert alone.expected is not None
    assert alone.expected > timedelta(seconds=60)
    assert beside.basis is RtoBasis.DRILL


def test_estimate_without_any_drill_meets_nothing() -> None:
    """What nobody has tried is not known; the figure is given for orientation."""
    standing = judge_rto(catalogue_of(sized("2026-08-20 03:00", records=5)), 15 * MINUTES)

    assert standing.status is ObjectiveStatus.UNKNOWN
    assert standing.basis is RtoBasis.ESTIMATE
    assert standing.expected is not None
    assert "etcd-dr drill run" in standing.next_step


def test_later_drill_that_failed_puts_it_at_risk() -> None:
    """The last good one still measured what it did."""
    failed = drilled("2026-08-21 03:00", result=ProofResult.FAILED)

    standing = judge_rto(catalogue_of(drilled("2026-08-20 03:00"), failed), 15 * MINUTES)

    assert standing.status is ObjectiveStatus.AT_RISK
    assert standing.measured == timedelta(seconds=100)


def test_nothing_proven_can_be_restored_in_no_time() -> None:
    """The objective is broken, not unknown."""
    empty: Catalogue = catalogue_of()

    assert judge_rto(empty, 15 * MINUTES).status is ObjectiveStatus.BROKEN
    assert judge_rto(empty, None).status is ObjectiveStatus.UNSET
