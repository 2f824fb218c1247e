"""Rehearsals, and what they measured."""

from __future__ import annotations

from collections.abc import Sequence

from .panels import Panel, Query, Row
from .queries import PLACE, UP_IS_GOOD, YES_NO, age, best, increase, worst

DRILLS: Sequence[Row | Panel] = (
    Row("The last drill"),
    Panel("Passed", "stat", (Query(worst("drill_last_result"), PLACE, instant=True),), words=YES_NO, steps=UP_IS_GOOD),
    Panel(
        "Last one that passed",
        "stat",
        (Query(age("drill_last_success_timestamp_seconds"), PLACE, instant=True),),
        "Nothing is shown where none ever passed.",
        unit="s",
    ),
    Panel("May be as old as", "stat", (Query(best("drill_max_age_seconds"), PLACE, instant=True),), unit="s"),
    Panel("Measured RTO", "stat", (Query(best("drill_rto_seconds"), PLACE, instant=True),), unit="s"),
    Row("Over time"),
    Panel(
        "RTO",
        "timeseries",
        (
            Query(best("drill_rto_seconds"), f"{PLACE} measured"),
            Query(best("rto_seconds"), f"{PLACE} with the database of today"),
            Query(best("drill_rto_objective_seconds"), f"{PLACE} objective of that drill"),
            Query(best("rto_objective_seconds"), f"{PLACE} objective"),
        ),
        width=12,
        height=8,
        unit="s",
    ),
    Panel(
        "Phases",
        "timeseries",
        (Query(best("drill_phase_seconds", "cluster, store, phase"), f"{PLACE} {{{{phase}}}}"),),
        "fetching, verifying, restoring and starting make the RTO; comparing does not.",
        width=12,
        height=8,
        unit="s",
        stacked=True,
    ),
    Panel(
        "Drills of the operator",
        "timeseries",
        (Query(increase("drill", "cluster, store, result"), f"{PLACE} {{{{result}}}}"),),
        "Those of people and Jobs are in the store, and so in everything above.",
        width=12,
        height=8,
        stacked=True,
    ),
    Panel(
        "Proofs of the newest snapshot",
        "table",
        (Query(f"time() - {best('proof_timestamp_seconds', 'cluster, store, level')}", instant=True, format="table"),),
        "How long ago the newest snapshot was last proven at each level.",
        width=12,
        height=8,
        unit="s",
        columns={"cluster": "cluster", "store": "store", "level": "level", "Value": "ago"},
    ),
)
