"""When each alert of the chart fires and when it stays silent, as tables that promtool is asked about.

`cases_of(alert)` returns an alert's cases; the modules hold one table for each group of rules. A case says what is
exposed and for how long; `tests/real/test_alert_rules.py` tries it with one process, with two replicas, and with a pod
that replaces another half way.
"""

from __future__ import annotations

from alerts.case import Case
from alerts.drills import DRILLS
from alerts.itself import ITSELF
from alerts.members import MEMBERS
from alerts.objectives import OBJECTIVES
from alerts.recovery import RECOVERY
from alerts.snapshots import SNAPSHOTS

CASES: tuple[Case, ...] = (*SNAPSHOTS, *MEMBERS, *DRILLS, *RECOVERY, *OBJECTIVES, *ITSELF)


def cases_of(alert: str) -> tuple[Case, ...]:
    """Return everything that is tried with one alert."""
    return tuple(case for case in CASES if case.alert == alert)
