"""Cron expressions as the file writes them, checked when it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

CRON_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def check_cron(text: str) -> str:
    """Return the five cron fields that `text` means. Raises ValueError for what never runs or does not parse."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only when a schedule is configured

    fields = CRON_ALIASES.get(text.strip(), text.strip())
    if len(fields.split()) != 5:
        raise ValueError(f"{text!r} must have five fields (minute hour day-of-month month day-of-week) or an alias")
    try:
        next(CronSim(fields, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron expression: {error}") from error
    except StopIteration as error:
        raise ValueError(f"{text!r} never runs") from error
    return fields


_GAP_SAMPLE_SLOTS = 200


def shortest_gap(fields: str) -> timedelta:
    """Return the shortest time between two runs of fields that `check_cron` returned."""
    from cronsim import CronSim  # noqa: PLC0415 - only when a schedule is configured

    slots = islice(CronSim(fields, datetime(2024, 1, 1, tzinfo=UTC)), _GAP_SAMPLE_SLOTS)
    return min((later - earlier for earlier, later in pairwise(slots)), default=timedelta.max)
