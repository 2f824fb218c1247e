"""Stories about pruning: what is deleted, in which order, and what stops it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import Cancelled, SnapshotDamaged, StoreDenied, StoreUnreachable
from etcd_dr.workflows.sweep_uploads import sweep_uploads
from fakes.catalogue import snapshot
from scenarios.kept_world import NOON, KeptWorld


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


def test_what_the_policy_does_not_keep_is_gone_with_everything_that_belongs_to_it(world: KeptWorld) -> None:
    """Nothing of a removed snapshot stays, and nothing of a kept one is missing."""
    planted = world.plant_days(17, 18, 19, 20)

    outcome = world.prune(keep_daily=2)

    assert world.ids == [planted[19].id, planted[20].id]
    assert [decision.id for decision in outcome.removed] == [planted[17].id, planted[18].id]
    assert not [key for key in world.store.keys if str(planted[17].id) in key]
    assert outcome.freed_bytes > 20
    assert world.events.names == ["retention.removed", "retention.removed", "retention.applied"]


def test_the_manifest_goes_first_and_the_data_second(world: KeptWorld) -> None:
    """A crash in between leaves data without a manifest, which is no snapshot any more, and never the reverse."""
    planted = world.plant_days(19, 20)

    world.prune(keep_daily=1)

    deleted = [key for operation, key in world.store.calls if operation == "delete"]
    assert deleted[:2] == [world.layout.manifest(planted[19].id), world.layout.data(planted[19].id)]


def test_a_dry_run_says_the_same_and_touches_nothing(world: KeptWorld) -> None:
    """What is shown is what would be done."""
    world.plant_days(17, 18, 19, 20)
    before = world.store.keys

    shown = world.prune(keep_daily=2, dry_run=True)
    untouched = world.store.keys
    done = world.prune(keep_daily=2)

    assert untouched == before
    assert shown.dry_run
    assert [decision.id for decision in shown.removed] == [decision.id for decision in done.removed]


def test_a_second_run_finds_nothing_to_do(world: KeptWorld) -> None:
    """Pruning is idempotent through the store as well."""
    world.plant_days(17, 18, 19, 20)
    world.prune(keep_daily=2)

    again = world.prune(keep_daily=2)

    assert not again.removed
    assert len(world.ids) == 2


def test_a_snapshot_that_was_pinned_after_the_catalogue_was_read_stays(world: KeptWorld) -> None:
    """A pin counts up to the moment of deletion."""
    planted = world.plant_days(19, 20)
    catalogue = world.catalogue
    world.store.plant(world.layout.pin(planted[19].id), b"not even JSON")

    outcome = world.prune(catalogue, keep_daily=1)

    assert not outcome.removed
    assert [spared.snapshot_id for spared in outcome.spared] == [planted[19].id]
    assert len(world.ids) == 2


@pytest.mark.parametrize("part", ["data", "manifest"])
def test_a_locked_snapshot_stays_whole_and_listed(world: KeptWorld, part: str) -> None:
    """Object Lock is reported with its end and stops neither this run nor the deletion of others."""
    planted = world.plant_days(17, 18, 19, 20)
    key = getattr(world.layout, part)(planted[17].id)
    until = NOON + timedelta(days=30)
    world.store.lock(key, until=until)
    before = [k for k in world.store.keys if str(planted[17].id) in k]

    outcome = world.prune(keep_daily=2)

    assert [decision.id for decision in outcome.removed] == [planted[18].id]
    assert [(s.snapshot_id, s.lock.until) for s in outcome.refused if s.lock] == [(planted[17].id, until)]
    assert [k for k in world.store.keys if str(planted[17].id) in k] == before
    assert world.events.of("retention.locked")[0].fields["locked_until"] == until.isoformat()


def test_a_lock_that_has_ended_is_none(world: KeptWorld) -> None:
    """The retention time stays on an object after its end."""
    planted = world.plant_days(19, 20)
    world.store.lock(world.layout.data(planted[19].id), until=NOON - timedelta(days=1))

    outcome = world.prune(keep_daily=1)

    assert [decision.id for decision in outcome.removed] == [planted[19].id]


def test_a_legal_hold_that_shows_only_at_the_deletion_brings_the_manifest_back(world: KeptWorld) -> None:
    """Data that cannot be deleted must not become an orphan that nobody lists."""
    planted = world.plant_days(19, 20)
    world.store.lock(world.layout.data(planted[19].id), legal_hold=True)

    outcome = world.prune(keep_daily=1)

    assert [spared.snapshot_id for spared in outcome.refused] == [planted[19].id]
    assert world.ids == [planted[19].id, planted[20].id]
    assert world.catalogue.snapshots[0].is_proven


def test_a_legal_hold_on_the_manifest_leaves_the_data_alone(world: KeptWorld) -> None:
    """The first refusal ends the deletion of that snapshot."""
    planted = world.plant_days(19, 20)
    world.store.lock(world.layout.manifest(planted[19].id), legal_hold=True)

    outcome = world.prune(keep_daily=1)

    assert len(outcome.refused) == 1
    assert world.layout.data(planted[19].id) in world.store.keys


def test_a_proof_that_is_held_does_not_bring_a_deleted_snapshot_back(world: KeptWorld) -> None:
    """Once the data is gone, a manifest would be a lie."""
    planted = world.plant_days(19, 20)
    proof = next(key for key in world.store.keys if key.startswith(world.layout.proofs(planted[19].id)))
    world.store.lock(proof, legal_hold=True)

    world.prune(keep_daily=1)

    assert world.ids == [planted[20].id]
    assert [key for key in world.store.keys if str(planted[19].id) in key] == [proof]


def test_a_run_that_dies_in_the_middle_leaves_only_what_the_sweep_removes(world: KeptWorld) -> None:
    """After the manifest is gone the rest is an orphan; the next prune does not see it, the sweep does."""
    planted = world.plant_days(18, 19, 20)
    lost = StoreUnreachable("connection reset", subject="fake://store")
    catalogue = world.catalogue
    world.store.fail("delete", lost)
    with pytest.raises(StoreUnreachable):
        world.prune(catalogue, keep_daily=2)
    world.store.lose(world.layout.manifest(planted[18].id))  # as if the answer, not the deletion, had been lost

    again = world.prune(keep_daily=2)
    swept = sweep_uploads(
        world.store, world.layout, now=NOON + timedelta(days=2), grace=timedelta(days=1), events=world.events
    )

    assert not again.removed
    assert [leftover.name for leftover in swept.removed] == [str(planted[18].id)]
    assert world.ids == [planted[19].id, planted[20].id]


def test_a_missing_right_ends_the_run_with_the_stores_own_error(world: KeptWorld) -> None:
    """The first refusal is like all the others would be."""
    planted = world.plant_days(18, 19, 20)
    catalogue = world.catalogue
    world.store.fail("delete", StoreDenied("not allowed", context={"action": "s3:DeleteObject"}))

    with pytest.raises(StoreDenied):
        world.prune(catalogue, keep_daily=1)

    assert world.ids == [planted[18].id, planted[19].id, planted[20].id]


@pytest.mark.parametrize("loss", ["missing", "short"])
def test_nothing_is_pruned_when_the_newest_proven_snapshot_is_not_there(world: KeptWorld, loss: str) -> None:
    """A catalogue that promises what the store does not hold is no reason to delete the rest."""
    planted = world.plant_days(17, 18, 19, 20)
    key = world.layout.data(planted[20].id)
    if loss == "missing":
        world.store.lose(key)
    else:
        world.store.truncate(key, size_bytes=3)

    with pytest.raises(SnapshotDamaged) as caught:
        world.prune(keep_daily=1)

    assert "nothing was pruned" in str(caught.value)
    assert len(world.ids) == 4


def test_a_stop_takes_effect_between_two_snapshots(world: KeptWorld) -> None:
    """None is left half deleted by a shutdown."""
    planted = world.plant_days(17, 18, 19, 20)
    catalogue = world.catalogue
    world.cancellation.cancel("SIGTERM")

    with pytest.raises(Cancelled):
        world.prune(catalogue, keep_daily=1)

    assert world.ids == [s.id for s in planted.values()]


def test_another_clusters_snapshots_are_never_touched(world: KeptWorld) -> None:
    """Neither those below their own prefix, nor those that were copied below ours."""
    world.plant_days(19, 20)
    other = ClusterLayout(prefix="backups", cluster="staging")
    for day in ("2026-08-01", "2026-08-02"):
        world.plant(snapshot(day, cluster="staging"), layout=other)
    copied = world.plant(snapshot("2026-08-03", cluster="staging"))

    world.prune(keep_daily=1)

    kept = {str(snapshot_id) for snapshot_id in (copied.id,)}
    assert len([key for key in world.store.keys if key.startswith(other.snapshots) and "manifest" in key]) == 2
    assert world.layout.manifest(copied.id) in world.store.keys
    assert {entry.name for entry in world.catalogue.unreadable} == kept


def test_unreadable_and_uncommitted_folders_are_left_alone(world: KeptWorld) -> None:
    """Retention decides about snapshots; what is none of them is somebody else's matter."""
    world.plant_days(19, 20)
    broken = f"{world.layout.snapshots}20260101T000000Z-aaaaaaaaaaaa/manifest.json"
    pending = f"{world.layout.snapshots}20260102T000000Z-bbbbbbbbbbbb/data"
    world.store.plant(broken, b"{")
    world.store.plant(pending, b"data")

    outcome = world.prune(keep_daily=1)

    assert {broken, pending} <= set(world.store.keys)
    assert [entry.name for entry in outcome.plan.unreadable] == ["20260101T000000Z-aaaaaaaaaaaa"]
