"""One case of an alert, and how it is written down for `promtool test rules`.

- Time begins at 0: minute 30 is Unix time 1800.
- `series` maps a series, as PromQL writes it, to its values: a number holds all the time; `steps` tells changes.
- A series that names its `pod` is exposed by that process alone; every other one by each process of the variant.
- A counter (`…_total`) counts in one process; where there are two, the other one stands at 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

JUDGED_EVERY = 20
"""Minutes between two judgements of a case that lasts for days; `minute` is a multiple of it."""

Variant = Literal["one process", "two replicas", "replaced pod"]
VARIANTS: tuple[Variant, ...] = ("one process", "two replicas", "replaced pod")

Value = float | None
"""None: nothing is exposed."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Values from given minutes on."""

    since: tuple[tuple[int, Value], ...]

    def at(self, minute: int) -> Value:
        return next((value for begun, value in reversed(self.since) if begun <= minute), None)


@dataclass(frozen=True, slots=True)
class Growing:
    """A counter that grows by so much each minute."""

    by: float

    def at(self, minute: int) -> Value:
        return self.by * minute


def steps(*since: tuple[int, Value]) -> Steps:
    """Return values that change: `steps((0, 1), (30, None))` is 1 for half an hour and then gone."""
    return Steps(since)


Values = float | Steps | Growing


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that is expected: its labels without the severity, and its summary and description in one line."""

    text: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """What is expected of `alert` at `minute`; nothing in `fires`: it stays silent. `step` is minutes per sample."""

    alert: str
    why: str
    minute: int
    series: Mapping[str, Values]
    fires: tuple[Fired, ...] = ()
    step: int = 1

    @property
    def variants(self) -> tuple[Variant, ...]:
        """A counter that begins anew in another pod is another case, so it is not tried as the same one."""
        counts = any("_total" in name for name in self.series)
        return VARIANTS[:2] if counts else VARIANTS


def group_of(case: Case, variant: Variant, *, severity: str) -> dict[str, Any]:
    """Return one test group of promtool's file."""
    return {
        "name": f"{case.alert}: {case.why} ({variant})",
        "interval": f"{case.step}m",
        "input_series": [
            {"series": series, "values": _notation(case, values, until=until, since=since)}
            for name, values in case.series.items()
            for series, values, since, until in _exposed(case, name, values, variant)
        ],
        "alert_rule_test": [
            {
                "eval_time": f"{case.minute}m",
                "alertname": case.alert,
                "exp_alerts": [
                    {"exp_labels": {"severity": severity, **fired.labels}, "exp_annotations": {"text": fired.text}}
                    for fired in case.fires
                ],
            }
        ],
    }


def _exposed(case: Case, name: str, values: Values, variant: Variant) -> Iterator[tuple[str, Values, int, int]]:
    """Yield what each process exposes of one series: its full name, values, first and last minute."""
    end, middle = case.minute, case.minute // 2
    if "pod=" in name:
        yield name, values, 0, end
        return
    yield _labelled(name, "a"), values, 0, middle if variant == "replaced pod" else end
    if variant == "two replicas":
        yield _labelled(name, "b"), 0 if "_total" in name else values, 0, end
    if variant == "replaced pod":
        yield _labelled(name, "b"), values, middle, end


def _labelled(name: str, pod: str) -> str:
    metric, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})?", name, flags=re.DOTALL).groups()  # type: ignore[union-attr]  # a case is well-formed
    own = f'pod="etcd-dr-{pod}",instance="10.0.0.{ord(pod)}:9379",job="etcd-dr"'
    return f"{metric}{{{', '.join(filter(None, (labels, own)))}}}"


def _notation(case: Case, values: Values, *, since: int, until: int) -> str:
    """Return samples in promtool's short form: `1x3` is four samples of 1, `_x3` is three that are missing."""
    minutes = range(0, case.minute + 1, case.step)
    samples = [_at(values, minute) if since <= minute <= until else None for minute in minutes]
    runs = [(value, len(list(run))) for value, run in groupby(samples)]
    words = []
    was_there = False
    for value, count in runs:
        if value is not None:
            words.append(f"{value:.17g}x{count - 1}")
        elif was_there:
            words.append("stale" if count == 1 else f"stale _x{count - 1}")
        else:
            words.append(f"_x{count}")
        was_there = value is not None
    return " ".join(words)


def _at(values: Values, minute: int) -> Value:
    return values if isinstance(values, (int, float)) else values.at(minute)
