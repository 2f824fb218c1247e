"""docs/health.md says what the rules say: every code, every severity, every threshold, every runbook."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from etcd_dr.domain.health import Severity
from etcd_dr.domain.health_rules import CODES
from etcd_dr.domain.health_thresholds import Thresholds

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "health.md").read_text()
ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| ([a-z, ]+) \|", re.MULTILINE)


def test_every_code_has_exactly_one_row_and_every_row_a_rule() -> None:
    """A code that is not documented does not exist for whoever gets the alert."""
    documented = [code for code, _ in ROW.findall(PAGE)]

    assert sorted(documented) == sorted(CODES)


def test_severities_in_the_page_are_ours() -> None:
    """No invented words."""
    words = {word for _, cell in ROW.findall(PAGE) for word in cell.split(", ")}

    assert words <= {s.value for s in Severity}


def test_every_threshold_is_documented_with_its_default() -> None:
    """A number in the page that is not the code's would be a lie."""
    section = PAGE.partition("\n## Thresholds\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([0-9., ]+) \|", section, re.MULTILINE)
    documented = {
        name.strip("`"): float(value)
        for names, values in rows
        for name, value in zip(names.split(", "), values.split(", "), strict=True)
    }

    assert documented == {field.name: float(getattr(Thresholds(), field.name)) for field in fields(Thresholds)}


def test_every_runbook_that_is_linked_is_there() -> None:
    """At 3 a.m. a dead link is worse than none."""
    linked = set(re.findall(r"\((runbooks/[a-z]+\.md)\)", PAGE))

    assert linked
    assert all((DOCS / path).is_file() for path in linked)
