"""Which earlier rounds are kept for rules that look back: dense lately, sparse long ago, never more than about 80."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from etcd_dr.domain.observation import Observation

# (age up to, one observation per). Each width divides the next, so that what survives once survives again.
_SLOTS = (
    (timedelta(minutes=10), timedelta(seconds=30)),
    (timedelta(hours=1), timedelta(minutes=2)),
    (timedelta(hours=4), timedelta(minutes=10)),
)


def remember(history: Sequence[Observation], newest: Observation) -> tuple[Observation, ...]:
    """Return the history with `newest` added, oldest first, thinned by age.

    The newest and the one before it always stay. What seems to come from the future (the clock was set back) is
    dropped, because its age means nothing.
    """
    now = newest.taken_at
    earlier = [o for o in history if o.taken_at <= now]
    kept: dict[tuple[int, int], Observation] = {}
    for observation in earlier[:-1]:
        slot = _slot(observation.taken_at, now)
        if slot is not None:
            kept.setdefault(slot, observation)
    return (*kept.values(), *earlier[-1:], newest.for_history())


def _slot(taken_at: datetime, now: datetime) -> tuple[int, int] | None:
    for level, (age, width) in enumerate(_SLOTS):
        if now - taken_at <= age:
            return level, int(taken_at.timestamp() // width.total_seconds())
    return None
