"""The files: what is around the panels, and where each of them stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .drills import DRILLS
from .members import MEMBERS
from .panels import Panel, Row, panel_json, row_json
from .readiness import READINESS
from .snapshots import SNAPSHOTS

DIRECTORY = Path(__file__).resolve().parents[3] / "charts" / "etcd-dr" / "files" / "dashboards"

DASHBOARDS = {
    "etcd-dr-readiness": ("etcd-dr / Readiness", READINESS),
    "etcd-dr-snapshots": ("etcd-dr / Snapshots", SNAPSHOTS),
    "etcd-dr-members": ("etcd-dr / Members", MEMBERS),
    "etcd-dr-drills": ("etcd-dr / Drills", DRILLS),
}


def dashboard_text(uid: str) -> str:
    """Return the file of one dashboard."""
    title, content = DASHBOARDS[uid]
    dashboard = {
        "uid": uid,
        "title": title,
        "tags": ["etcd-dr", "etcd"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["etcd-dr"], "title": "etcd-dr", "asDropdown": True}],
        "templating": {"list": [_datasource(), _cluster()]},
        "panels": list(_laid_out(content)),
    }
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _cluster() -> dict[str, Any]:
    query = "label_values(etcd_dr_schedule_enabled, cluster)"
    return {
        "name": "cluster",
        "label": "Cluster",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": query, "refId": "cluster"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
    }


def _laid_out(content: Sequence[Row | Panel]) -> Iterator[dict[str, Any]]:
    """Put panels side by side until a line of 24 is full."""
    x = y = line_height = 0
    for number, entry in enumerate(content, start=1):
        if isinstance(entry, Row) or x + entry.width > 24:
            x, y, line_height = 0, y + line_height, 0
        if isinstance(entry, Row):
            yield row_json(entry, number=number, y=y)
            y += 1
            continue
        yield panel_json(entry, number=number, x=x, y=y)
        x, line_height = x + entry.width, max(line_height, entry.height)
