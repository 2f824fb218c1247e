"""How far revisions are moved up."""

from __future__ import annotations

import pytest

from etcd_dr.domain.recovery.revision_bump import bump_for, estimated_revision, revisions_per_second
from fakes.catalogue import moment, snapshot


@pytest.mark.parametrize(
    ("file", "seen", "estimated", "bump"),
    [
        (900, None, None, 1_000_000),
        (900, 901, None, 1_000_000),
        (1_000, 1_001_000, None, 10_000_000),
        (1_000, None, 2_001_000, 20_000_000),
        (5_000, 1_000, 1_000, 1_000_000),
    ],
)
def test_bump_is_tenfold_what_may_be_missing_and_at_least_a_million(
    file: int, seen: int | None, estimated: int | None, bump: int
) -> None:
    assert bump_for(file_revision=file, highest_seen=seen, estimated=estimated) == bump


def test_bump_stays_within_what_a_revision_can_be() -> None:
    """Revisions are int64."""
    assert bump_for(file_revision=1 << 61, highest_seen=1 << 62) + (1 << 61) < 1 << 63


def test_pace_is_the_fastest_between_neighbours() -> None:
    """Neighbours of one cluster only, and not those that were taken at nearly the same time."""
    kept = [
        snapshot("2026-08-20 00:00", revision=0),
        snapshot("2026-08-20 01:00", revision=3600),
        snapshot("2026-08-20 01:00:10", revision=99_999),
        snapshot("2026-08-20 02:00", revision=100_000),
        snapshot("2026-08-20 03:00", revision=900_000_000, cluster_id="bad"),
    ]

    assert revisions_per_second(kept) == 1.0
    assert revisions_per_second(kept[:1]) is None


def test_estimate_goes_on_from_the_newest_at_that_pace() -> None:
    kept = [snapshot("2026-08-20 00:00", revision=0), snapshot("2026-08-20 01:00", revision=3600)]

    assert estimated_revision(kept, until=moment("2026-08-20 02:00")) == 7200
    assert estimated_revision(kept[:1], until=moment("2026-08-20 02:00")) is None
