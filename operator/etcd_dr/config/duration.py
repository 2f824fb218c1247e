"""Durations as people write them: `30s`, `5m`, `1h30m`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` spells. Raises ValueError; a bare number is refused, because its unit is a guess."""
    compact = text.strip().replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text[:40]!r} is not a duration; write for example 30s, 5m, 1h30m or 7d")
    try:
        return timedelta(seconds=sum(float(n) * _UNIT_SECONDS[unit] for n, unit in _PART.findall(compact)))
    except OverflowError as error:
        raise ValueError(f"{text[:40]!r} is longer than can be counted") from error


def duration_text(duration: timedelta) -> str:
    """Return a duration in the largest units that spell it exactly: `1h30m`."""
    rest = round(duration.total_seconds() * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _coerce(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} has no unit; write for example 30s, 5m, 1h30m or 7d")


Duration = Annotated[timedelta, BeforeValidator(_coerce), PlainSerializer(duration_text, return_type=str)]


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0s")
    return value


PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
