"""Durations from measured rates, and lengths of time for people."""

from __future__ import annotations

import pytest

from etcd_dr.domain.recovery.losses import duration_text
from etcd_dr.domain.recovery.rates import Rates
from fakes.catalogue import snapshot


def test_fetching_takes_the_slower_of_download_and_decoding_and_then_the_proof() -> None:
    rates = Rates(download_bytes_per_second=10.0, decode_bytes_per_second=100.0, verify_bytes_per_second=1000.0)

    assert rates.fetch_seconds(stored_bytes=100, plain_bytes=500) == 10.5
    assert rates.fetch_seconds(stored_bytes=10, plain_bytes=500) == 5.5


def test_more_keys_take_longer_to_serve() -> None:
    """etcd rebuilds its index when it starts."""
    rates = Rates()

    assert rates.serve_seconds(keys=10_000_000) - rates.serve_seconds(keys=None) == pytest.approx(70.0)


def test_small_snapshots_say_nothing_about_throughput() -> None:
    kept = snapshot("2026-08-20 03:00", plain=b"x" * 1000)

    assert Rates.observed([kept]) == Rates()


def test_own_snapshots_replace_the_default() -> None:
    kept = snapshot("2026-08-20 03:00")
    database = kept.manifest.database.model_copy(update={"size_bytes": 30_000_000})
    telling = type(kept)(kept.manifest.model_copy(update={"database": database, "duration_seconds": 2.0}))

    assert Rates.observed([telling]).snapshot_bytes_per_second == 15_000_000


def test_platform_changes_how_long_starting_takes() -> None:
    """A kubelet looks at its manifests every 20 seconds."""
    assert Rates.observed([], platform="static-pod").start_seconds > Rates.observed([], platform="local").start_seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (720, "12 min"), (12_000, "3 h 20 min"), (406, "7 min"), (400_000, "5 days")]
)
def test_duration_for_people_is_never_less_than_it_is(seconds: float, text: str) -> None:
    """It is told as a bound: what is "at most 6 min" must not be 6 min 46 s."""
    assert duration_text(seconds) == text
