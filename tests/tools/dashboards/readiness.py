"""Could it be recovered right now, what would it cost, and is that within the objectives?"""

from __future__ import annotations

from collections.abc import Sequence

from .panels import GREEN, ORANGE, RED, Panel, Query, Row
from .queries import NONE_IS_GOOD, PLACE, UP_IS_GOOD, VERDICT, VERDICTS, age, best, worst

_ANSWERS = {"3": ("yes", GREEN), "2": ("yes, but", ORANGE), "1": ("unknown", ORANGE), "0": ("no", RED)}
_ANSWER = " or ".join(
    f"({best('recoverable', answer=answer)} == 1) * 0 + {number}"
    for number, answer in enumerate(("no", "unknown", "yes-but", "yes"))
)
READINESS: Sequence[Row | Panel] = (
    Row("Now"),
    Panel(
        "Could it be recovered right now?",
        "stat",
        (Query(_ANSWER, PLACE, instant=True),),
        "The verdict of etcd-dr readiness (docs/status-page.md).",
        words=_ANSWERS,
        steps=((None, RED), (1, ORANGE), (3, GREEN)),
    ),
    Panel(
        "Would lose",
        "stat",
        (Query(worst("rpo_seconds"), PLACE, instant=True),),
        "The age of the newest proven snapshot.",
        unit="s",
    ),
    Panel(
        "Would take",
        "stat",
        (Query(best("recovery_estimate_seconds"), PLACE, instant=True),),
        "From the last drill and the size of the database; the time that people need is not in it.",
        unit="s",
    ),
    Panel("Quorum", "stat", (Query(VERDICT, "{{cluster}}", instant=True),), words=VERDICTS, steps=UP_IS_GOOD),
    Panel(
        "Proven snapshots",
        "stat",
        (Query(best("restorable_points"), PLACE, instant=True),),
        steps=((None, RED), (1, ORANGE), (2, GREEN)),
    ),
    Panel(
        "Damaged objects",
        "stat",
        (Query(best("catalog_corrupt_objects"), PLACE, instant=True),),
        steps=NONE_IS_GOOD,
    ),
    Panel(
        "Last good drill",
        "stat",
        (Query(age("drill_last_success_timestamp_seconds"), PLACE, instant=True),),
        "Nothing is shown where none ever passed.",
        unit="s",
    ),
    Panel("Keys vanished", "stat", (Query(best("mass_deletion"), PLACE, instant=True),), steps=NONE_IS_GOOD),
    Panel(
        "What speaks against a recovery",
        "table",
        (Query(best("recoverable_reason", "cluster, store, code, weight"), instant=True, format="table"),),
        "Codes are in docs/status-page.md.",
        width=24,
        columns={"cluster": "cluster", "store": "store", "weight": "weight", "code": "code"},
    ),
    Row("Against the objectives"),
    Panel(
        "What would be lost",
        "timeseries",
        (
            Query(worst("rpo_seconds"), f"{PLACE} now"),
            Query(worst("rpo_projected_seconds"), f"{PLACE} before the next one"),
            Query(best("rpo_objective_seconds"), f"{PLACE} objective"),
        ),
        width=12,
        height=8,
        unit="s",
    ),
    Panel(
        "How long a restore would take",
        "timeseries",
        (
            Query(best("rto_seconds"), f"{PLACE} expected"),
            Query(best("rto_objective_seconds"), f"{PLACE} objective"),
        ),
        width=12,
        height=8,
        unit="s",
    ),
    Panel(
        "RPO kept",
        "stat",
        (Query(worst("rpo_kept_ratio"), PLACE, instant=True),),
        "Share of the window in which no more would have been lost than the objective allows.",
        unit="percentunit",
        width=8,
    ),
    Panel(
        "Budget of misses left",
        "stat",
        (Query(worst("rpo_budget_left_ratio"), PLACE, instant=True),),
        unit="percentunit",
        steps=((None, RED), (0, ORANGE), (0.25, GREEN)),
        width=8,
    ),
    Panel(
        "Longest loss in the window",
        "stat",
        (Query(best("rpo_worst_seconds"), PLACE, instant=True),),
        unit="s",
        width=8,
    ),
    Row("Restore points"),
    Panel(
        "Snapshots by their highest proof",
        "timeseries",
        (Query(best("snapshots", "cluster, store, level"), f"{PLACE} {{{{level}}}}"),),
        width=12,
        height=8,
        stacked=True,
    ),
    Panel(
        "Live keys",
        "timeseries",
        (
            Query(best("live_keys"), f"{PLACE} in the newest snapshot"),
            Query(best("keys"), f"{PLACE} counted"),
        ),
        "A fall is told by the tripwire (docs/objectives.md).",
        width=12,
        height=8,
    ),
)
