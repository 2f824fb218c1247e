"""A daily schedule without a slot while a test runs, whatever time of the day it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def cron_of_half_a_day_ago() -> str:
    """Return the fields of a slot that comes once a day, twelve hours from now, and came as long ago.

    A snapshot that an operator takes at its start serves the last slot; with a fixed hour, a run that crosses it would
    see a second one.
    """
    return f"{datetime.now(UTC) - timedelta(hours=12):%-M %-H} * * *"
