"""Write the files."""

from . import DASHBOARDS, DIRECTORY, dashboard_text

DIRECTORY.mkdir(exist_ok=True)
for uid in DASHBOARDS:
    (DIRECTORY / f"{uid}.json").write_text(dashboard_text(uid), encoding="utf-8")
