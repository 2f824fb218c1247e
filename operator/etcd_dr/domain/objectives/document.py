"""Objectives as a plain document: the stable shape of `objectives -o json`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from etcd_dr.domain.objectives import ObjectivesReport
from etcd_dr.domain.objectives.rpo import RpoStanding
from etcd_dr.domain.objectives.rpo_history import RpoHistory
from etcd_dr.domain.objectives.rto import RtoStanding
from etcd_dr.domain.objectives.status import seconds_of


def objectives_document(report: ObjectivesReport) -> dict[str, Any]:
    """Return the report, ready for JSON or YAML: times ISO 8601 in UTC, durations in seconds, shares from 0 to 1."""
    return {
        "version": 1,
        "cluster": report.cluster,
        "judged_at": _time(report.at),
        "status": report.status.value,
        "exit_status": report.status.exit_status,
        "rpo": _rpo(report.rpo),
        "rto": _rto(report.rto),
        "history": _history(report.history) if report.history is not None else None,
    }


def _rpo(rpo: RpoStanding) -> dict[str, Any]:
    return {
        "status": rpo.status.value,
        "reason": rpo.reason,
        "next_step": rpo.next_step,
        "objective_seconds": seconds_of(rpo.objective),
        "snapshot_id": rpo.snapshot_id,
        "taken_at": _time(rpo.taken_at),
        "age_seconds": seconds_of(rpo.age),
        "projected_seconds": seconds_of(rpo.projected),
        "breaks_at": _time(rpo.breaks_at),
        "schedule_seconds": seconds_of(rpo.schedule_takes),
        "schedule_is_too_slow": rpo.schedule_is_too_slow,
    }


def _rto(rto: RtoStanding) -> dict[str, Any]:
    return {
        "status": rto.status.value,
        "reason": rto.reason,
        "next_step": rto.next_step,
        "objective_seconds": seconds_of(rto.objective),
        "expected_seconds": seconds_of(rto.expected),
        "measured_seconds": seconds_of(rto.measured),
        "basis": rto.basis.value if rto.basis is not None else None,
        "growth": rto.growth,
        "drilled_at": _time(rto.drilled_at),
        "snapshot_id": rto.snapshot_id,
    }


def _history(history: RpoHistory) -> dict[str, Any]:
    return {
        "since": _time(history.since),
        "until": _time(history.until),
        "kept_share": _share(history.share),
        "kept_share_wanted": history.share_wanted,
        "known_share": _share(history.known_share),
        "budget_left": _share(history.budget_left),
        "kept_seconds": seconds_of(history.kept),
        "missed_seconds": seconds_of(history.missed),
        "allowed_seconds": seconds_of(history.allowed),
        "unknown_seconds": seconds_of(history.unknown),
        "worst_seconds": seconds_of(history.worst),
        "breaches": history.breaches,
    }


def _share(value: float | None) -> float | None:
    return round(value, 6) if value is not None else None


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
