"""The chart's Prometheus rules, judged by promtool: each alert fires when it should, once, and is silent otherwise."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import CASES, cases_of
from alerts.case import JUDGED_EVERY, group_of
from real.alert_rules import PROJECT, chart_rules

RULES_FILE = PROJECT / "charts" / "etcd-dr" / "files" / "alerts.yaml"
ALERTS = re.findall(r"- alert: (\w+)", RULES_FILE.read_text())


@pytest.fixture
def rules(stock_program: Callable[[str], Path]) -> dict[str, Any]:
    """The rules as a cluster gets them with the chart's own values."""
    return chart_rules(stock_program("helm"))


Promtool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def promtool(stock_program: Callable[[str], Path]) -> Promtool:
    program = stock_program("promtool")

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=120)

    return run


def test_prometheus_accepts_the_rules(rules: dict[str, Any], promtool: Promtool, tmp_path: Path) -> None:
    """Expressions, durations and templates are what Prometheus reads."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rules))

    done = promtool("check", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr


def judged(promtool: Promtool, directory: Path, rule: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Let promtool try all cases of a rule, with its summary and description as one text."""
    said = rule["annotations"]
    plain = {**rule, "annotations": {"text": f"{said['summary']} {said['description']}"}}
    (directory / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [plain]}]}))
    cases = cases_of(rule["alert"])
    for step in {case.step for case in cases}:
        groups = [
            group_of(case, variant, severity=rule["labels"]["severity"])
            for case in cases
            if case.step == step
            for variant in case.variants
        ]
        tests = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": f"{step if step == 1 else JUDGED_EVERY}m",
            "tests": groups,
        }
        (directory / f"tests-{step}.yaml").write_text(yaml.safe_dump(tests, width=1000))
    return promtool("test", "rules", *sorted(directory.glob("tests-*.yaml")))


def rule_of(rules: dict[str, Any], alert: str) -> dict[str, Any]:
    return next(rule for group in rules["groups"] for rule in group["rules"] if rule["alert"] == alert)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_once_and_stays_silent(
    rules: dict[str, Any], promtool: Promtool, tmp_path: Path, alert: str
) -> None:
    """With one process, with two replicas, and across the replacement of a pod; its text says the right numbers."""
    done = judged(promtool, tmp_path, rule_of(rules, alert))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("alert", "change", "complaint"),
    [
        ("EtcdDRSnapshotFailing", {"expr": "etcd_dr_snapshot_failures_in_a_row >= 2"}, "two replicas"),
        ("EtcdDRQuorumLost", {"expr": 'etcd_dr_quorum_verdict{verdict="lost-may-return"} == 1'}, "replaced pod"),
        ("EtcdDRSnapshotStale", {"for": "1h"}, "one process"),
        ("EtcdDRStoredObjectDamaged", {"expr": "vector(1)"}, "none is"),
    ],
)
def test_cases_notice_a_rule_that_is_wrong(
    rules: dict[str, Any], promtool: Promtool, tmp_path: Path, alert: str, change: dict[str, Any], complaint: str
) -> None:
    """A table that takes every rule would prove nothing."""
    done = judged(promtool, tmp_path, {**rule_of(rules, alert), **change})

    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_is_tried_both_ways(alert: str) -> None:
    """A rule that nobody saw firing may never fire, and one that nobody saw silent may always do."""
    kinds = {bool(case.fires) for case in cases_of(alert)}

    assert kinds == {True, False}


def test_every_case_is_of_an_alert_that_exists() -> None:
    """A renamed alert takes its cases along."""
    assert {case.alert for case in CASES} <= set(ALERTS)


def test_alerts_do_not_collide_with_those_of_etcd_itself() -> None:
    """etcd's own, such as etcdMembersDown, come with kube-prometheus-stack; one name would be silenced with the other."""
    assert [name for name in ALERTS if not name.startswith("EtcdDR")] == []
    assert len(set(ALERTS)) == len(ALERTS)


def test_alertmanager_takes_the_example_of_the_page(stock_program: Callable[[str], Path], tmp_path: Path) -> None:
    """What people paste is read by Alertmanager, and names alerts that exist."""
    [example] = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs" / "alerts.md").read_text(), flags=re.DOTALL)
    file = tmp_path / "alertmanager.yaml"
    file.write_text(example)

    done = subprocess.run(
        [stock_program("amtool"), "check-config", file], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"EtcdDR\w+", example)) <= set(ALERTS)


def test_every_expression_is_aggregated(rules: dict[str, Any]) -> None:
    """No label of a target is left on any alert, so two replicas never make two of them."""
    expressions = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}

    bare = {
        alert
        for alert, expression in expressions.items()
        for position in re.finditer(r"etcd_dr_\w+", expression)
        if not re.search(
            r"(by \([\w, ]+\) \((increase\()?|absent_over_time\(|on \(cluster, instance\) )$",
            expression[: position.start()],
        )
    }
    assert bare == set()
