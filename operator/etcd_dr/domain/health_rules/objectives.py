"""Rules on the objectives of recovery: told before they are broken, and when they are (domain/objectives)."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.health import EvidenceValue, Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation
from etcd_dr.domain.objectives.rpo import RpoStanding
from etcd_dr.domain.objectives.rto import RtoStanding
from etcd_dr.domain.objectives.status import ObjectiveStatus, exceeding_text, seconds_of, time_text


def rpo_broken(s: Situation) -> Iterator[Finding]:
    rpo = _rpo(s)
    if rpo is not None and rpo.status is ObjectiveStatus.BROKEN:
        yield Finding("objective.rpo_broken", Severity.CRITICAL, rpo.reason, rpo.next_step, evidence=_rpo_evidence(rpo))


def rpo_at_risk(s: Situation) -> Iterator[Finding]:
    rpo = _rpo(s)
    if rpo is not None and rpo.status is ObjectiveStatus.AT_RISK:
        yield Finding("objective.rpo_at_risk", Severity.WARNING, rpo.reason, rpo.next_step, evidence=_rpo_evidence(rpo))


def schedule_too_slow(s: Situation) -> Iterator[Finding]:
    rpo = _rpo(s)
    if rpo is None or not rpo.schedule_is_too_slow or rpo.schedule_takes is None or rpo.objective is None:
        return
    yield Finding(
        "objective.schedule_too_slow",
        Severity.WARNING,
        f"the schedule lets {exceeding_text(rpo.schedule_takes, rpo.objective)} be lost even when every run succeeds; "
        f"the objective is {time_text(rpo.objective)}",
        "Make schedule.cron closer, or objectives.rpo longer; see the figures: etcd-dr objectives",
        evidence={
            "schedule_seconds": rpo.schedule_takes.total_seconds(),
            "objective_seconds": rpo.objective.total_seconds(),
        },
    )


def budget_spent(s: Situation) -> Iterator[Finding]:
    report = s.snapshots.objectives if s.snapshots is not None else None
    history = report.history if report is not None else None
    if history is None or history.budget_left is None or history.budget_left > 0 or not history.missed:
        return
    yield Finding(
        "objective.rpo_budget_spent",
        Severity.WARNING,
        f"the RPO was missed for {time_text(history.missed)} since {history.since:%Y-%m-%d}; "
        f"{time_text(history.allowed)} were allowed",
        "See when, and what the worst gap was: etcd-dr objectives; then why: etcd-dr snapshot list",
        evidence={
            "missed_seconds": round(history.missed.total_seconds()),
            "allowed_seconds": round(history.allowed.total_seconds()),
            "breaches": history.breaches,
            "worst_seconds": round(history.worst.total_seconds()),
        },
    )


def rto_broken(s: Situation) -> Iterator[Finding]:
    rto = _rto(s)
    if rto is not None and rto.status is ObjectiveStatus.BROKEN:
        yield Finding("objective.rto_broken", Severity.WARNING, rto.reason, rto.next_step, evidence=_rto_evidence(rto))


def rto_at_risk(s: Situation) -> Iterator[Finding]:
    rto = _rto(s)
    if rto is not None and rto.status is ObjectiveStatus.AT_RISK:
        yield Finding("objective.rto_at_risk", Severity.WARNING, rto.reason, rto.next_step, evidence=_rto_evidence(rto))


def rto_unmeasured(s: Situation) -> Iterator[Finding]:
    rto = _rto(s)
    if rto is not None and rto.status is ObjectiveStatus.UNKNOWN:
        yield Finding("objective.rto_unmeasured", Severity.INFO, rto.reason, rto.next_step, evidence=_rto_evidence(rto))


def _rpo(s: Situation) -> RpoStanding | None:
    return s.snapshots.objectives.rpo if s.snapshots is not None and s.snapshots.objectives is not None else None


def _rto(s: Situation) -> RtoStanding | None:
    return s.snapshots.objectives.rto if s.snapshots is not None and s.snapshots.objectives is not None else None


def _rpo_evidence(rpo: RpoStanding) -> dict[str, EvidenceValue]:
    return {
        "snapshot_id": rpo.snapshot_id,
        "age_seconds": seconds_of(rpo.age),
        "projected_seconds": seconds_of(rpo.projected),
        "objective_seconds": seconds_of(rpo.objective),
    }


def _rto_evidence(rto: RtoStanding) -> dict[str, EvidenceValue]:
    return {
        "snapshot_id": rto.snapshot_id,
        "expected_seconds": seconds_of(rto.expected),
        "measured_seconds": seconds_of(rto.measured),
        "objective_seconds": seconds_of(rto.objective),
        "basis": rto.basis.value if rto.basis is not None else None,
    }


RULES = (
    Rule.of(rpo_broken, "objective.rpo_broken"),
    Rule.of(rpo_at_risk, "objective.rpo_at_risk"),
    Rule.of(schedule_too_slow, "objective.schedule_too_slow"),
    Rule.of(budget_spent, "objective.rpo_budget_spent"),
    Rule.of(rto_broken, "objective.rto_broken"),
    Rule.of(rto_at_risk, "objective.rto_at_risk"),
    Rule.of(rto_unmeasured, "objective.rto_unmeasured"),
)
