"""An objective is told to be at risk before it is broken, and to be met again afterwards: in the report and in metrics."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.domain.health import Severity
from etcd_dr.domain.objectives import Objectives
from scenarios.operator_world import OperatorWorld

PLACE = {"cluster": "prod", "store": "main"}
RPO = timedelta(minutes=90)


class PromisingWorld(OperatorWorld):
    """An hourly schedule and an RPO of 90 minutes; one proven snapshot."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.objectives = Objectives(rpo=RPO, rpo_share=0.7, window=timedelta(hours=4))
        self.restart()
        self.keeper.look_at_schedule()

    def go_on(self, *, minutes: int) -> list[str]:
        """Let time pass in steps of ten minutes, looking each time; return the objectives' findings at the end."""
        for _ in range(minutes // 10):
            self.clock.advance(600)
            self.keeper.look_at_schedule()
            self.keeper.check_health()
        report = self.board.of("prod").report
        assert report is not None
        return [f.code for f in report.findings if f.code.startswith("objective.")]

    def stands(self, status: str) -> bool:
        return self.value("etcd_dr_objective_status", **PLACE, objective="rpo", status=status) == 1


@pytest.fixture
def world(tmp_path: Path) -> PromisingWorld:
    return PromisingWorld(tmp_path)


def test_objective_is_met_while_snapshots_come(world: PromisingWorld) -> None:
    """Five hours of an hourly schedule; what would be lost is told all the time."""
    found = world.go_on(minutes=290)

    assert found == []
    assert world.stands("met")
    assert world.value("etcd_dr_rpo_seconds", **PLACE) == 50 * 60
    assert world.value("etcd_dr_rpo_projected_seconds", **PLACE) == 3600
    assert world.value("etcd_dr_rpo_budget_left_ratio", **PLACE) == 1


def test_failing_runs_are_told_before_the_objective_is_broken_and_when_it_is(world: PromisingWorld) -> None:
    """The store hangs from the first hour on: at risk after 72 minutes, broken after 90, met again when it is back."""
    fine = world.go_on(minutes=50)
    world.store.faults.is_gone = True
    at_risk = world.go_on(minutes=30)
    was_at_risk = world.stands("at-risk")
    broken = world.go_on(minutes=20)
    report = world.board.of("prod").report
    was_broken = world.stands("broken")
    world.store.faults.is_gone = False
    again = world.go_on(minutes=20)

    assert (fine, at_risk) == ([], ["objective.rpo_at_risk"])
    assert was_at_risk
    assert broken == ["objective.rpo_broken"]
    assert was_broken
    assert report is not None
    assert report.by_code("objective.rpo_broken")[0].severity is Severity.CRITICAL
    assert again == []
    assert world.stands("met")


def test_breach_costs_the_budget_and_is_remembered_by_the_store(world: PromisingWorld) -> None:
    """Also by a process that was not there."""
    world.go_on(minutes=50)
    world.store.faults.is_gone = True
    world.go_on(minutes=120)
    world.store.faults.is_gone = False
    world.go_on(minutes=10)

    world.restart()
    found = world.go_on(minutes=10)

    assert found == ["objective.rpo_budget_spent"]
    assert world.value("etcd_dr_rpo_worst_seconds", **PLACE) == 180 * 60
    left = world.value("etcd_dr_rpo_budget_left_ratio", **PLACE)
    assert left is not None
    assert left < 0
