"""The verdict on readiness as metrics, judged anew at each scrape."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import CollectorRegistry

from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.readiness import ReadinessCollector, readiness_of
from fakes.catalogue import catalogue_of, snapshot
from fakes.clock import MORNING, FakeClock

PLACE = {"cluster": "prod", "store": "main"}


def scraped(board: StatusBoard, clock: FakeClock) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ReadinessCollector(board, clock))
    return registry


def test_one_answer_holds_and_its_reasons_are_named() -> None:
    """An alert can ask for the answer, and say why in its text."""
    clock = FakeClock()
    state = ClusterState(cluster="prod", store="main", schedule_gap=timedelta(hours=1))
    board = StatusBoard([state])
    registry = scraped(board, clock)

    board.update("prod", catalogue=catalogue_of(), catalogue_read_at=MORNING, store_was_asked=True)

    assert registry.get_sample_value("etcd_dr_recoverable", {**PLACE, "answer": "no"}) == 1.0
    assert registry.get_sample_value("etcd_dr_recoverable", {**PLACE, "answer": "yes"}) == 0.0
    reason = {**PLACE, "code": "snapshot.none", "weight": "obstacle"}
    assert registry.get_sample_value("etcd_dr_recoverable_reason", reason) == 1.0


def test_time_alone_makes_a_reading_old() -> None:
    """A process that reads no more must not keep saying what it read last."""
    clock = FakeClock()
    catalogue = catalogue_of(snapshot(MORNING))
    state = ClusterState(cluster="prod", store="main", catalogue=catalogue, catalogue_read_at=MORNING)
    registry = scraped(StatusBoard([state]), clock)
    unknown = {**PLACE, "answer": "unknown"}

    before = registry.get_sample_value("etcd_dr_recoverable", unknown)
    clock.advance(2 * 3600)

    assert (before, registry.get_sample_value("etcd_dr_recoverable", unknown)) == (0.0, 1.0)


def test_the_estimate_is_there_with_a_snapshot_only() -> None:
    """Not known is the absence of a series."""
    clock = FakeClock()
    board = StatusBoard([ClusterState(cluster="prod", store="main")])
    registry = scraped(board, clock)
    sample = ("etcd_dr_recovery_estimate_seconds", {**PLACE, "basis": "estimate"})

    before = registry.get_sample_value(*sample)
    board.update("prod", catalogue=catalogue_of(snapshot(MORNING)), catalogue_read_at=MORNING)

    assert before is None
    estimate = readiness_of(board.of("prod"), now=clock.now()).estimate
    assert estimate is not None
    assert registry.get_sample_value(*sample) == estimate.seconds
