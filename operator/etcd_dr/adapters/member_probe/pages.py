"""What etcd's pages say: /health (JSON), /livez and /readyz (lines of checks), /metrics (Prometheus text).

- /health answers 200 or 503 with `{"health":"true","reason":""}`; 3.4 has no reason (etcdhttp, health.go).
- /livez and /readyz came with 3.4.29 and 3.5.11. Failed checks are listed as `[-]name ...` whatever was asked for.
- /metrics has some 1500 lines, most of them of gRPC's own; only ours are given to the parser.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from etcd_dr.adapters.member_probe.connection import Page
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.member_metrics import Histogram, MemberMetrics
from etcd_dr.domain.observation import HttpChecks, HttpHealth

_MAX_REASON = 200
_MAX_SAMPLES = 2000  # nine members have some 200

_PLAIN = {
    "etcd_server_leader_changes_seen_total": "leader_changes",
    "etcd_server_proposals_committed_total": "proposals_committed",
    "etcd_server_proposals_applied_total": "proposals_applied",
    "etcd_server_proposals_failed_total": "proposals_failed",
    "etcd_server_proposals_pending": "proposals_pending",
    "etcd_server_slow_apply_total": "slow_applies",
    "etcd_server_slow_read_indexes_total": "slow_read_indexes",
    "etcd_server_read_indexes_failed_total": "failed_read_indexes",
    "etcd_server_heartbeat_send_failures_total": "failed_heartbeats",
    "etcd_server_quota_backend_bytes": "db_quota_bytes",
    "etcd_mvcc_db_open_read_transactions": "db_open_read_transactions",
    "process_start_time_seconds": "process_started_at",
}
_FLAGS = {"etcd_server_has_leader": "has_leader", "etcd_disk_defrag_inflight": "defrag_in_flight"}
_FSYNC = "etcd_disk_wal_fsync_duration_seconds_bucket"
_COMMIT = "etcd_disk_backend_commit_duration_seconds_bucket"
_RTT = "etcd_network_peer_round_trip_time_seconds_bucket"
_ACTIVE = "etcd_network_active_peers"
_DISCONNECTED = "etcd_network_disconnected_peers_total"
_PROMOTE = "etcd_server_learner_promote_failures"
_VERSION = "etcd_server_version"
_NAMES = frozenset({*_PLAIN, *_FLAGS, _FSYNC, _COMMIT, _RTT, _ACTIVE, _DISCONNECTED, _PROMOTE, _VERSION})


class PageMalformed(Exception):
    """The page arrived and does not hold what it should; never leaves this adapter."""


Sample = tuple[str, dict[str, str], float]


def read_health(page: Page) -> HttpHealth:
    """Return what /health says. Raises PageMalformed."""
    try:
        document = json.loads(page.body)
        word, reason = document["health"], document.get("reason", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PageMalformed("/health is not etcd's JSON") from error
    return HttpHealth(str(word).lower() == "true", str(reason)[:_MAX_REASON])


def read_checks(page: Page) -> HttpChecks:
    """Return what /livez or /readyz says."""
    lines = page.body.decode(errors="replace").splitlines()
    failed = tuple(line[3:].partition(" ")[0][:_MAX_REASON] for line in lines if line.startswith("[-]"))
    return HttpChecks(is_passed=page.status == 200, failed=failed[:20])


def read_clock(page: Page, *, ended_at: datetime, seconds: float) -> ClockReading | None:
    """Return how far the sender's clock was from ours; None without a Date header that can be read.

    The page was asked for at most `seconds` before `ended_at`, which is by our clock, and its header was written in
    between.
    """
    try:
        told = parsedate_to_datetime(page.date or "")
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    end = ended_at.timestamp()
    return ClockReading.between(told.timestamp(), asked_at=end - seconds, answered_at=end, unit_seconds=1)


def read_metrics(page: Page) -> MemberMetrics:
    """Return the readings that rules use. Raises PageMalformed."""
    try:
        samples = list(_samples(page.body.decode()))
        if not samples:
            raise PageMalformed("/metrics has none of etcd's metrics")
        return _readings(samples)
    except (ValueError, KeyError, IndexError) as error:
        raise PageMalformed("/metrics is not Prometheus text") from error


def _readings(samples: list[Sample]) -> MemberMetrics:
    """Raises ValueError for a label that is no member id."""
    numbers: dict[str, Any] = {_PLAIN[name]: value for name, _, value in samples if name in _PLAIN}
    flags: dict[str, Any] = {_FLAGS[name]: value > 0 for name, _, value in samples if name in _FLAGS}
    return MemberMetrics(
        version=next((labels.get("server_version") for name, labels, _ in samples if name == _VERSION), None),
        wal_fsync=_histogram(samples, _FSYNC),
        backend_commit=_histogram(samples, _COMMIT),
        active_peers={
            peer: any(v > 0 for n, labels, v in samples if n == _ACTIVE and labels.get("Remote") == hex_id)
            for peer, hex_id in _labelled_ids(samples, _ACTIVE, "Remote")
        },
        peer_disconnects=sum(value for name, _, value in samples if name == _DISCONNECTED),
        peer_round_trip={
            peer: _histogram(samples, _RTT, To=hex_id) for peer, hex_id in _labelled_ids(samples, _RTT, "To")
        },
        learner_promote_failures={
            labels.get("Reason", "")[:_MAX_REASON]: value for name, labels, value in samples if name == _PROMOTE
        },
        **numbers,
        **flags,
    )


def _samples(text: str) -> Iterator[Sample]:
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - heavy; only where needed

    wanted = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in _NAMES]
    if len(wanted) > _MAX_SAMPLES:
        raise PageMalformed(f"/metrics has more than {_MAX_SAMPLES} lines that matter")
    for family in text_string_to_metric_families("\n".join(wanted) + "\n"):
        for sample in family.samples:
            if math.isfinite(sample.value):
                yield sample.name, sample.labels, sample.value


def _histogram(samples: list[Sample], name: str, **wanted: str) -> Histogram:
    buckets = {
        float(labels["le"]): value
        for sample, labels, value in samples
        if sample == name and "le" in labels and all(labels.get(k) == v for k, v in wanted.items())
    }
    return Histogram(tuple(sorted(buckets.items())))


def _labelled_ids(samples: list[Sample], name: str, label: str) -> list[tuple[int, str]]:
    """Return the member ids in a label, as numbers and as written. Raises ValueError."""
    texts = {labels[label] for sample, labels, _ in samples if sample == name and label in labels}
    if any(len(text) > 16 for text in texts):
        raise ValueError(f"{label} is no member id")
    return [(int(text, 16), text) for text in sorted(texts)]
