"""Numbers and moments as people read them; programs get the exact values in JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count_bytes: int) -> str:
    """Return a size in decimal units, as etcdctl prints it: `5.4 MB`."""
    value = float(count_bytes)
    for unit in _SIZE_UNITS:
        if value < 999.5 or unit == _SIZE_UNITS[-1]:
            break
        value /= 1000
    return f"{value:.1f} {unit}" if unit != "B" and value < 9.95 else f"{value:.0f} {unit}"


def rate(count_bytes: int, seconds: float) -> str:
    """Return a transfer rate: `158 MB/s`; empty where it was too short to tell."""
    return f"{size(int(count_bytes / seconds))}/s" if seconds > 0.05 else ""


def duration(length: timedelta) -> str:
    """Return a duration in its two largest units: `0.4s`, `12s`, `3m 20s`, `4h 5m`, `9d 4h`. Negative ones keep a sign."""
    seconds = length.total_seconds()
    if seconds < 0:
        return f"-{duration(-length)}"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    rest = round(seconds)
    parts = []
    for unit, unit_seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, unit_seconds)
        if count:
            parts.append(f"{count}{unit}")
        if parts and (len(parts) == 2 or not count):
            break
    return " ".join(parts[:2])


def age(moment: datetime, *, now: datetime) -> str:
    """Return how long ago `moment` was, in the largest unit that it fills twice: `90s`, `5m`, `3h`, `9d`; `in 5m`."""
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return f"in {age(now, now=moment)}" if seconds < -1 else "0s"
    for unit, unit_seconds in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * unit_seconds:
            return f"{int(seconds // unit_seconds)}{unit}"
    return f"{int(seconds)}s"


def moment(when: datetime) -> str:
    """Return a moment in UTC to the second: `2026-08-20 03:00:00 UTC`."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 member`, `3 members`, `2 copies`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def plain(text: str) -> str:
    """Return text that is safe on a terminal: control characters and other invisible ones are shown as escapes.

    Names from a bucket, a member or a database file may hold terminal sequences that rewrite what a person reads.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
