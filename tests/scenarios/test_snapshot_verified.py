"""Verifying stored snapshots: damage is found and named, and nothing else is taken for damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.manifest import parse_manifest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.errors import Cancelled, DecryptionFailed, IdentityMissing, StoreDenied, UnsupportedFormat
from fakes.codec import FakeDecoder
from scenarios.snapshot_world import SnapshotWorld


@pytest.fixture
def world(tmp_path: Path) -> SnapshotWorld:
    return SnapshotWorld(tmp_path, keys=500)


@pytest.fixture
def taken(world: SnapshotWorld) -> Snapshot:
    return world.take().snapshot


def results(proofs: tuple[Proof, ...]) -> dict[ProofLevel, ProofResult]:
    return {proof.level: proof.result for proof in proofs}


def edited(world: SnapshotWorld, taken: Snapshot, **database: object) -> Snapshot:
    """Return the snapshot as its manifest says after somebody edited it in the store."""
    key = world.layout.manifest(taken.id)
    document = json.loads(world.store.body(key))
    document["database"].update(database)
    world.store.plant(key, json.dumps(document).encode())
    return Snapshot(parse_manifest(world.store.body(key), subject=key), taken.proofs)


def test_sound_snapshot_gets_new_proofs_from_the_stored_object(world: SnapshotWorld, taken: Snapshot) -> None:
    """With an identity a verification goes all the way, and says from which bytes."""
    outcome = world.verify(taken)

    [found] = world.catalogue.snapshots
    assert results(outcome.proofs) == {ProofLevel.STORED: ProofResult.PASSED, ProofLevel.INTACT: ProofResult.PASSED}
    assert outcome.not_made == ()
    assert found.newest_proofs[ProofLevel.INTACT].made_from is ProofOrigin.STORED_OBJECT
    assert found.newest_proofs[ProofLevel.INTACT].at > taken.taken_at
    assert world.scratch.left_behind == []


def test_stored_alone_reads_and_opens_nothing(world: SnapshotWorld, taken: Snapshot) -> None:
    """The cheap level needs neither identity nor scratch."""
    world.decoder = FakeDecoder()
    expected_before = len(world.scratch.expected)

    outcome = world.verify(taken, up_to=ProofLevel.STORED)

    assert results(outcome.proofs) == {ProofLevel.STORED: ProofResult.PASSED}
    assert len(world.scratch.expected) == expected_before


def test_bit_rot_is_found(world: SnapshotWorld, taken: Snapshot) -> None:
    """One flipped bit fails `stored`, marks the snapshot, and is told as an error."""
    world.store.flip_bit(world.layout.data(taken.id), offset=500)

    outcome = world.verify(taken)

    assert outcome.is_damaged
    assert results(outcome.proofs) == {ProofLevel.STORED: ProofResult.FAILED}
    assert [n.level for n in outcome.not_made] == [ProofLevel.INTACT]
    assert world.catalogue.snapshots[0].is_damaged
    assert world.events.of("snapshot.verified")[0].level == "error"


def test_truncated_object_is_found(world: SnapshotWorld, taken: Snapshot) -> None:
    """A short object fails with the two sizes."""
    world.store.truncate(world.layout.data(taken.id), size_bytes=1000)

    [stored] = world.verify(taken).proofs

    assert stored.result is ProofResult.FAILED
    assert stored.findings == ("stored.size",)


def test_missing_object_is_found(world: SnapshotWorld, taken: Snapshot) -> None:
    """A manifest whose data is gone is a failed proof, not an exception."""
    world.store.lose(world.layout.data(taken.id))

    outcome = world.verify(taken)

    assert outcome.is_damaged
    assert outcome.proofs[0].findings == ("stored.missing",)


def test_data_of_another_snapshot_is_found(world: SnapshotWorld, taken: Snapshot) -> None:
    """Swapped objects are each sound in themselves; the digest tells."""
    world.database.put(b"/registry/pods/default/new", b"new")
    world.share(world.database)
    other = world.take().snapshot
    world.store.plant(world.layout.data(taken.id), world.store.body(world.layout.data(other.id)))

    outcome = world.verify(taken)

    assert outcome.is_damaged


@pytest.mark.parametrize("field", ["revision", "status_hash", "live_keys", "all_records", "compact_revision"])
def test_edited_manifest_is_found(world: SnapshotWorld, taken: Snapshot, field: str) -> None:
    """Numbers that the database contradicts fail `intact`, with the field's name."""
    changed = edited(world, taken, **{field: 4711})

    outcome = world.verify(changed)

    assert results(outcome.proofs)[ProofLevel.INTACT] is ProofResult.FAILED
    assert any(finding.startswith(f"manifest.{field}") for finding in outcome.proofs[-1].findings)


def test_manifest_with_a_smaller_size_is_found(world: SnapshotWorld, taken: Snapshot) -> None:
    """The size bounds what is unpacked; a database beyond it is a contradiction, not a full disk."""
    changed = edited(world, taken, size_bytes=1000)

    assert world.verify(changed).is_damaged


@pytest.mark.parametrize(
    ("decoder", "code"),
    [
        (FakeDecoder(), IdentityMissing.code),
        (FakeDecoder(identities=("age1mallory",)), DecryptionFailed.code),
    ],
    ids=["no identity", "wrong identity"],
)
def test_wrong_key_damages_nothing(world: SnapshotWorld, taken: Snapshot, decoder: FakeDecoder, code: str) -> None:
    """Without the right identity `stored` is proven and `intact` left out with the reason."""
    world.decoder = decoder

    outcome = world.verify(taken)

    assert not outcome.is_damaged
    assert results(outcome.proofs) == {ProofLevel.STORED: ProofResult.PASSED}
    assert [(n.level, n.code) for n in outcome.not_made] == [(ProofLevel.INTACT, code)]
    assert world.catalogue.snapshots[0].is_proven


def test_unknown_stage_damages_nothing(world: SnapshotWorld, taken: Snapshot) -> None:
    """A format of a newer etcd-dr is named as such."""
    manifest = taken.manifest.model_copy(
        update={"stages": (*taken.manifest.stages, taken.manifest.stages[0].model_copy(update={"name": "brotli"}))}
    )

    outcome = world.verify(Snapshot(manifest))

    assert not outcome.is_damaged
    assert outcome.not_made[0].code == UnsupportedFormat.code


def test_store_that_cannot_be_read_leaves_the_question_open(world: SnapshotWorld, taken: Snapshot) -> None:
    """A refusal today is recorded nowhere and changes nothing of what is known."""
    world.store.fail("read", StoreDenied("no right to read"))
    keys = world.store.keys

    outcome = world.verify(taken)

    assert results(outcome.proofs) == {ProofLevel.STORED: ProofResult.INCONCLUSIVE}
    assert not outcome.is_damaged
    assert world.store.keys == keys


def test_live_members_that_hold_the_revision_are_compared(world: SnapshotWorld, taken: Snapshot) -> None:
    """Soon after a snapshot all three levels can be proven again."""
    outcome = world.verify(taken, up_to=ProofLevel.CONSISTENT, live=True)

    assert results(outcome.proofs)[ProofLevel.CONSISTENT] is ProofResult.PASSED


def test_members_that_compacted_past_it_leave_consistency_open(world: SnapshotWorld, taken: Snapshot) -> None:
    """An old snapshot cannot be compared any more, and nobody calls that a failure."""
    world.cluster.write(1000)
    world.cluster.compact(world.cluster["m1"].revision)

    outcome = world.verify(taken, up_to=ProofLevel.CONSISTENT, live=True)

    assert results(outcome.proofs)[ProofLevel.CONSISTENT] is ProofResult.INCONCLUSIVE
    assert not outcome.is_damaged


def test_members_of_another_cluster_are_not_compared(world: SnapshotWorld, taken: Snapshot) -> None:
    """After a recovery the old snapshots have no live members any more."""
    world.cluster.cluster_id = 0x1234

    outcome = world.verify(taken, up_to=ProofLevel.CONSISTENT, live=True)

    assert [n.code for n in outcome.not_made] == ["etcd.foreign_cluster"]


def test_hostile_ids_in_a_manifest_are_harmless(world: SnapshotWorld, taken: Snapshot) -> None:
    """Ids in a manifest are text from a bucket."""
    source = taken.manifest.source.model_copy(update={"cluster_id": "not hex", "member_id": "z" * 100})
    changed = Snapshot(taken.manifest.model_copy(update={"source": source}))

    outcome = world.verify(changed, up_to=ProofLevel.CONSISTENT, live=True)

    assert [n.code for n in outcome.not_made] == ["etcd.foreign_cluster"]


def test_nothing_is_recorded_on_request(world: SnapshotWorld, taken: Snapshot) -> None:
    """A dry look leaves the store as it is."""
    keys = world.store.keys

    world.verify(taken, record=False)

    assert world.store.keys == keys


def test_stop_in_the_middle_leaves_no_scratch(world: SnapshotWorld, taken: Snapshot) -> None:
    """A shutdown during a long verification is obeyed between two chunks."""

    def stop(operation: str, key: str) -> None:
        world.cancellation.cancel("SIGTERM")

    world.store.faults.on_chunk = stop
    world.store._chunk_bytes = 1000

    with pytest.raises(Cancelled):
        world.verify(taken)

    assert world.scratch.left_behind == []


def test_a_reader_without_the_right_to_write_still_learns_the_verdict(world: SnapshotWorld, taken: Snapshot) -> None:
    """Least privilege must not cost the answer: it is said that nothing was recorded."""
    world.store.fail("put", StoreDenied("may not write", subject="fake://"), times=10)

    outcome = world.verify(taken)

    assert results(outcome.proofs) == {ProofLevel.STORED: ProofResult.PASSED, ProofLevel.INTACT: ProofResult.PASSED}
    assert outcome.not_recorded == "fake://: may not write"
