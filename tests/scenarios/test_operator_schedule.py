"""The operator takes each scheduled snapshot once, whatever fails, restarts or comes late."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.entrypoints.operator.sole_leadership import SoleLeadership
from etcd_dr.errors import StoreUnreachable
from etcd_dr.ports.leadership import Term
from etcd_dr.ports.object_store import StoredObject
from scenarios.operator_world import OperatorWorld

PLACE = {"cluster": "prod", "store": "main"}


@pytest.fixture
def world(tmp_path: Path) -> OperatorWorld:
    return OperatorWorld(tmp_path)


def test_an_empty_store_is_filled_at_the_first_look(world: OperatorWorld) -> None:
    """A new cluster does not wait for its first slot, and the next look is for the next slot."""
    world.keeper.look_at_schedule()

    assert len(world.catalogue.snapshots) == 1
    assert world.catalogue.snapshots[0].manifest.reason == "scheduled"
    assert world.looks == [world.clock.now().replace(hour=4, minute=0, second=0)]


def test_a_second_look_within_the_slot_takes_nothing(world: OperatorWorld) -> None:
    """Cron trigger, retry and start may all look at the same slot."""
    world.keeper.look_at_schedule()
    world.clock.advance(600)

    world.keeper.look_at_schedule()

    assert len(world.catalogue.snapshots) == 1


def test_a_restart_neither_repeats_nor_forgets(world: OperatorWorld) -> None:
    """A new process reads from the store what was done, and makes up for what was missed, once."""
    world.keeper.look_at_schedule()
    world.restart()
    world.keeper.look_at_schedule()
    taken_before_the_outage = len(world.catalogue.snapshots)

    world.clock.advance(5 * 3600)
    world.restart()
    world.keeper.look_at_schedule()
    world.keeper.look_at_schedule()

    assert taken_before_the_outage == 1
    assert len(world.catalogue.snapshots) == 2


def test_a_failed_run_is_tried_again_within_minutes_and_counted(world: OperatorWorld) -> None:
    """Nothing waits for the next slot, and the delay grows with each failure."""
    for member in world.cluster.members:
        member.stop()
    for _ in range(3):
        world.keeper.look_at_schedule()

    assert [look - world.clock.now() for look in world.looks] == [timedelta(minutes=m) for m in (1, 2, 4)]
    assert world.value("etcd_dr_snapshot_total", **PLACE, result="failure") == 3
    assert world.value("etcd_dr_snapshot_failures_in_a_row", **PLACE) == 3
    assert {told.fields["error_code"] for told in world.events.of("snapshot.failed")} == {"etcd.no_usable_member"}


def test_a_good_run_after_failures_ends_the_row(world: OperatorWorld) -> None:
    """The counter of failures in a row is what an alert looks at; it must fall back."""
    for member in world.cluster.members:
        member.stop()
    world.keeper.look_at_schedule()
    for member in world.cluster.members:
        member.start()

    world.keeper.look_at_schedule()

    assert world.value("etcd_dr_snapshot_failures_in_a_row", **PLACE) == 0
    assert world.value("etcd_dr_snapshot_total", **PLACE, result="success") == 1


def test_a_store_that_is_away_is_said_and_tried_again(world: OperatorWorld) -> None:
    """Not knowing what the store holds is no reason to upload blindly, nor to wait for an hour."""
    world.store.fail("list", StoreUnreachable("connection refused", subject="fake://"), times=10)

    world.keeper.look_at_schedule()

    assert world.value("etcd_dr_store_probe_success", **PLACE) == 0
    assert world.looks == [world.clock.now() + timedelta(minutes=1)]


def test_retention_follows_each_snapshot(tmp_path: Path) -> None:
    """What the policy does not keep goes with the next run, and metrics say so."""
    world = OperatorWorld(tmp_path, policy=RetentionPolicy(keep_last=2))

    for _ in range(4):
        world.keeper.look_at_schedule()
        world.clock.advance(3600)

    assert len(world.catalogue.snapshots) == 2
    assert world.value("etcd_dr_retention_total", **PLACE, result="removed") == 2


def test_snapshot_does_not_wait_for_a_verification_and_retention_is_made_up_for(tmp_path: Path) -> None:
    """A long drill or verification of one cluster would hold a thread that takes the snapshots of all."""
    world = OperatorWorld(tmp_path, policy=RetentionPolicy(keep_last=1, min_restore_points=1))
    world.keeper.look_at_schedule()
    world.clock.advance(3600)

    with world.keeper._deleting:  # as a verification holds it
        looking = Thread(target=world.keeper.look_at_schedule, daemon=True)
        looking.start()
        looking.join(30)
        was_held_up = looking.is_alive()
    kept_meanwhile, again_at = len(world.catalogue.snapshots), world.looks[-1]
    world.clock.advance((again_at - world.clock.now()).total_seconds())
    world.keeper.look_at_schedule()

    assert not was_held_up
    assert kept_meanwhile == 2
    assert len(world.catalogue.snapshots) == 1
    assert world.looks[-1] - again_at > timedelta(minutes=30), "the next look is for the next slot"


def test_a_bug_in_a_job_is_told_and_the_schedule_goes_on(world: OperatorWorld) -> None:
    """An exception nobody foresaw must not silence backups for good."""
    world.cluster.hash_of = lambda revision, compact_revision: 1 // 0

    world.keeper.look_at_schedule()

    assert world.looks, "the run is looked at again"
    assert world.events.of("snapshot.failed")[0].fields["error_code"] == "internal"
    assert "ZeroDivisionError" in str(world.events.of("snapshot.failed")[0].fields["context_trace"])


def test_store_that_is_late_to_list_gets_no_row_of_snapshots(world: OperatorWorld) -> None:
    """The slot counts as unserved until the snapshot is listed; whoever looks at once takes one after the other."""
    list_all = world.store.list
    hidden = world.layout.snapshots

    def list_late(prefix: str) -> Iterator[StoredObject]:
        return iter(()) if prefix == hidden else list_all(prefix)

    world.store.list = list_late  # type: ignore[method-assign]  # a store as it may be

    world.keeper.look_at_schedule()

    world.store.list = list_all  # type: ignore[method-assign]  # and as it is in the end
    assert len(world.catalogue.snapshots) == 1
    assert world.looks == [world.clock.now() + timedelta(minutes=1)]


def test_reading_that_was_under_way_hides_no_snapshot(world: OperatorWorld) -> None:
    """A slow listing that was begun before a snapshot was stored ends after it, with the catalogue of before."""
    list_at_once, is_first = world.store.list, [True]

    def list_slowly(prefix: str) -> Iterator[StoredObject]:
        found = list(list_at_once(prefix))
        if is_first.pop() if is_first else False:
            world.keeper.look_at_schedule()
        return iter(found)

    world.store.list = list_slowly  # type: ignore[method-assign]  # a store as it may be

    world.keeper.refresh()

    catalogue = world.board.of("prod").catalogue
    assert catalogue is not None
    assert catalogue.newest == world.catalogue.newest
    assert catalogue.newest is not None


def test_round_that_failed_does_not_count_as_one_that_hangs(
    world: OperatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rounds every ten minutes the pod would be started again for it, five minutes later."""
    monkeypatch.setattr(type(world.clock), "now", lambda _: 1 // 0)

    world.keeper.check_health()

    assert world.events.of("health.failed")
    assert world.board.of("prod").round_begun_at is None


def test_a_stop_in_the_middle_leaves_nothing_and_no_retry(world: OperatorWorld) -> None:
    """A graceful stop aborts the upload; the next process decides anew."""
    world.cancellation.cancel("SIGTERM")

    world.keeper.look_at_schedule()

    assert world.has_left_nothing
    assert world.looks == []
    assert world.events.of("snapshot.failed")[0].level == "info"


def test_look_that_comes_while_one_finds_nothing_to_do_is_made_up_for(world: OperatorWorld) -> None:
    """A replica comes to lead just after a look saw that it does not: the slot would wait for the next one."""

    class LeadingTooLate(SoleLeadership):
        @contextmanager
        def work(self, cluster: str, *, is_urgent: bool = False) -> Iterator[Term | None]:
            world.keeper.look_at_schedule()
            yield None

    world.leadership = LeadingTooLate(["prod"], world.cancellation)
    world.restart()

    world.keeper.look_at_schedule()

    assert world.looks == [world.clock.now()]
