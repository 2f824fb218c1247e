"""The chart's schema follows the configuration model."""

from __future__ import annotations

from tools.chart_schema import SCHEMA, schema_text


def test_schema_in_the_chart_is_that_of_the_model() -> None:
    """Run `PYTHONPATH=tests .venv/bin/python -m tools.chart_schema` after the configuration has changed."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()
