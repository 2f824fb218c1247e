"""Objectives in the health report: told before they are broken, and when they are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.objectives import Objectives
from etcd_dr.domain.objectives.rpo import Outlook
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from fakes.clock import MORNING
from fakes.objectives import standing
from fakes.observations import healthy

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def report(
    *ages: timedelta,
    objectives: Objectives,
    outlook: Outlook | None = None,
    drill_seconds: float | None = None,
) -> HealthReport:
    stood = standing(*ages, objectives=objectives, outlook=outlook, drill_seconds=drill_seconds)
    return evaluate(healthy(), cluster="prod", snapshots=SnapshotFacts(store="main", objectives=stood))


def the(report: HealthReport, code: str) -> Finding:
    [finding] = report.by_code(code)
    return finding


def test_broken_rpo_is_critical_and_says_what_would_be_lost() -> None:
    """In words and as evidence."""
    finding = the(report(3 * HOUR, objectives=Objectives(rpo=2 * HOUR)), "objective.rpo_broken")

    assert finding.severity is Severity.CRITICAL
    assert "3 h" in finding.summary
    assert finding.evidence["age_seconds"] == 3 * 3600
    assert "etcd-dr snapshot save" in finding.next_step


def test_breach_to_come_is_a_warning_and_none_in_time_is_silence() -> None:
    """The next run begins after the objective, or before it."""
    late, early = Outlook(next_start_at=MORNING + 2 * HOUR), Outlook(next_start_at=MORNING + HOUR / 2)

    foretold = report(HOUR, objectives=Objectives(rpo=2 * HOUR), outlook=late)
    fine = report(HOUR, objectives=Objectives(rpo=2 * HOUR), outlook=early)

    assert the(foretold, "objective.rpo_at_risk").severity is Severity.WARNING
    assert not fine.by_code("objective.rpo_at_risk")
    assert not fine.by_code("objective.rpo_broken")


def test_schedule_that_is_too_slow_is_told_while_all_goes_well() -> None:
    """Six hours between two runs, one hour allowed."""
    slow = report(MINUTE, objectives=Objectives(rpo=HOUR), outlook=Outlook(MORNING, 6 * HOUR))
    fine = report(MINUTE, objectives=Objectives(rpo=6 * HOUR), outlook=Outlook(MORNING, 6 * HOUR))

    assert the(slow, "objective.schedule_too_slow").evidence["schedule_seconds"] == 6 * 3600
    assert not fine.by_code("objective.schedule_too_slow")


def test_spent_budget_is_a_warning() -> None:
    """Ten hours of a hundred were missed; one was allowed, then twenty."""
    ages = [hours * HOUR for hours in (*range(0, 50, 2), *range(60, 102, 2))]

    spent = report(*ages, objectives=Objectives(rpo=2 * HOUR, rpo_share=0.99))
    left = report(*ages, objectives=Objectives(rpo=2 * HOUR, rpo_share=0.8))

    assert the(spent, "objective.rpo_budget_spent").evidence["missed_seconds"] == 10 * 3600
    assert not left.by_code("objective.rpo_budget_spent")


@pytest.mark.parametrize(
    ("rto", "code"), [(99, "objective.rto_broken"), (110, "objective.rto_at_risk"), (200, "nothing")]
)
def test_rto_is_judged_by_the_drill(rto: int, code: str) -> None:
    """It measured 100 s."""
    found = report(HOUR, objectives=Objectives(rto=timedelta(seconds=rto)), drill_seconds=100.0)

    assert [f.code for f in found.findings if f.code.startswith("objective.")] == [code] * (code != "nothing")


def test_rto_that_nobody_measured_is_said_and_no_reason_to_act_at_night() -> None:
    """With the command that measures it."""
    finding = the(report(HOUR, objectives=Objectives(rto=HOUR)), "objective.rto_unmeasured")

    assert finding.severity is Severity.INFO
    assert "etcd-dr drill run" in finding.next_step


def test_without_objectives_nothing_is_judged() -> None:
    """Whatever the age."""
    found = report(900 * HOUR, objectives=Objectives())

    assert not [f for f in found.findings if f.code.startswith("objective.")]


def test_unreachable_store_does_not_silence_the_objective() -> None:
    """The last good reading grows old, and nothing new can come."""
    stood = standing(3 * HOUR, objectives=Objectives(rpo=HOUR))
    facts = SnapshotFacts(store="main", failure=Failure("store.unreachable", "gone"), objectives=stood)

    found = evaluate(healthy(), cluster="prod", snapshots=facts)

    assert found.by_code("objective.rpo_broken")
