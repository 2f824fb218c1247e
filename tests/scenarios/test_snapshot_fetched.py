"""Fetching a snapshot as a plain file: whole and right, or not there at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.errors import DecryptionFailed, EtcdDrError, FileExists, ObjectMissing, SnapshotDamaged, StoreUnreachable
from fakes.codec import FakeDecoder
from fakes.etcd import snapshot_file
from scenarios.snapshot_world import SnapshotWorld


@pytest.fixture
def world(tmp_path: Path) -> SnapshotWorld:
    return SnapshotWorld(tmp_path, keys=500)


@pytest.fixture
def taken(world: SnapshotWorld) -> Snapshot:
    return world.take().snapshot


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "snapshot.db"


def test_fetched_file_is_the_snapshot_with_its_trailer(world: SnapshotWorld, taken: Snapshot, target: Path) -> None:
    """It is what `etcdctl snapshot save` would have written, and nobody else may read it."""
    fetched = world.fetch(taken, target)

    assert fetched.path.read_bytes() == snapshot_file(world.database.to_bytes())
    assert fetched.digest == taken.manifest.plain_digest
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["snapshot.db"]


def _flip(world: SnapshotWorld, taken: Snapshot) -> None:
    world.store.flip_bit(world.layout.data(taken.id), offset=300)


def _truncate(world: SnapshotWorld, taken: Snapshot) -> None:
    world.store.truncate(world.layout.data(taken.id), size_bytes=300)


def _lose(world: SnapshotWorld, taken: Snapshot) -> None:
    world.store.lose(world.layout.data(taken.id))


def _break_off(world: SnapshotWorld, taken: Snapshot) -> None:
    world.store._chunk_bytes = 1000
    world.store.faults.read_breaks_after_bytes = 2000


def _take_the_key_away(world: SnapshotWorld, taken: Snapshot) -> None:
    world.decoder = FakeDecoder(identities=("age1mallory",))


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (_flip, SnapshotDamaged),
        (_truncate, SnapshotDamaged),
        (_lose, ObjectMissing),
        (_break_off, StoreUnreachable),
        (_take_the_key_away, DecryptionFailed),
    ],
)
def test_whatever_goes_wrong_no_file_appears(
    world: SnapshotWorld, taken: Snapshot, target: Path, bend: object, expected: type[EtcdDrError]
) -> None:
    """A file under the asked name is always a right one."""
    assert callable(bend)
    bend(world, taken)

    with pytest.raises(expected):
        world.fetch(taken, target)

    assert list(target.parent.iterdir()) == []


def test_changed_bytes_are_blamed_on_the_store(world: SnapshotWorld, taken: Snapshot, target: Path) -> None:
    """When the stored digest differs, that is said, not that decryption failed."""
    _flip(world, taken)

    with pytest.raises(SnapshotDamaged) as raised:
        world.fetch(taken, target)

    assert "was written" in raised.value.message


def test_existing_file_is_kept_unless_overwriting_is_asked_for(
    world: SnapshotWorld, taken: Snapshot, target: Path
) -> None:
    """A fetch never takes an older file away by accident."""
    target.write_bytes(b"mine")

    with pytest.raises(FileExists):
        world.fetch(taken, target)
    kept = target.read_bytes()
    world.fetch(taken, target, overwrite=True)

    assert kept == b"mine"
    assert target.stat().st_size == taken.manifest.database.size_bytes
