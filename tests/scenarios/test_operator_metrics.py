"""What a scrape says is what the store and the members say."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from etcd_dr.domain.objectives import Objectives
from etcd_dr.entrypoints.operator.leadership_parts import LeadershipCollector
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from scenarios.operator_world import OperatorWorld

PLACE = {"cluster": "prod", "store": "main"}
DOCUMENTED = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def world(tmp_path: Path) -> OperatorWorld:
    return OperatorWorld(tmp_path)


def test_a_proven_snapshot_is_a_restorable_point(world: OperatorWorld) -> None:
    """Freshness is measured by what lies in the store."""
    world.keeper.look_at_schedule()
    taken_at = world.catalogue.snapshots[0].taken_at.timestamp()

    assert world.value("etcd_dr_restorable_points", **PLACE) == 1
    assert world.value("etcd_dr_newest_restorable_timestamp_seconds", **PLACE) == taken_at
    assert world.value("etcd_dr_last_success_timestamp_seconds", **PLACE, kind="full") == taken_at
    assert world.value("etcd_dr_snapshots", **PLACE, level="consistent") == 1
    assert world.value("etcd_dr_hashkv_match", **PLACE) == 1
    assert world.value("etcd_dr_live_keys", **PLACE) == 2000
    assert world.value("etcd_dr_schedule_interval_seconds", **PLACE) == 3600


def test_an_empty_store_says_zero_and_not_nothing(world: OperatorWorld) -> None:
    """An alert on a missing series would never fire."""
    world.keeper.refresh()

    assert world.value("etcd_dr_last_success_timestamp_seconds", **PLACE, kind="full") == 0
    assert world.value("etcd_dr_restorable_points", **PLACE) == 0


def test_damage_found_by_reverification_takes_the_point_away(world: OperatorWorld) -> None:
    """A flipped bit in the store is found by the daily share and shows in the metrics."""
    world.keeper.look_at_schedule()
    world.store.flip_bit(world.layout.data(world.catalogue.snapshots[0].id), offset=1000)
    world.clock.advance(86_400)

    world.keeper.reverify()

    assert world.value("etcd_dr_restorable_points", **PLACE) == 0
    assert world.value("etcd_dr_catalog_corrupt_objects", **PLACE) == 1
    assert world.value("etcd_dr_verification_total", **PLACE, result="damaged") == 1


def test_a_snapshot_that_differs_from_live_members_is_counted_as_unproven(world: OperatorWorld) -> None:
    """A hash that does not match must alert at once, and the copy does not count as a restore point."""
    world.cluster.hash_of = lambda revision, compact_revision: 7

    world.keeper.look_at_schedule()

    assert world.value("etcd_dr_snapshot_total", **PLACE, result="unproven") == 1
    assert world.value("etcd_dr_hashkv_match", **PLACE) == 0
    assert world.value("etcd_dr_restorable_points", **PLACE) == 0


def test_a_lost_member_shows_and_disappears_with_its_removal(world: OperatorWorld) -> None:
    """Gauges are made at each scrape, so nothing stale stays behind."""
    world.cluster["m3"].stop()

    world.keeper.check_health()

    up = {"cluster": "prod", "member": "m3", "role": "voter"}
    assert world.value("etcd_dr_member_up", **up) == 0
    assert world.value("etcd_dr_quorum_verdict", cluster="prod", verdict="held-without-tolerance") == 1
    assert world.value("etcd_dr_healthy_voters", cluster="prod") == 2
    assert world.value("etcd_dr_fault_tolerance", cluster="prod") == 0


def test_health_knows_that_the_store_cannot_be_read(world: OperatorWorld) -> None:
    """The same round tells people why nothing is known of the snapshots."""
    world.keeper.refresh()
    world.store.faults.is_gone = True
    world.keeper.refresh()

    world.keeper.check_health()

    assert world.value("etcd_dr_finding", cluster="prod", code="store.unreachable", severity="warning", member="") == 1


def test_a_task_that_fails_says_so_until_it_goes_well(world: OperatorWorld) -> None:
    """Whether something is broken now must not be guessed from counters."""
    world.store.faults.is_gone = True
    world.keeper.refresh()
    broken = world.value("etcd_dr_job_failing", cluster="prod", task="catalogue")

    world.store.faults.is_gone = False
    world.keeper.refresh()

    assert broken == 1
    assert world.value("etcd_dr_job_failing", cluster="prod", task="catalogue") == 0


def test_every_metric_is_documented_and_every_documented_metric_exists(world: OperatorWorld) -> None:
    """docs/metrics.md is what people write alerts from."""
    world.objectives = Objectives(rpo=timedelta(hours=2), rto=timedelta(minutes=15))
    world.restart()
    world.metrics.registry.register(LeadershipCollector(world.leadership))
    requests = RequestMetrics(world.metrics.registry)
    requests.followed.labels(kind="EtcdDrill").set(1)
    requests.failures.labels(code="kubernetes.denied").inc()
    requests.answered.labels(cluster="prod", kind="EtcdDrill", phase="Failed").inc()
    world.cluster.raise_alarm("m1", "NOSPACE")
    world.keeper.look_at_schedule()
    world.clock.advance(60)
    world.keeper.check_health()
    exposed = {
        family.name + ("_total" if family.type == "counter" else "_info" if family.type == "info" else "")
        for family in world.metrics.registry.collect()
    }

    documented = set(re.findall(r"^\| `(etcd_dr_\w+)", DOCUMENTED.read_text(), flags=re.MULTILINE))

    only_with_certificates_or_quota = {
        *("etcd_dr_cert_not_after_seconds", "etcd_dr_cert_lifetime_seconds"),
        "etcd_dr_member_db_quota_bytes",
    }
    only_with_leases = {"etcd_dr_lease_transitions"}
    only_after_a_drill = {name for name in documented if name.startswith("etcd_dr_drill_")}
    only_with_clocks = {"etcd_dr_member_clock_offset_seconds"}
    assert exposed <= documented
    assert documented - exposed <= (
        only_with_certificates_or_quota | only_with_clocks | only_after_a_drill | only_with_leases
    )
    assert b"etcd_dr_build_info" in generate_latest(world.metrics.registry)
