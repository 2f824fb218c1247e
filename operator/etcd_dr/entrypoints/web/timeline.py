"""Where restore points and drills lie on a line of time: positions in percent, for SVG that needs no inline style.

Each kind has a lane and a shape of its own, so that colour only repeats what is told already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.proof import ProofLevel

RANGES: dict[str, timedelta | None] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": None,
}
_MOST_MARKS = 500  # of one lane; the newest
_ENOUGH = 12
_STEPS = (
    *(timedelta(minutes=m) for m in (5, 15, 30)),
    *(timedelta(hours=h) for h in (1, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 30, 90, 365)),
)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Mark:
    """One point. `x` is percent of the width, from the earliest to now."""

    x: float
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """All marks of one kind; `kind` names its shape."""

    kind: str
    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """`range_name` is the range that is shown; `hidden`: how many restore points are older than it."""

    range_name: str
    begins_at: datetime
    ends_at: datetime
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    hidden: int


def kind_of(snapshot: Snapshot) -> str:
    """Return the lane of a snapshot: its level, `unproven`, or `damaged`."""
    if snapshot.is_damaged:
        return "damaged"
    return snapshot.level.value if snapshot.level else "unproven"


def timeline_of(snapshots: Sequence[Snapshot], *, now: datetime, range_name: str) -> Timeline:
    """Return the line. An unknown range is answered with the shortest one that has enough to show."""
    chosen = range_name if range_name in RANGES else _fitting(snapshots, now)
    length = RANGES[chosen]
    oldest = min((s.taken_at for s in snapshots), default=now)
    begins_at = now - length if length is not None else min(oldest, now - timedelta(hours=1))
    span = (now - begins_at).total_seconds()
    shown = [s for s in snapshots if begins_at <= s.taken_at]

    def x(moment: datetime) -> float:
        return round(min(100.0, max(0.0, 100 * (moment - begins_at).total_seconds() / span)), 2)

    levels = [*reversed([level.value for level in ProofLevel]), "unproven", "damaged"]
    lanes = []
    for kind in levels:
        marks = [Mark(x(s.taken_at), _title(s)) for s in shown if kind_of(s) == kind][-_MOST_MARKS:]
        if marks or kind in ("restorable", "consistent", "intact"):
            lanes.append(Lane(kind, kind, tuple(marks)))
    ticks = tuple(Tick(x(moment), text) for moment, text in _ticks(begins_at, now))
    return Timeline(chosen, begins_at, now, tuple(lanes), ticks, len(snapshots) - len(shown))


def _fitting(snapshots: Sequence[Snapshot], now: datetime) -> str:
    for name, length in RANGES.items():
        if length is None or sum(now - s.taken_at <= length for s in snapshots) >= min(_ENOUGH, len(snapshots)):
            return name
    return "all"


def _title(snapshot: Snapshot) -> str:
    taken_at = snapshot.taken_at.astimezone(UTC)
    return f"{taken_at:%Y-%m-%d %H:%M:%S} UTC, revision {snapshot.manifest.database.revision}, {kind_of(snapshot)}"


def _ticks(begins_at: datetime, now: datetime) -> list[tuple[datetime, str]]:
    """Return round moments with their words, about six of them."""
    span = now - begins_at
    step = next((s for s in _STEPS if span / s <= _MOST_TICKS), _STEPS[-1])
    midnight = begins_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + step * (1 + (begins_at - midnight) // step)
    words = "%H:%M" if step < timedelta(days=1) else "%d %b" if step < timedelta(days=365) else "%Y"
    moments = [first + step * number for number in range(_MOST_TICKS + 1)]
    return [(moment, moment.strftime(words)) for moment in moments if moment < now - span * 0.04]
