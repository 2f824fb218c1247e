"""Stories about pins, and about snapshots that somebody deletes by name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.errors import ObjectLocked, SnapshotNotFound, UsageError
from etcd_dr.workflows.delete_snapshot import Deletion, delete_snapshot
from etcd_dr.workflows.pin_snapshot import pin_snapshot, unpin_snapshot
from fakes.catalogue import snapshot
from scenarios.kept_world import NOON, KeptWorld


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


def pin(world: KeptWorld, target: Snapshot, reason: str = "before the upgrade") -> None:
    pin_snapshot(world.store, world.layout, target.id, pinned_by="ops", reason=reason, now=NOON, events=world.events)


def delete(world: KeptWorld, target: Snapshot, *, force: bool = False) -> Deletion:
    return delete_snapshot(
        world.store, world.layout, target, world.catalogue, force=force, now=NOON, events=world.events
    )


def test_a_pin_keeps_a_snapshot_until_it_is_taken_away(world: KeptWorld) -> None:
    """And it says who, when and why."""
    planted = world.plant_days(18, 19, 20)
    pin(world, planted[18])
    pinned = world.catalogue.snapshots[0].pin

    world.prune(keep_daily=1)
    kept = world.ids
    was_pinned = unpin_snapshot(world.store, world.layout, planted[18].id, events=world.events)
    world.prune(keep_daily=1)

    assert (pinned.by, pinned.reason, pinned.at) == ("ops", "before the upgrade", NOON)
    assert kept == [planted[18].id, planted[20].id]
    assert was_pinned
    assert world.ids == [planted[20].id]


def test_a_second_pin_replaces_the_first(world: KeptWorld) -> None:
    """The newest reason is the one that counts."""
    planted = world.plant_days(20)

    pin(world, planted[20], "first")
    pin(world, planted[20], "second")

    assert world.catalogue.snapshots[0].pin.reason == "second"


def test_unpinning_twice_is_no_error(world: KeptWorld) -> None:
    """It says that there was nothing to take away."""
    planted = world.plant_days(20)

    assert not unpin_snapshot(world.store, world.layout, planted[20].id, events=world.events)


def test_what_does_not_exist_cannot_be_pinned(world: KeptWorld) -> None:
    """A pin without a snapshot would promise something that nobody has."""
    absent = snapshot("2026-08-01")

    with pytest.raises(SnapshotNotFound):
        pin(world, absent)
    with pytest.raises(SnapshotNotFound):
        unpin_snapshot(world.store, world.layout, absent.id, events=world.events)

    assert world.store.keys == []


def test_a_pin_that_meets_a_deletion_leaves_nothing_and_says_so() -> None:
    """Whoever pins while retention deletes the manifest learns that it came too late."""
    world = KeptWorld(put_if_absent=False)
    planted = world.plant_days(20)

    def delete_manifest(key: str) -> None:
        if key == world.layout.pin(planted[20].id):
            world.store.lose(world.layout.manifest(planted[20].id))

    world.store.faults.between_look_and_put = delete_manifest

    with pytest.raises(SnapshotNotFound):
        pin(world, planted[20])

    assert world.layout.pin(planted[20].id) not in world.store.keys


def test_a_named_snapshot_is_deleted_whole(world: KeptWorld) -> None:
    """With proofs and all."""
    planted = world.plant_days(19, 20)

    deletion = delete(world, planted[19])

    assert deletion.is_deleted
    assert world.ids == [planted[20].id]
    assert not [key for key in world.store.keys if str(planted[19].id) in key]
    assert world.events.of("snapshot.deleted")[0].level == "warning"


def test_the_newest_proven_one_needs_force(world: KeptWorld) -> None:
    """It is the one that a recovery would use; a newer damaged one does not replace it."""
    planted = world.plant_days(19, 20)
    world.plant(snapshot("2026-08-20 09:00", state="damaged"))

    with pytest.raises(UsageError) as caught:
        delete(world, planted[20])
    delete(world, planted[20], force=True)

    assert "--force" in caught.value.next_step
    assert planted[20].id not in world.ids


def test_a_pinned_one_needs_force_or_unpinning(world: KeptWorld) -> None:
    """The pin is looked for in the store, not only in the catalogue."""
    planted = world.plant_days(18, 19, 20)
    pin(world, planted[18])

    with pytest.raises(UsageError) as caught:
        delete(world, planted[18])

    assert "unpin" in caught.value.next_step
    assert delete(world, planted[18], force=True).is_deleted


def test_a_locked_one_cannot_be_forced(world: KeptWorld) -> None:
    """The store has the last word, says until when, and nothing is deleted."""
    planted = world.plant_days(19, 20)
    until = NOON + timedelta(days=9)
    world.store.lock(world.layout.data(planted[19].id), until=until)
    before = world.store.keys

    with pytest.raises(ObjectLocked) as caught:
        delete(world, planted[19], force=True)

    assert caught.value.context["locked_until"] == until.isoformat()
    assert world.store.keys == before


def test_deleting_what_is_gone_already_is_success(world: KeptWorld) -> None:
    """Two people may have the same idea."""
    planted = world.plant_days(18, 19, 20)
    delete(world, planted[18])

    assert delete(world, planted[18]).is_deleted
