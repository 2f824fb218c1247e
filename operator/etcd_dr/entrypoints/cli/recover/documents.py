"""Recoveries as programs read them (docs/json-output.md)."""

from __future__ import annotations

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.candidate import Candidate
from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.status import RecoveryStatus
from etcd_dr.workflows.recovery.run_plan import RecoveryOutcome


def assessment_document(assessment: Assessment, candidates: tuple[Candidate, ...]) -> dict[str, object]:
    """Return what `recover assess` answers."""
    return {
        "cluster": assessment.cluster,
        "assessed_at": assessment.assessed_at.isoformat(),
        "platform": assessment.platform,
        "cluster_id": id_text(assessment.cluster_id) if assessment.cluster_id is not None else None,
        "standing": assessment.standing.value,
        "reason": assessment.reason,
        "would_tell": list(assessment.would_tell),
        "etcd_version": assessment.etcd_version,
        "highest_revision_seen": assessment.highest_revision_seen,
        "last_alive_at": assessment.last_alive_at.isoformat() if assessment.last_alive_at else None,
        "notes": list(assessment.notes),
        "members": [_member(member) for member in assessment.members],
        "candidates": [candidate.model_dump(mode="json") for candidate in candidates],
    }


def outcome_document(outcome: RecoveryOutcome) -> dict[str, object]:
    """Return what `recover run`, `resume` and `abort` answer."""
    return {
        "recovery_id": outcome.plan.recovery_id,
        "cluster": outcome.plan.cluster,
        "way": outcome.plan.way.value,
        "state": outcome.state.value,
        "plan_digest": str(outcome.plan.digest),
        "warnings": list(outcome.warnings),
        "journal_lag": outcome.lag,
        "report": outcome.report.model_dump(mode="json"),
    }


def status_document(status: RecoveryStatus) -> dict[str, object]:
    """Return one recovery as `recover status` answers it."""
    lock = status.lock
    return {
        "recovery_id": status.recovery_id,
        "cluster": status.cluster,
        "way": status.way,
        "state": status.state.value,
        "plan_digest": status.plan_digest,
        "made_by": status.made_by,
        "begun_at": status.begun_at.isoformat() if status.begun_at else None,
        "journal_lag": status.lag,
        "lock": {"recovery_id": lock.recovery_id, "by": lock.by, "place": lock.place, "since": lock.since.isoformat()}
        if lock
        else None,
        "last_entry": _entry(status.last_entry),
        "last_failure": _entry(status.last_failure),
        "commands": list(status.commands),
        "steps": [
            {
                "id": step.id,
                "title": step.title,
                "node": step.node,
                "standing": step.standing,
                "seconds": step.seconds,
                "detail": step.detail,
            }
            for step in status.steps
        ],
    }


def _member(member: MemberAssessment) -> dict[str, object]:
    return {
        "name": member.name,
        "node": member.node,
        "id": id_text(member.id) if member.id is not None else None,
        "is_voter": member.is_voter,
        "verdict": member.verdict.value,
        "evidence": list(member.evidence),
        "statement": member.statement.value if member.statement else None,
        "contradiction": member.contradiction,
        "cause": member.cause,
        "revision": member.revision,
        "raft_term": member.raft_term,
        "applied_index": member.applied_index,
        "database_bytes": member.database_bytes,
        "peer_urls": list(member.peer_urls),
        "client_urls": list(member.client_urls),
    }


def _entry(entry: JournalEntry | None) -> dict[str, object] | None:
    return (
        None
        if entry is None
        else entry.model_dump(mode="json", include={"number", "at", "kind", "step", "detail", "by"})
    )
