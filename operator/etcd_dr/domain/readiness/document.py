"""The verdict as a plain document: the stable shape of `readiness -o json` and of the status page's JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from etcd_dr.domain.readiness.verdict import Estimate, Readiness


def readiness_document(readiness: Readiness) -> dict[str, Any]:
    """Return the whole verdict, ready for JSON or YAML: times ISO 8601 in UTC, durations in seconds."""
    rpo, source = readiness.rpo, readiness.source
    return {
        "version": 1,
        "cluster": readiness.cluster,
        "recoverable": readiness.answer.value,
        "summary": readiness.summary,
        "exit_status": readiness.answer.exit_status,
        "judged_at": _time(readiness.judged_at),
        "as_of": _time(readiness.as_of),
        "snapshot_id": str(source.id) if source else None,
        "snapshot_taken_at": _time(source.taken_at) if source else None,
        "snapshot_level": source.level.value if source and source.level else None,
        "loss_seconds": _seconds(rpo.age) if rpo else None,
        "loss_at_worst_seconds": _seconds(rpo.projected) if rpo else None,
        "estimate": _estimate(readiness.estimate) if readiness.estimate else None,
        "reasons": [
            {"code": r.code, "weight": r.weight.value, "summary": r.summary, "next_step": r.next_step}
            for r in readiness.reasons
        ],
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "seconds": round(estimate.seconds, 3),
        "restore_seconds": round(estimate.restore_seconds, 3),
        "nodes_seconds": round(estimate.nodes_seconds, 3),
        "basis": estimate.basis.value,
        "drilled_at": _time(estimate.drilled_at),
        "drilled_snapshot_id": estimate.drilled_id,
    }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
