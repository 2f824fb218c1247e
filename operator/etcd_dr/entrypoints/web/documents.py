"""What the pages show as JSON (docs/status-page.md): the documents of the commands, put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.health_document import health_document
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.readiness.document import readiness_document
from etcd_dr.entrypoints.cli.snapshot.documents import proof_document, snapshot_document, time_document
from etcd_dr.entrypoints.operator.board import ClusterState
from etcd_dr.entrypoints.operator.readiness import readiness_of


def clusters_document(states: Sequence[ClusterState], *, now: datetime) -> dict[str, Any]:
    """Return all clusters in short, in the order of the configuration."""
    return {"version": 1, "at": time_document(now), "clusters": [_short(state, now) for state in states]}


def cluster_document(state: ClusterState, *, now: datetime) -> dict[str, Any]:
    """Return everything about one cluster; snapshots and drills newest first."""
    snapshots = state.catalogue.snapshots[::-1] if state.catalogue else ()
    drilled = [(s, p) for s in snapshots if (p := s.newest_proofs.get(ProofLevel.RESTORABLE)) is not None]
    drilled.sort(key=lambda pair: pair[1].at, reverse=True)
    return {
        "version": 1,
        "at": time_document(now),
        **_short(state, now),
        "readiness": readiness_document(readiness_of(state, now=now)),
        "health": health_document(state.report) if state.report else None,
        "schedule": _schedule(state),
        "store": _store(state),
        "recovery": _recovery(state),
        "snapshots": [snapshot_document(snapshot) for snapshot in snapshots],
        "drills": [{"snapshot_id": str(s.id), "proof": proof_document(p)} for s, p in drilled],
    }


def _short(state: ClusterState, now: datetime) -> dict[str, Any]:
    readiness, report = readiness_of(state, now=now), state.report
    return {
        "cluster": state.cluster,
        "recoverable": readiness.answer.value,
        "summary": readiness.summary,
        "as_of": time_document(readiness.as_of) if readiness.as_of else None,
        "quorum": report.quorum.verdict.value if report else None,
        "severity": report.severity.value if report else None,
    }


def _schedule(state: ClusterState) -> dict[str, Any]:
    return {
        "longest_gap_seconds": state.schedule_gap.total_seconds() if state.schedule_gap else None,
        "next_start_at": time_document(state.next_start_at) if state.next_start_at else None,
        "failures": state.failures,
        "last_failure": _failure(state.last_failure),
    }


def _store(state: ClusterState) -> dict[str, Any]:
    return {
        "name": state.store,
        "read_at": time_document(state.catalogue_read_at) if state.catalogue_read_at else None,
        "failure": _failure(state.store_failure),
        "put_if_absent": state.guarantees.put_if_absent if state.guarantees else None,
    }


def _recovery(state: ClusterState) -> dict[str, Any] | None:
    recovery = state.recovery.value
    if recovery is None:
        return None
    return {
        "recovery_id": recovery.recovery_id,
        "state": recovery.state.value,
        "changed_at": time_document(recovery.changed_at),
        "begun_at": time_document(recovery.begun_at) if recovery.begun_at else None,
        "by": recovery.by,
        "step": recovery.step,
        "detail": recovery.detail,
        "next_step": recovery.next_step,
    }


def _failure(failure: Failure | None) -> dict[str, str] | None:
    if failure is None:
        return None
    return {"code": failure.code, "message": failure.message, "next_step": failure.next_step}
