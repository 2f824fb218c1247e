"""The Grafana dashboards of the chart: they are what they are made from, import as they are, and ask for what exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.dashboards import DASHBOARDS, DIRECTORY, dashboard_text

PROJECT = Path(__file__).resolve().parents[2]
METRICS = PROJECT / "docs" / "metrics.md"
_OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


def dashboards() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in DIRECTORY.glob("*.json")}


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression with its place, its variables as Grafana fills them in."""
    for uid, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                filled = target["expr"].replace("$__rate_interval", "2m").replace("$cluster", ".*")
                yield f"{uid}: {panel['title']}", filled


def test_files_are_what_they_are_made_from() -> None:
    """Change tests/tools/dashboards and run `python -m tools.dashboards`."""
    assert {path.stem: path.read_text() for path in DIRECTORY.glob("*.json")} == {
        uid: dashboard_text(uid) for uid in DASHBOARDS
    }


@pytest.mark.parametrize("uid", sorted(DASHBOARDS))
def test_dashboard_imports_as_it_is(uid: str) -> None:
    """A uid of its own, variables for data source and cluster, ids that are unique, panels that do not overlap."""
    dashboard = dashboards()[uid]
    panels = dashboard["panels"]

    assert dashboard["uid"] == uid
    assert dashboard["title"].startswith("etcd-dr / ")
    assert "id" not in dashboard
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "cluster"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
    assert [(a["title"], b["title"]) for a, b in combinations(panels, 2) if _overlap(a["gridPos"], b["gridPos"])] == []
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_every_panel_asks_the_data_source_that_was_chosen() -> None:
    """A fixed data source would be one that nobody else has."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    for dashboard in dashboards().values():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                assert panel["datasource"] == chosen
                assert [target["datasource"] for target in panel["targets"]] == [chosen] * len(panel["targets"])


def test_uids_are_unique_and_titles_too() -> None:
    """Grafana would overwrite one with the other."""
    found = list(dashboards().values())

    assert len({dashboard["uid"] for dashboard in found}) == len({dashboard["title"] for dashboard in found}) == 4


def test_prometheus_reads_every_expression(stock_program: Callable[[str], Path], tmp_path: Path) -> None:
    """As recording rules, because promtool parses those."""
    rules = [{"record": f"dashboard:{number}", "expr": expr} for number, (_, expr) in enumerate(expressions())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))

    done = subprocess.run(
        [stock_program("promtool"), "check", "rules", file], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rules) > 60


def test_every_metric_exists() -> None:
    """docs/metrics.md holds what a scrape exposes (tests/scenarios/test_operator_metrics.py)."""
    documented = set(re.findall(r"^\| `(etcd_dr_\w+)", METRICS.read_text(), flags=re.MULTILINE))
    known = documented | {name + suffix for name in documented for suffix in _OF_HISTOGRAMS}

    unknown = {
        (place, name) for place, expr in expressions() for name in re.findall(r"etcd_dr_\w+", expr) if name not in known
    }

    assert unknown == set()


def test_every_expression_is_one_line_for_two_replicas() -> None:
    """Aggregated, and of the chosen clusters only; who leads is the one thing that is told apart by process."""
    for place, expr in expressions():
        assert re.search(r"\b(max|min|sum) by \(", expr), place
        selectors = re.findall(r"etcd_dr_\w+(\{[^}]*\})?", expr)
        if not re.search("etcd_dr_notifications_total|etcd_dr_leadership_mode", expr):
            assert all('cluster=~".*"' in selector for selector in selectors), place


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )
