"""Durations: what people write, and what is a guess."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.config.duration import duration_text, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1h 30m", timedelta(hours=1, minutes=30)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("250ms", timedelta(milliseconds=250)),
        ("1.5h", timedelta(minutes=90)),
        ("0s", timedelta(0)),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, expected: timedelta) -> None:
    """Number and unit, repeated, in any spacing."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "30", "s", "-5m", "5 minutes", "1h-5m", "5M", "1e3s", "9" * 400 + "d", "٣s"])
def test_what_has_no_unit_is_refused(text: str) -> None:
    """A bare number has no unit, and guessing one is how a timeout becomes a thousand times too long."""
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_text_of_a_duration_is_read_back_as_the_same(milliseconds: int) -> None:
    """`duration_text` and `parse_duration` are a pair, to the millisecond."""
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(duration_text(duration)) == duration
