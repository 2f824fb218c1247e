"""Arithmetic on counters and histograms of another process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.member_metrics import Histogram, increase

INF = float("inf")


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    counts = draw(st.lists(st.integers(0, 1000), min_size=2, max_size=8))
    bounds = [2.0**n for n in range(len(counts) - 1)] + [INF]
    totals = [sum(counts[: n + 1]) for n in range(len(counts))]
    return Histogram(tuple((bound, float(total)) for bound, total in zip(bounds, totals, strict=True)))


@given(histograms(), st.floats(0.01, 1.0))
def test_quantile_is_a_bound_below_which_that_share_lies(histogram: Histogram, share: float) -> None:
    """At least the asked share of observations is at or below the bound, unless it lies beyond the last one."""
    bound = histogram.quantile(share)

    if histogram.count == 0:
        assert bound is None
    else:
        finite = [b for b, _ in histogram.buckets if b != INF]
        assert bound in finite
        below = dict(histogram.buckets)[bound]
        assert below >= share * histogram.count or bound == finite[-1]


@given(histograms(), histograms())
def test_since_never_counts_negative(now: Histogram, before: Histogram) -> None:
    """After a restart the new numbers stand for themselves."""
    recent = now.since(before)

    assert all(count >= 0 for _, count in recent.buckets)


def test_since_is_what_was_added() -> None:
    """Only what happened in between is left."""
    before = Histogram(((0.1, 90.0), (INF, 100.0)))
    now = Histogram(((0.1, 90.0), (INF, 150.0)))

    assert now.since(before) == Histogram(((0.1, 0.0), (INF, 50.0)))


def test_empty_histogram_has_no_quantile() -> None:
    """No observation, no number."""
    assert Histogram().quantile(0.99) is None


def test_counter_that_went_back_was_restarted() -> None:
    """It counts from zero then; an unknown value stays unknown."""
    assert increase(7.0, 5.0) == 2.0
    assert increase(3.0, 5.0) == 3.0
    assert increase(None, 5.0) is None
    assert increase(3.0, None) is None
