"""Panels of Grafana dashboards as values: what is shown and how, without the JSON around it.

Grafana's JSON is written out whole, so that a diff of the generated files says what a reader of the dashboard will see.
Colours say the same thing everywhere: green is well, orange wants somebody to look, red to act, blue is a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"
Steps = Sequence[tuple[float | None, str]]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression with its legend. `instant`: the newest value alone."""

    expr: str
    legend: str = "__auto"
    instant: bool = False
    format: str = "time_series"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `width` of 24, `height` in Grafana's rows. `columns` renames a table's labels, and hides the others."""

    title: str
    kind: str
    queries: tuple[Query, ...]
    description: str = ""
    width: int = 6
    height: int = 5
    unit: str = "none"
    steps: Steps = ((None, BLUE),)
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A heading over the panels that follow."""

    title: str


def panel_json(panel: Panel, *, number: int, x: int, y: int) -> dict[str, Any]:
    """Return one panel as Grafana reads it."""
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "targets": [_target(query, letter) for query, letter in zip(panel.queries, "ABCDEFGH", strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        "transformations": _transformations(panel),
    }


def row_json(row: Row, *, number: int, y: int) -> dict[str, Any]:
    """Return a heading as Grafana reads it."""
    return {
        "id": number,
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "gridPos": {"h": 1, "w": 24, "x": 0, "y": y},
        "panels": [],
    }


def _target(query: Query, letter: str) -> dict[str, Any]:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": query.instant,
        "range": not query.instant,
        "format": query.format,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in panel.steps]},
        "mappings": [_mapping(panel.words)] if panel.words else [],
    }
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        defaults["custom"] = {"fillOpacity": 20 if panel.stacked else 5, "lineWidth": 1, "stacking": stacking}
    return defaults


def _mapping(words: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    options = {
        value: {"text": text, "color": color, "index": index}
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return {"type": "value", "options": options}


def _transformations(panel: Panel) -> list[dict[str, Any]]:
    if not panel.columns:
        return []
    names = {name: title for name, title in panel.columns.items() if title}
    order = {name: index for index, name in enumerate(panel.columns)}
    keep = {"include": {"names": list(panel.columns)}}
    return [
        {"id": "filterFieldsByName", "options": keep},
        {"id": "organize", "options": {"renameByName": names, "indexByName": order}},
    ]


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"reduceOptions": _LAST, "colorMode": "background", "graphMode": "none", "textMode": "value_and_name"},
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "state-timeline": {"legend": {"displayMode": "list", "placement": "bottom"}, "mergeValues": True},
    "table": {"showHeader": True},
    "bargauge": {"reduceOptions": _LAST, "displayMode": "basic", "orientation": "horizontal"},
}
