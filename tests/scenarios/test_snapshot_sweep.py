"""Sweeping what interrupted runs left: only what is old, only what is ours, never a snapshot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.workflows.sweep_uploads import SweepOutcome, sweep_uploads
from fakes.catalogue import moment, snapshot
from scenarios.kept_world import NOON, KeptWorld

OLD, YOUNG = moment("2026-08-19 03:00"), moment("2026-08-20 11:00")
GRACE = timedelta(hours=24)


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


def sweep(world: KeptWorld, *, dry_run: bool = False) -> SweepOutcome:
    return sweep_uploads(world.store, world.layout, now=NOON, grace=GRACE, events=world.events, dry_run=dry_run)


def test_old_folder_without_manifest_is_removed(world: KeptWorld) -> None:
    """Data and proofs of a run that died before its manifest go."""
    died = snapshot("2026-08-19 03:00")
    world.store.plant(world.layout.data(died.id), b"x", modified_at=OLD)
    world.store.plant(f"{world.layout.proofs(died.id)}stored-x.json", b"x", modified_at=OLD)

    outcome = sweep(world)

    assert [gone.name for gone in outcome.removed] == [str(died.id)]
    assert world.store.keys == []
    assert world.events.names == ["upload.swept"]


def test_old_unfinished_upload_is_aborted(world: KeptWorld) -> None:
    """Parts that nobody will complete cost money until they are aborted."""
    died = snapshot("2026-08-19 03:00")
    world.store.plant_unfinished(world.layout.data(died.id), begun_at=OLD)

    outcome = sweep(world)

    assert len(outcome.removed) == 1
    assert list(world.store.unfinished_uploads("")) == []


def test_young_ones_are_left_alone(world: KeptWorld) -> None:
    """An upload under way looks the same as the remains of one."""
    busy = snapshot("2026-08-20 11:00")
    world.store.plant(world.layout.data(busy.id), b"x", modified_at=YOUNG)
    world.store.plant_unfinished(world.layout.data(busy.id), begun_at=YOUNG)

    outcome = sweep(world)

    assert outcome.removed == ()
    assert len(outcome.kept) == 2
    assert world.store.keys == [world.layout.data(busy.id)]


def test_snapshot_is_never_touched(world: KeptWorld) -> None:
    """A manifest makes it a snapshot, however old, damaged or unreadable."""
    world.plant(snapshot("2026-01-01 03:00", state="damaged"))
    garbled = world.plant(snapshot("2026-01-02 03:00"))
    world.store.plant(world.layout.manifest(garbled.id), b"garbled", modified_at=OLD)
    before = world.store.keys

    outcome = sweep(world)

    assert outcome == SweepOutcome((), (), ())
    assert world.store.keys == before


def test_manifest_that_appears_meanwhile_saves_the_folder(world: KeptWorld) -> None:
    """The manifest is looked for once more right before the first deletion."""
    late = snapshot("2026-08-19 03:00")
    world.store.plant(world.layout.data(late.id), b"x", modified_at=OLD)
    listing = world.store.list

    def list_then_commit(prefix: str) -> object:
        found = list(listing(prefix))
        world.store.plant(world.layout.manifest(late.id), b"{}", modified_at=NOON)
        return iter(found)

    world.store.list = list_then_commit  # type: ignore[method-assign, assignment]  # a commit between two calls

    outcome = sweep(world)

    assert outcome.removed == ()
    assert world.layout.data(late.id) in world.store.keys


def test_names_of_others_are_left_alone(world: KeptWorld) -> None:
    """What etcd-dr did not name is not etcd-dr's to remove, nor is another cluster's."""
    world.store.plant(f"{world.layout.snapshots}notes/readme", b"x", modified_at=OLD)
    world.store.plant("backups/v1/staging/snapshots/20260819T030000Z-0123456789ab/data", b"x", modified_at=OLD)
    world.store.plant_unfinished(f"{world.layout.snapshots}notes/upload", begun_at=OLD)
    world.store.plant_unfinished("backups/v1/staging/snapshots/20260819T030000Z-0123456789ab/data", begun_at=OLD)
    before = world.store.keys

    outcome = sweep(world)

    assert outcome == SweepOutcome((), (), ())
    assert world.store.keys == before
    assert len(list(world.store.unfinished_uploads(""))) == 2


def test_dry_run_says_what_would_go_and_removes_nothing(world: KeptWorld) -> None:
    """The same decision with its reasons, without the deed."""
    died = snapshot("2026-08-19 03:00")
    world.store.plant(world.layout.data(died.id), b"x", modified_at=OLD)

    outcome = sweep(world, dry_run=True)

    assert "without a manifest" in outcome.removed[0].reason
    assert world.store.keys == [world.layout.data(died.id)]
    assert world.events.names == []


def test_locked_leftover_is_reported_and_stops_nothing(world: KeptWorld) -> None:
    """Object Lock may keep the remains of an upload; that is told, and the rest is swept."""
    locked, other = snapshot("2026-08-18 03:00"), snapshot("2026-08-19 03:00")
    for died in (locked, other):
        world.store.plant(world.layout.data(died.id), b"x", modified_at=OLD)
    world.store.lock(world.layout.data(locked.id), until=moment("2026-12-01 00:00"))

    outcome = sweep(world)

    assert [kept.name for kept in outcome.locked] == [str(locked.id)]
    assert [gone.name for gone in outcome.removed] == [str(other.id)]
