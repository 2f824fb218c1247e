"""Deadlines that grow with the database."""

from __future__ import annotations

from etcd_dr.domain.snapshot_limits import SnapshotLimits

GIB = 1 << 30


def test_stream_of_a_large_database_gets_more_time() -> None:
    """No fixed limit hides a size limit: five minutes, and five more for each GiB."""
    limits = SnapshotLimits()

    assert limits.stream_deadline(0) == 300
    assert limits.stream_deadline(1) == 600
    assert limits.stream_deadline(8 * GIB) == 2700


def test_configured_total_is_taken_as_it_is() -> None:
    """Who sets a total deadline means it."""
    assert SnapshotLimits(total_deadline=42).stream_deadline(8 * GIB) == 42


def test_hash_of_a_large_database_gets_more_time() -> None:
    """A live member takes seconds per GiB."""
    assert SnapshotLimits().hash_deadline(4 * GIB) == 135
