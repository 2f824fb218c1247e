"""Numbers and moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.entrypoints.cli.human import age, count, duration, moment, plain, rate, size

NOW = datetime(2026, 8, 20, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9999, "10 kB"),
        (753_696, "754 kB"),
        (999_600, "1.0 MB"),
        (1_310_000_000, "1.3 GB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_sizes_are_decimal_with_two_digits(count_bytes: int, text: str) -> None:
    """As etcdctl prints them, so that two tools agree at a glance."""
    assert size(count_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (12, "12s"),
        (200, "3m 20s"),
        (3600, "1h"),
        (14_700, "4h 5m"),
        (792_000, "9d 4h"),
        (-5, "-5.0s"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    """More digits than a person acts on are noise."""
    assert duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (0, "0s"),
        (90, "90s"),
        (119, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7200, "2h"),
        (172_800, "2d"),
        (-0.5, "0s"),
        (-600, "in 10m"),
    ],
)
def test_ages_have_one_unit(ago: float, text: str) -> None:
    """A unit is used once it is filled twice, so that an age is never off by half."""
    assert age(NOW - timedelta(seconds=ago), now=NOW) == text


def test_moments_are_utc_to_the_second() -> None:
    """Whatever zone they come in."""
    assert moment(datetime.fromisoformat("2026-08-20T05:00:00+02:00")) == "2026-08-20 03:00:00 UTC"


def test_rate_of_an_instant_is_left_out() -> None:
    """Bytes divided by next to nothing are no rate."""
    assert rate(1_000_000, 0.0) == ""
    assert rate(158_000_000, 1.0) == "158 MB/s"


def test_count_agrees_with_its_noun() -> None:
    """One copy, two copies."""
    assert (count(1, "member"), count(3, "member"), count(2, "copy", "copies")) == ("1 member", "3 members", "2 copies")


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J\x1b[Hall is well", "a\rb", "a\nb", "bell\x07", "\u202etxt.exe", "\x9b31m", "tab\tbed", "\udcff"],
)
def test_terminal_sequences_are_shown_and_never_sent(hostile: str) -> None:
    """A name from a bucket cannot rewrite what a person reads."""
    shown = plain(hostile)

    assert shown.isprintable()
    assert "\\" in shown


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    """Printable text stays as it is, everything else is escaped."""
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)
