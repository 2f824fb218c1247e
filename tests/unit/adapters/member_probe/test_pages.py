"""What etcd's pages mean, and that nothing which is not such a page gets through as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.adapters.member_probe.connection import Page
from etcd_dr.adapters.member_probe.pages import PageMalformed, read_checks, read_clock, read_health, read_metrics

NOON = datetime(2026, 8, 20, 12, tzinfo=UTC)

METRICS = """\
# HELP etcd_server_has_leader Whether or not a leader exists.
# TYPE etcd_server_has_leader gauge
etcd_server_has_leader 1
etcd_server_leader_changes_seen_total 3
etcd_server_quota_backend_bytes 2.147483648e+09
etcd_server_version{server_version="3.5.30"} 1
etcd_server_learner_promote_failures{Reason="not-ready"} 2
etcd_network_active_peers{Local="aa",Remote="bb"} 1
etcd_network_active_peers{Local="aa",Remote="8e9e05c52164694d"} 0
etcd_network_disconnected_peers_total{Local="aa",Remote="bb"} 4
etcd_network_peer_round_trip_time_seconds_bucket{To="bb",le="0.1"} 5
etcd_network_peer_round_trip_time_seconds_bucket{To="bb",le="+Inf"} 7
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 1
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 9
etcd_disk_wal_fsync_duration_seconds_sum 0.1
etcd_disk_wal_fsync_duration_seconds_count 9
grpc_server_handled_total{grpc_code="OK",grpc_method="Range"} 11
process_start_time_seconds 1.79537719011e+09
"""


def page(body: str | bytes, *, status: int = 200, date: str | None = None) -> Page:
    return Page(status, body.encode() if isinstance(body, str) else body, date)


@pytest.mark.parametrize(
    ("body", "is_healthy", "reason"),
    [
        ('{"health":"true"}', True, ""),  # 3.4
        ('{"health":"true","reason":""}', True, ""),
        ('{"health":"false","reason":"RAFT NO LEADER"}', False, "RAFT NO LEADER"),
        ('{"health":true}', True, ""),
    ],
)
def test_health_is_read_in_the_forms_of_all_versions(body: str, is_healthy: bool, reason: str) -> None:
    """3.4 gives no reason; the flag is a text."""
    health = read_health(page(body))

    assert (health.is_healthy, health.reason) == (is_healthy, reason)


@pytest.mark.parametrize("body", ["", "ok", "[]", "1", '{"healthy":"true"}', "{" * 5000, "\xff"])
def test_other_documents_are_not_taken_for_health(body: str) -> None:
    """A proxy's error page must not read as "unhealthy", let alone as "healthy"."""
    with pytest.raises(PageMalformed):
        read_health(page(body))


def test_failed_checks_are_named() -> None:
    """The names are what a person looks for."""
    body = "[+]serializable_read ok\n[-]linearizable_read failed: timeout\n[-]data_corruption failed: alarm\n"

    checks = read_checks(page(body, status=503))

    assert (checks.is_passed, checks.failed) == (False, ("linearizable_read", "data_corruption"))


def test_passed_checks_have_no_failures() -> None:
    """The short form says ok."""
    assert read_checks(page("ok\n")).is_passed


def test_metrics_give_what_rules_read_and_nothing_else() -> None:
    """Ids are numbers, flags are booleans, histograms are cumulative buckets."""
    metrics = read_metrics(page(METRICS))

    assert (metrics.version, metrics.has_leader, metrics.leader_changes) == ("3.5.30", True, 3.0)
    assert metrics.db_quota_bytes == 2 << 30
    assert metrics.active_peers == {0xBB: True, 0x8E9E05C52164694D: False}
    assert metrics.peer_disconnects == 4
    assert metrics.wal_fsync.buckets == ((0.001, 1.0), (float("inf"), 9.0))
    assert metrics.peer_round_trip[0xBB].count == 7
    assert metrics.learner_promote_failures == {"not-ready": 2.0}
    assert metrics.proposals_failed is None
    assert metrics.backend_commit.count == 0


@pytest.mark.parametrize(
    "body",
    [
        "",
        "ok",
        "<html>",
        "up 1\n",
        "etcd_server_has_leader yes\n",
        'etcd_network_active_peers{Remote="not hex"} 1\n',
        'etcd_server_has_leader{x="1 1\n',
        'etcd_network_active_peers{Remote="' + "f" * 17 + '"} 1\n',
        "".join(f'etcd_network_active_peers{{Remote="{n:x}"}} 1\n' for n in range(2001)),
        b"etcd_server_has_leader \xff\n",
    ],
)
def test_other_texts_are_not_taken_for_metrics(body: str | bytes) -> None:
    """Also another program's metrics: without one of etcd's there is nothing to judge."""
    with pytest.raises(PageMalformed):
        read_metrics(page(body))


def test_numbers_that_are_none_are_left_out() -> None:
    """NaN and infinity are valid Prometheus values, and no quota."""
    metrics = read_metrics(
        page("etcd_server_quota_backend_bytes +Inf\netcd_server_proposals_pending NaN\nprocess_start_time_seconds 1\n")
    )

    assert (metrics.db_quota_bytes, metrics.proposals_pending) == (None, None)


@given(st.binary(max_size=400))
def test_no_page_brings_anything_but_a_value_or_malformed(body: bytes) -> None:
    """What arrives is another party's bytes."""
    for read in (read_health, read_checks, read_metrics):
        try:
            read(page(body))
        except PageMalformed:
            continue


@given(st.floats(-1e6, 1e6), st.floats(0, 3))
def test_true_offset_lies_within_the_resolution(offset: float, seconds: float) -> None:
    """Date has whole seconds and was written somewhere in the round trip; the reading says how much that leaves."""
    written_at = NOON + timedelta(seconds=offset) - timedelta(seconds=seconds / 2)
    header = format_datetime(written_at.replace(microsecond=0), usegmt=True)

    reading = read_clock(page("", date=header), ended_at=NOON, seconds=seconds)

    assert reading is not None
    assert abs(reading.offset_seconds - offset) <= reading.resolution_seconds + 1e-6


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Aug 2026 12:00:00 GMT"])
def test_missing_or_unreadable_date_is_no_reading(date: str | None) -> None:
    """A guess would be worse."""
    assert read_clock(page("", date=date), ended_at=NOON, seconds=0) is None
