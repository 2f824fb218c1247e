"""Companions from gathering to bringing back: over fakes for the world, and with the command for a person."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_dr.adapters.companions import LocalFiles
from etcd_dr.adapters.local_files import PartFiles
from etcd_dr.domain.proof import ProofResult
from etcd_dr.errors import ConfigError, FileUnreadable, IdentityMissing, SnapshotDamaged, StoreFull, UsageError
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.delete_snapshot import delete_objects
from etcd_dr.workflows.extract_companions import extract_companions
from etcd_dr.workflows.keep_companions import CompanionOrder, check_companions, read_companions
from etcd_dr.workflows.take_snapshot import SnapshotOutcome, take_snapshot
from fakes.codec import FakeDecoder, FakeEncoder
from scenarios.snapshot_world import SnapshotWorld

KEY = b"-----BEGIN EC PRIVATE KEY-----"


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    directory.mkdir()
    (directory / "ca.key").write_bytes(KEY)
    (directory / "ca.crt").write_bytes(b"public")
    return directory


@pytest.fixture
def world(tmp_path: Path) -> SnapshotWorld:
    return SnapshotWorld(tmp_path, keys=100)


def take(world: SnapshotWorld, *patterns: object, **options: bool) -> SnapshotOutcome:
    order = CompanionOrder([LocalFiles([str(pattern) for pattern in patterns])], **options)  # type: ignore[arg-type]
    ports: PipelinePorts = replace(world.ports, companions=order)
    said = SnapshotOrder(layout=world.layout, reason="on-demand", taken_by="test")
    return take_snapshot(said, ports=ports, limits=world.limits)


def test_companions_lie_encrypted_beside_the_data_and_come_back(
    world: SnapshotWorld, pki: Path, tmp_path: Path
) -> None:
    """The manifest names them without their content; extracted they are their owner's only."""
    snapshot = take(world, pki).snapshot
    facts = snapshot.manifest.companions

    assert facts is not None
    files = read_companions(world.store, world.layout, snapshot.id, facts, decoder=world.decoder)
    written = extract_companions(files, tmp_path / "out", sink=PartFiles())

    assert [entry.name for entry in facts.files] == [f"local{pki}/ca.crt", f"local{pki}/ca.key"]
    assert KEY not in world.store.body(world.layout.companions(snapshot.id))
    assert KEY not in world.store.body(world.layout.manifest(snapshot.id))
    assert [path.read_bytes() for path in written] == [b"public", KEY]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}


def test_missing_file_is_a_warning_and_stands_in_the_manifest(world: SnapshotWorld, pki: Path) -> None:
    """The database is worth having without it."""
    outcome = take(world, pki / "ca.key", pki / "gone")

    facts = outcome.snapshot.manifest.companions
    assert facts is not None
    assert [each.name for each in facts.missing] == [f"local{pki}/gone"]
    assert any("gone" in warning for warning in outcome.warnings)


def test_required_file_that_is_missing_costs_no_snapshot_half_made(world: SnapshotWorld, pki: Path) -> None:
    """It is known before the first byte is asked of a member."""
    with pytest.raises(FileUnreadable, match="required"):
        take(world, pki / "gone", required=True)

    assert world.catalogue.snapshots == ()
    assert world.cluster.calls == []


def test_private_keys_are_not_stored_in_clear_unless_it_was_said(world: SnapshotWorld, pki: Path) -> None:
    """Whoever reads the store would have the cluster."""
    world.encoder = FakeEncoder(recipients=())

    with pytest.raises(ConfigError, match="in clear"):
        take(world, pki)
    assert take(world, pki, in_clear=True).snapshot.manifest.companions is not None


def test_store_that_fails_at_the_companions_leaves_nothing(world: SnapshotWorld, pki: Path) -> None:
    """Data without a manifest would only wait for the sweep."""
    world.store.fail("put", StoreFull("no room", subject="s3://bucket"), times=2)

    with pytest.raises(StoreFull):
        take(world, pki)

    assert list(world.store.list(world.layout.snapshots)) == []


def test_changed_companions_are_found_and_refused(world: SnapshotWorld, pki: Path) -> None:
    """By the digest, with and without the key."""
    snapshot = take(world, pki).snapshot
    facts = snapshot.manifest.companions
    assert facts is not None
    key = world.layout.companions(snapshot.id)
    world.store.plant(key, world.store.body(key)[:-1] + b"x")

    answer = check_companions(world.store, world.layout, snapshot.id, facts, cancellation=world.cancellation)
    with pytest.raises(SnapshotDamaged):
        read_companions(world.store, world.layout, snapshot.id, facts, decoder=world.decoder)

    assert answer.result is ProofResult.FAILED
    verified = world.verify(snapshot)
    assert verified.has_damaged_companions
    assert not verified.is_damaged


def test_without_the_key_nothing_opens(world: SnapshotWorld, pki: Path) -> None:
    """The operator that wrote them cannot read them."""
    snapshot = take(world, pki).snapshot
    assert snapshot.manifest.companions is not None

    with pytest.raises(IdentityMissing):
        read_companions(world.store, world.layout, snapshot.id, snapshot.manifest.companions, decoder=FakeDecoder())


def test_directory_that_is_in_use_is_never_written_into(world: SnapshotWorld, pki: Path) -> None:
    """Nothing is overwritten, and no link in it is followed."""
    snapshot = take(world, pki).snapshot
    assert snapshot.manifest.companions is not None
    files = read_companions(world.store, world.layout, snapshot.id, snapshot.manifest.companions, decoder=world.decoder)

    with pytest.raises(UsageError):
        extract_companions(files, pki, sink=PartFiles())


def test_deleting_a_snapshot_takes_its_companions_along(world: SnapshotWorld, pki: Path) -> None:
    """They are part of it."""
    snapshot = take(world, pki).snapshot

    delete_objects(world.store, world.layout, snapshot.id, now=world.clock.now())

    assert list(world.store.list(world.layout.snapshots)) == []
