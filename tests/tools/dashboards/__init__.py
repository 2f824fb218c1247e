"""`python -m tools.dashboards`: write the chart's Grafana dashboards, charts/etcd-dr/files/dashboards/*.json.

- `panels` says what a panel is, `queries` what expressions share; each dashboard has a module of its own.
- Data source and cluster are variables; nothing else has to be set after an import.
- Tests read every expression with promtool, look up every metric in docs/metrics.md, and fail when the files and this
  differ.
"""

from .files import DASHBOARDS, DIRECTORY, dashboard_text

__all__ = ["DASHBOARDS", "DIRECTORY", "dashboard_text"]
