"""Keys vanish: the last good snapshot is pinned, another one is taken, and everybody is told until it is acknowledged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.health import Severity
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.tripwire import PINNED_BY
from etcd_dr.errors import AccessDenied, StoreUnreachable
from etcd_dr.ports.object_store import StoredObject
from etcd_dr.workflows.pin_snapshot import pin_snapshot, unpin_snapshot
from fakes.standing_leadership import StandingLeadership
from scenarios.operator_world import OperatorWorld

PLACE = {"cluster": "prod", "store": "main"}
EVENTS = b"/registry/events/"
PODS = b"/registry/pods/"


class TrippingWorld(OperatorWorld):
    """2,000 keys, which a test deletes; one proven snapshot of them, taken on the hour."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, policy=RetentionPolicy(keep_last=1))
        self.deleted = 0
        self.keeper.look_at_schedule()
        self.look(minutes=1)

    def look(self, *, minutes: float) -> None:
        """Let time pass, then look at the keys and make a health round."""
        self.clock.advance(60 * minutes)
        self.keeper.watch_keys()
        self.keeper.check_health()

    def delete(self, count: int) -> None:
        """Delete keys, in the cluster and in what a snapshot of it would hold."""
        for number in range(self.deleted, self.deleted + count):
            self.database.delete(b"/registry/pods/default/pod-%06d" % number)
        self.deleted += count
        self.share(self.database)

    def forbid_counting(self) -> None:
        for member in self.cluster.members:
            member.errors["count_keys"] = AccessDenied("etcdserver: permission denied", subject=member.endpoint)

    @property
    def pinned(self) -> list[Snapshot]:
        return [s for s in self.catalogue.snapshots if s.pin is not None]

    @property
    def found(self) -> list[str]:
        report = self.board.of("prod").report
        assert report is not None
        return [f.code for f in report.findings if f.code.startswith("data.")]


@pytest.fixture
def world(tmp_path: Path) -> TrippingWorld:
    return TrippingWorld(tmp_path)


def test_mass_deletion_pins_the_last_good_snapshot_and_takes_another(world: TrippingWorld) -> None:
    """The pin says why, the new snapshot why it was taken, the report what happened, the metric for an alert."""
    [good] = world.catalogue.snapshots
    world.delete(1500)

    world.look(minutes=1)

    [pinned, after] = world.catalogue.snapshots
    assert (pinned.id, after.manifest.reason, after.manifest.database.live_keys) == (good.id, "mass-deletion", 500)
    assert after.manifest.labels["tripwire"] == "mass-deletion"
    assert pinned.pin is not None
    assert pinned.pin.by == PINNED_BY
    assert pinned.pin.fall is not None
    assert (pinned.pin.fall.keys_before, pinned.pin.fall.keys_after) == (2000, 500)
    report = world.board.of("prod").report
    assert report is not None
    [finding] = report.by_code("data.mass_deletion")
    assert finding.severity is Severity.CRITICAL
    assert finding.evidence["pinned_id"] == str(good.id)
    assert finding.evidence["next_id"] == str(after.id)
    assert world.value("etcd_dr_mass_deletion", **PLACE) == 1
    assert world.value("etcd_dr_mass_deletion_keys_before", **PLACE) == 2000


def test_retention_keeps_what_the_tripwire_pinned(world: TrippingWorld) -> None:
    """The policy keeps one snapshot; ten hours later the good one is still there."""
    [good] = world.catalogue.snapshots
    world.delete(1500)
    world.look(minutes=1)

    for _ in range(10):
        world.clock.advance(3600)
        world.keeper.look_at_schedule()

    assert good.id in [s.id for s in world.catalogue.snapshots]
    assert len(world.catalogue.snapshots) == 2


def test_snapshot_on_schedule_does_not_cost_the_last_good_one(world: TrippingWorld) -> None:
    """Deleted after the last look: the next thing that comes is the hourly snapshot, and retention after it."""
    [good] = world.catalogue.snapshots
    world.delete(1500)
    world.clock.advance(3600)

    world.keeper.look_at_schedule()
    kept = [s.id for s in world.pinned]
    world.look(minutes=1)

    assert kept == [good.id]
    assert world.found == ["data.mass_deletion"]


def test_deletion_between_a_snapshot_and_its_retention_is_told_once(world: TrippingWorld) -> None:
    """The run that has just committed is still under way: what is left is saved at the next look, and it is one trip."""
    put = world.store.put

    def put_and_lose_keys(key: str, body: bytes, *, if_absent: bool) -> StoredObject:
        stored = put(key, body, if_absent=if_absent)
        if key.endswith("/manifest.json") and not world.deleted:
            world.delete(1500)
        return stored

    world.store.put = put_and_lose_keys  # type: ignore[method-assign]  # the instant after the commit
    world.clock.advance(3600)
    world.keeper.look_at_schedule()
    good = world.catalogue.snapshots[-1]
    world.look(minutes=1)
    world.look(minutes=1)

    [tripped] = world.events.of("tripwire.tripped")
    [after] = [s for s in world.catalogue.snapshots if s.manifest.reason == "mass-deletion"]
    assert tripped.fields["pinned"] == str(good.id)
    assert after.manifest.database.live_keys == 500
    assert [s.id for s in world.pinned] == [good.id]
    assert world.found == ["data.mass_deletion"]


def test_trip_is_told_until_the_pin_is_taken_away(world: TrippingWorld) -> None:
    """Also by a process that was not there; afterwards nobody says it again, and nothing trips anew."""
    world.delete(1500)
    world.look(minutes=1)
    world.restart()
    world.keeper.refresh()
    world.look(minutes=30)
    after_a_restart = world.found

    [good] = world.pinned
    unpin_snapshot(world.store, world.layout, good.id, events=world.events)
    world.keeper.refresh()
    world.look(minutes=30)
    world.look(minutes=90)

    assert after_a_restart == ["data.mass_deletion"]
    assert world.found == []
    assert world.pinned == []
    assert world.value("etcd_dr_mass_deletion", **PLACE) == 0


def test_trip_that_nobody_acknowledges_ends_and_its_pin_stays(world: TrippingWorld) -> None:
    """A week of a critical finding is enough; the data are kept all the same."""
    world.delete(1500)
    world.look(minutes=1)

    world.look(minutes=60 * 24 * 7 + 1)

    assert world.found == []
    assert len(world.pinned) == 1


def test_deletion_that_goes_on_is_one_trip(world: TrippingWorld) -> None:
    """Ten steps within ten minutes make one pin and one snapshot."""
    for _ in range(10):
        world.delete(150)
        world.look(minutes=1)

    assert len(world.pinned) == 1
    assert [s.manifest.reason for s in world.catalogue.snapshots] == ["scheduled", "mass-deletion"]


def test_second_deletion_keeps_what_was_left_after_the_first(world: TrippingWorld) -> None:
    """The good snapshot of the second fall is the one that was taken at the first."""
    world.delete(700)
    world.look(minutes=1)
    world.look(minutes=20)
    world.delete(600)
    world.look(minutes=1)

    assert [s.manifest.database.live_keys for s in world.pinned] == [2000, 1300]


def test_what_dwindles_slowly_is_no_mass_deletion(world: TrippingWorld) -> None:
    """A tenth of the keys in each of eight hours."""
    for _ in range(8):
        world.delete(200)
        world.look(minutes=61)

    assert world.pinned == []
    assert world.found == []


def test_events_come_and_go(world: TrippingWorld) -> None:
    """Kubernetes keeps them for an hour, by thousands."""
    world.cluster.live_keys[EVENTS] = 5000
    world.look(minutes=1)
    world.cluster.live_keys[EVENTS] = 0
    world.look(minutes=1)

    assert world.pinned == []


def test_deletion_while_the_operator_was_down_is_seen_at_its_start(world: TrippingWorld) -> None:
    """The newest snapshot knows how many keys there were."""
    world.restart()
    world.delete(1500)
    world.keeper.refresh()

    world.look(minutes=1)

    assert len(world.pinned) == 1


def test_restore_of_older_data_is_no_deletion(world: TrippingWorld) -> None:
    """A recovered cluster has another id, or a revision that leaps or goes back."""
    world.cluster.live_keys[PODS] = 100
    for member in world.cluster.members:
        member.revision += 1_000_000
    world.look(minutes=1)
    leapt = list(world.pinned)
    world.cluster.live_keys[PODS] = 9000
    world.look(minutes=1)
    world.cluster.live_keys[PODS] = 100
    world.cluster.cluster_id += 1
    world.look(minutes=1)

    assert leapt == []
    assert world.pinned == []


def test_store_that_is_gone_puts_the_trip_off_and_does_not_lose_it(world: TrippingWorld) -> None:
    """The next look pins as soon as it can."""
    world.delete(1500)
    world.store.faults.is_gone = True
    world.look(minutes=1)
    world.store.faults.is_gone = False

    world.look(minutes=1)

    assert len(world.pinned) == 1
    assert world.value("etcd_dr_job_errors_total", cluster="prod", task="tripwire", code=StoreUnreachable.code) == 1


def test_persons_pin_keeps_its_reason(world: TrippingWorld) -> None:
    """Whoever pinned it before had one."""
    [good] = world.catalogue.snapshots
    pin_snapshot(
        world.store,
        world.layout,
        good.id,
        pinned_by="ops",
        reason="before the upgrade",
        now=world.clock.now(),
        events=world.events,
    )
    world.delete(1500)

    world.look(minutes=1)

    assert world.pinned[0].pin is not None
    assert "ops: before the upgrade" in world.pinned[0].pin.reason


def test_role_that_may_not_count_is_said_once_and_snapshots_are_compared(world: TrippingWorld) -> None:
    """No error each minute; the fall is seen with the next snapshot, which is the one that is pinned before it."""
    [good] = world.catalogue.snapshots
    world.forbid_counting()
    world.look(minutes=1)
    told = world.found
    world.delete(1500)
    world.clock.advance(3600)
    world.keeper.look_at_schedule()

    world.look(minutes=1)
    world.look(minutes=1)

    assert told == ["data.keys_uncounted"]
    assert [s.id for s in world.pinned] == [good.id]
    assert world.value("etcd_dr_tripwire_watching", **PLACE) == 0
    assert world.value("etcd_dr_job_errors_total", cluster="prod", task="tripwire", code=AccessDenied.code) is None


def test_followers_count_and_a_dead_one_is_passed_over(world: TrippingWorld) -> None:
    """The leader has the writes of the cluster to do."""
    world.cluster.calls.clear()
    world.look(minutes=1)
    quiet = {endpoint for endpoint, call in world.cluster.calls if call == "count_keys"}
    world.cluster["m2"].stop()
    world.look(minutes=1)

    assert quiet == {world.cluster["m2"].endpoint}
    assert world.board.of("prod").keys is not None
    assert replace(world.board.of("prod").keys, seconds=0).endpoint == world.cluster["m3"].endpoint


def test_replica_that_does_not_lead_leaves_the_keys_alone_and_sees_the_fall_when_it_does(world: TrippingWorld) -> None:
    """Counting is not free for etcd; what fell before is compared with the newest snapshot."""
    leading = world.leadership
    world.leadership = StandingLeadership()
    world.restart()
    world.keeper.refresh()
    world.cluster.calls.clear()
    world.delete(1500)
    world.look(minutes=1)
    asked = [call for _, call in world.cluster.calls if call == "count_keys"]
    world.leadership = leading
    world.restart()
    world.keeper.refresh()

    world.look(minutes=1)

    assert asked == []
    assert len(world.pinned) == 1


def test_cluster_that_is_silent_is_not_asked_for_its_keys(world: TrippingWorld) -> None:
    """Health has asked already, and waited."""
    for member in world.cluster.members:
        member.stop()
    world.look(minutes=1)
    world.cluster.calls.clear()

    world.keeper.watch_keys()

    assert world.cluster.calls == []
    assert world.value("etcd_dr_job_failing", cluster="prod", task="tripwire") == 0


def test_fall_below_the_least_number_is_none(tmp_path: Path) -> None:
    """Small clusters lose half of their keys every day."""
    world = TrippingWorld(tmp_path)
    world.tripwire = replace(world.tripwire, min_keys=1600, within=timedelta(hours=1))
    world.restart()
    world.keeper.refresh()
    world.delete(1500)

    world.look(minutes=1)

    assert world.pinned == []
