"""How an objective stands, and how its times are said."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

AT_RISK_SHARE = 0.8
"""From this share of an objective on it is at risk, where nothing better foretells a breach."""


class ObjectiveStatus(StrEnum):
    """`at-risk`: it will be broken if nothing is done. `unset`: there is no objective to be judged by."""

    UNSET = "unset"
    MET = "met"
    AT_RISK = "at-risk"
    BROKEN = "broken"
    UNKNOWN = "unknown"

    @property
    def exit_status(self) -> int:
        """What a Nagios plugin would end with: 0 met or unset, 1 at risk, 2 broken, 3 unknown."""
        return {"at-risk": 1, "broken": 2, "unknown": 3}.get(self.value, 0)

    @classmethod
    def worst(cls, *standings: ObjectiveStatus) -> ObjectiveStatus:
        """Return the worst of several: broken, at risk, unknown, met; `unset` where nothing is judged."""
        order = (cls.BROKEN, cls.AT_RISK, cls.UNKNOWN, cls.MET, cls.UNSET)
        return min(standings, key=order.index)


def time_text(length: timedelta) -> str:
    """Return a duration as people say it, in two units at most: `2 h 5 min`, `1 min 12 s`, `41 s`.

    Below ten minutes the seconds are told: "1 min would be lost; the objective is 1 min" helps nobody.
    """
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds), 60)
        return " ".join(f"{n} {unit}" for n, unit in ((minutes, "min"), (rest, "s")) if n)
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    words = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(words[:2])


def exceeding_text(length: timedelta, limit: timedelta) -> str:
    """Return `length` as `time_text` does; one that exceeds `limit` is never told as the same as it."""
    told = time_text(length)
    return f"a little more than {told}" if length > limit and told == time_text(limit) else told


def seconds_of(length: timedelta | None) -> float | None:
    """Return a duration in seconds, for a document or a metric; None stays None."""
    return round(length.total_seconds(), 3) if length is not None else None
