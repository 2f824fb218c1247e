"""How long a recovery would take, from what drills have measured.

- It is that of the newest drill that passed and measured the whole way, made larger where the database has grown since.
- A drill of a scratch copy fetches nothing: then the fetching is estimated by typical rates (domain/recovery/rates.py),
  and without any drill all of it is, which meets no objective.
- It is that of one member on the drill's machine, from the store to a serving etcd: people and nodes come on top
  (domain/drill.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.drill import RECOVERY_PHASES, DrillRecord
from etcd_dr.domain.objectives.status import AT_RISK_SHARE, ObjectiveStatus, time_text
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.recovery.rates import Rates

_DRILL_NOW = "Rehearse, and see what each phase takes: etcd-dr drill run"
_SNAPSHOT_NOW = "Take a snapshot, and see whether it can be proven: etcd-dr snapshot save"


class RtoBasis(StrEnum):
    """Where the expected RTO comes from: a whole drill, one whose fetching is estimated, or typical rates alone."""

    DRILL = "drill"
    DRILL_WITHOUT_FETCHING = "drill-without-fetching"
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class RtoStanding:
    """How long a recovery would take. `measured` is the drill's own figure, `expected` that of today's database."""

    status: ObjectiveStatus
    reason: str
    next_step: str = ""
    objective: timedelta | None = None
    expected: timedelta | None = None
    measured: timedelta | None = None
    basis: RtoBasis | None = None
    drilled_at: datetime | None = None
    snapshot_id: str | None = None
    growth: float = 1.0


def judge_rto(catalogue: Catalogue, objective: timedelta | None) -> RtoStanding:
    """Return how long a recovery of the newest proven snapshot would take, and whether that is within the objective."""
    newest = catalogue.newest_proven
    if newest is None:
        return RtoStanding(
            ObjectiveStatus.UNSET if objective is None else ObjectiveStatus.BROKEN,
            "no snapshot is proven, so nothing could be restored",
            _SNAPSHOT_NOW,
            objective=objective,
        )
    drilled = _telling_drill(catalogue)
    if drilled is None:
        return _estimated(newest, objective)
    snapshot, record, at, basis = drilled
    growth = _growth(snapshot, newest)
    measured = _measured_seconds(snapshot, record)
    expected = timedelta(seconds=round(measured * growth, 3))
    status, reason = _rto_status(
        expected, objective, basis=basis, growth=growth, has_failed=_failed_after(catalogue, at)
    )
    return RtoStanding(
        status=status,
        reason=reason,
        next_step=_DRILL_NOW if status in (ObjectiveStatus.AT_RISK, ObjectiveStatus.BROKEN) else "",
        objective=objective,
        expected=expected,
        measured=timedelta(seconds=round(measured, 3)),
        basis=basis,
        drilled_at=at,
        snapshot_id=str(snapshot.id),
        growth=round(growth, 3),
    )


def _rto_status(
    expected: timedelta, objective: timedelta | None, *, basis: RtoBasis, growth: float, has_failed: bool
) -> tuple[ObjectiveStatus, str]:
    told = f"a restore would take about {time_text(expected)}"
    if growth > 1.05:
        told += f" with a database that has grown by {growth - 1:.0%} since the drill"
    if basis is RtoBasis.DRILL_WITHOUT_FETCHING:
        told += ", of which the fetching is an estimate"
    if objective is None:
        return ObjectiveStatus.UNSET, told
    told += f"; the objective is {time_text(objective)}"
    if expected > objective:
        return ObjectiveStatus.BROKEN, told
    if has_failed:
        return ObjectiveStatus.AT_RISK, f"{told}, and a later drill failed"
    return (ObjectiveStatus.AT_RISK if expected >= AT_RISK_SHARE * objective else ObjectiveStatus.MET), told


def _estimated(newest: Snapshot, objective: timedelta | None) -> RtoStanding:
    manifest, rates = newest.manifest, Rates()
    seconds = (
        _fetching_seconds(newest)
        + rates.build_seconds(plain_bytes=manifest.database.size_bytes, members=1)
        + rates.serve_seconds(keys=manifest.database.live_keys)
    )
    expected = timedelta(seconds=round(seconds, 3))
    return RtoStanding(
        status=ObjectiveStatus.UNSET if objective is None else ObjectiveStatus.UNKNOWN,
        reason=f"no drill has measured it; by typical rates a restore would take about {time_text(expected)}",
        next_step=_DRILL_NOW,
        objective=objective,
        expected=expected,
        basis=RtoBasis.ESTIMATE,
    )


def _telling_drill(catalogue: Catalogue) -> tuple[Snapshot, DrillRecord, datetime, RtoBasis] | None:
    """Return the newest drill that passed and measured the whole way, else one that had nothing to fetch."""
    found: dict[RtoBasis, tuple[Snapshot, DrillRecord, datetime, RtoBasis]] = {}
    for snapshot in catalogue.snapshots:
        proof = snapshot.newest_proofs.get(ProofLevel.RESTORABLE)
        if proof is None or not proof.passed or proof.drill is None:
            continue
        if proof.drill.rto_seconds is not None:
            basis = RtoBasis.DRILL
        elif all(name in proof.drill.phases for name in RECOVERY_PHASES if name != "fetching"):
            basis = RtoBasis.DRILL_WITHOUT_FETCHING
        else:
            continue
        if basis not in found or proof.at > found[basis][2]:
            found[basis] = (snapshot, proof.drill, proof.at, basis)
    return found.get(RtoBasis.DRILL) or found.get(RtoBasis.DRILL_WITHOUT_FETCHING)


def _measured_seconds(snapshot: Snapshot, record: DrillRecord) -> float:
    if record.rto_seconds is not None:
        return record.rto_seconds
    return _fetching_seconds(snapshot) + sum(record.phases[name] for name in RECOVERY_PHASES if name in record.phases)


def _fetching_seconds(snapshot: Snapshot) -> float:
    manifest = snapshot.manifest
    return Rates().fetch_seconds(stored_bytes=manifest.stored_size_bytes, plain_bytes=manifest.database.size_bytes)


def _growth(drilled: Snapshot, newest: Snapshot) -> float:
    """Return how much larger the newest database is than the drilled one, in bytes or in records; at least 1."""
    then, today = drilled.manifest.database, newest.manifest.database
    ratios = [
        now / before
        for now, before in ((today.size_bytes, then.size_bytes), (today.all_records, then.all_records))
        if before > 0
    ]
    return max([1.0, *ratios])


def _failed_after(catalogue: Catalogue, at: datetime) -> bool:
    proofs = (s.newest_proofs.get(ProofLevel.RESTORABLE) for s in catalogue.snapshots)
    return any(proof is not None and not proof.passed and proof.at > at for proof in proofs)
