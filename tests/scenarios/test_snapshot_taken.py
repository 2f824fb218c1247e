"""Taking a snapshot when everything is well, and what is then in the store."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_files import MemoryScratch
from etcd_dr.domain.catalogue import ClusterMarker
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.member_choice import Role
from etcd_dr.domain.proof import ProofLevel, ProofOrigin, ProofResult
from etcd_dr.errors import Busy, ForeignCluster, LocalStorageFull, ManifestInvalid, NoUsableMember, TlsRefused
from fakes.codec import FakeEncoder
from fakes.etcd import FakeEtcdMember, FakeSnapshotStream, snapshot_file
from fakes.object_store import FakeObjectStore
from scenarios.snapshot_world import SnapshotWorld


@pytest.fixture
def world(tmp_path: Path) -> SnapshotWorld:
    return SnapshotWorld(tmp_path)


def test_snapshot_is_committed_with_three_proofs(world: SnapshotWorld) -> None:
    """A sound cluster gives a snapshot that is stored, intact and consistent, and the catalogue says so."""
    outcome = world.take()

    [snapshot] = world.catalogue.snapshots
    assert snapshot.id == outcome.snapshot.id
    assert {p.level: p.result for p in snapshot.proofs} == {
        ProofLevel.STORED: ProofResult.PASSED,
        ProofLevel.INTACT: ProofResult.PASSED,
        ProofLevel.CONSISTENT: ProofResult.PASSED,
    }
    assert snapshot.is_proven
    assert outcome.failed_proofs == ()


def test_manifest_holds_what_recovery_needs(world: SnapshotWorld) -> None:
    """Revision and hashes come from the file, digests tie both forms together, the topology is complete."""
    plain = snapshot_file(world.database.to_bytes())

    manifest = world.take(labels={"site": "fra"}).snapshot.manifest

    stored = world.store.body(world.layout.data(manifest.snapshot_id))
    assert manifest.database.revision == world.database.revision
    assert manifest.database.live_keys == 2000
    assert manifest.database.size_bytes == len(plain)
    assert manifest.plain_digest.hex == hashlib.sha256(plain).hexdigest()
    assert manifest.trailer_digest is not None
    assert manifest.trailer_digest.hex == plain[-32:].hex()
    assert manifest.stored_digest.hex == hashlib.sha256(stored).hexdigest()
    assert manifest.stored_size_bytes == len(stored)
    assert [stage.name for stage in manifest.stages] == ["zstd", "age"]
    assert {m.name for m in manifest.topology} == {"m1", "m2", "m3"}
    assert manifest.source.cluster_id == id_text(world.cluster.cluster_id)
    assert manifest.labels == {"site": "fra"}
    assert manifest.fencing == 7
    assert manifest.commit == "conditional"


def test_manifest_is_the_last_object_written(world: SnapshotWorld) -> None:
    """Data, then proofs, then the manifest: before it nothing exists."""
    outcome = world.take()

    folder = world.layout.folder(outcome.snapshot.id)
    writes = [key for operation, key in world.store.calls if operation in ("commit", "put") and key.startswith(folder)]
    assert writes[0] == world.layout.data(outcome.snapshot.id)
    assert writes[-1] == world.layout.manifest(outcome.snapshot.id)
    assert len(writes) == 5


def test_follower_serves_before_the_leader(world: SnapshotWorld) -> None:
    """The load of a snapshot is kept from the leader."""
    outcome = world.take()

    assert outcome.source.observed.role is Role.FOLLOWER
    assert (world.cluster["m1"].endpoint, "snapshot") not in world.cluster.calls


def test_learner_serves_before_followers(world: SnapshotWorld) -> None:
    """A learner carries no votes, so it carries the snapshot."""
    world.cluster.add_learner("l1")
    world.share(world.database)
    world.connector = type(world.connector)(world.cluster)

    outcome = world.take()

    assert outcome.source.observed.label == "l1"
    assert outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT].passed


def test_leader_is_not_asked_for_its_hash(world: SnapshotWorld) -> None:
    """HashKV blocks a member; two followers are witnesses enough."""
    outcome = world.take()

    proof = outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT]
    assert {w.member for w in proof.witnesses} == {"m2", "m3"}
    assert (world.cluster["m1"].endpoint, "hash_kv") not in world.cluster.calls


def test_named_endpoint_is_taken(world: SnapshotWorld) -> None:
    """Who names a member gets that member, the leader included."""
    outcome = world.take(endpoint=world.cluster["m1"].endpoint)

    assert outcome.source.observed.label == "m1"


def test_minority_survivor_is_saved_and_the_outcome_says_so(world: SnapshotWorld) -> None:
    """Without quorum the survivor's data is what there is; nothing claims that it is the newest."""
    world.cluster["m1"].stop()
    world.cluster["m2"].stop()

    outcome = world.take()

    proof = outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT]
    assert outcome.source.observed.label == "m3"
    assert not outcome.choice.has_quorum
    assert any("no quorum" in warning for warning in outcome.warnings)
    assert proof.result is ProofResult.INCONCLUSIVE
    assert outcome.snapshot.is_proven


def test_election_that_ends_meanwhile_costs_nothing(world: SnapshotWorld) -> None:
    """Every member answers "leader changed" at once: there is a leader again, and a follower that has it all serves."""
    for member in world.cluster.members:
        member.leader_changes = 1

    outcome = world.take()

    assert outcome.choice.has_quorum
    assert outcome.source.observed.role is Role.FOLLOWER
    assert outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT].passed


def test_most_advanced_survivor_comes_first(world: SnapshotWorld) -> None:
    """Without quorum what was applied decides, not the configured order."""
    world.cluster["m1"].stop()
    world.cluster["m2"].raft_applied_index -= 5
    world.cluster["m3"].is_partitioned = True
    world.cluster["m2"].is_partitioned = True

    outcome = world.take()

    assert outcome.source.observed.label == "m3"


def test_single_member_is_its_own_witness(tmp_path: Path) -> None:
    """Where there is one member only, the comparison with it is the whole proof, leader or not."""
    world = SnapshotWorld(tmp_path)
    world.cluster.members = world.cluster.members[:1]
    world.connector = type(world.connector)(world.cluster)

    outcome = world.take()

    proof = outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT]
    assert proof.passed
    assert [w.member for w in proof.witnesses] == ["m1"]


def test_members_that_nobody_configured_witness(world: SnapshotWorld) -> None:
    """With one endpoint configured, the member list leads to a second opinion."""
    world.connector = type(world.connector)(world.cluster, endpoints=[world.cluster["m2"].endpoint])

    outcome = world.take()

    proof = outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT]
    assert outcome.source.observed.label == "m2"
    assert {w.member for w in proof.witnesses} == {"m2", "m3"}


def test_store_without_conditional_writes_is_named_in_the_manifest(world: SnapshotWorld) -> None:
    """Where two writers could both win, the manifest and an event say so."""
    world.store = FakeObjectStore(put_if_absent=False, now=world.clock.now)

    outcome = world.take()

    assert outcome.snapshot.manifest.commit == "unconditional"
    assert world.events.of("store.unconditional_commit")


def test_first_snapshot_claims_the_prefix(world: SnapshotWorld) -> None:
    """The marker names the cluster, so that no other one writes here."""
    world.take()

    marker = ClusterMarker.model_validate_json(world.store.body(world.layout.marker))
    assert marker.etcd_cluster_ids == (id_text(world.cluster.cluster_id),)


def test_prefix_of_another_cluster_is_refused(world: SnapshotWorld) -> None:
    """Two clusters never share a prefix by accident."""
    world.take()
    before = world.store.keys
    world.cluster.cluster_id = 0x1234

    with pytest.raises(ForeignCluster) as raised:
        world.take()

    assert raised.value.context["found"] == "1234"
    assert "--accept-new-cluster-id" in raised.value.next_step
    assert world.store.keys == before


def test_recovered_cluster_is_accepted_on_an_explicit_wish(world: SnapshotWorld) -> None:
    """A new cluster id joins the old ones, and the old snapshots stay its own."""
    world.take()
    world.cluster.cluster_id = 0x1234

    world.take(accept_new_cluster_id=True)
    world.take()

    marker = ClusterMarker.model_validate_json(world.store.body(world.layout.marker))
    assert marker.etcd_cluster_ids[-1] == "1234"
    assert len(world.catalogue.snapshots) == 3


def test_old_cluster_after_a_recovery_is_warned_about(world: SnapshotWorld) -> None:
    """A straggler of the cluster before the recovery may still be running."""
    world.take()
    old = world.cluster.cluster_id
    world.cluster.cluster_id = 0x1234
    world.take(accept_new_cluster_id=True)
    world.cluster.cluster_id = old

    outcome = world.take()

    assert any("recovery" in warning for warning in outcome.warnings)


def test_endpoints_of_two_clusters_are_refused(world: SnapshotWorld) -> None:
    """A configuration that mixes clusters is an error, not a choice."""
    world.cluster["m3"].cluster_id = 0x9999

    with pytest.raises(ForeignCluster):
        world.take()


def test_marker_decides_between_endpoints_of_two_clusters(world: SnapshotWorld) -> None:
    """Once the prefix has an owner, members of another cluster are left out with a reason."""
    world.take()
    world.cluster["m2"].cluster_id = 0x9999

    outcome = world.take()

    assert outcome.source.observed.label == "m3"
    assert any("9999" in refused.reason for refused in outcome.choice.refused)


def test_member_at_work_is_passed_over(world: SnapshotWorld) -> None:
    """A member that this process works on already is left alone, and the next one serves."""
    member = world.cluster["m2"]

    with world.guard.hold(world.cluster.cluster_id, member.id, work="a defragmentation", subject=member.endpoint):
        outcome = world.take()

    assert outcome.source.observed.label == "m3"
    assert [failed.code for failed in outcome.failed_attempts] == [Busy.code]


def test_nobody_to_serve_is_told_with_a_reason_for_each(world: SnapshotWorld) -> None:
    """With every member down the error names each of them."""
    for member in world.cluster.members:
        member.stop()

    with pytest.raises(NoUsableMember) as raised:
        world.take()

    assert set(raised.value.context) == set(world.cluster.endpoints)
    assert world.has_left_nothing


def test_refusal_that_all_members_share_is_told_as_such(world: SnapshotWorld) -> None:
    """A client certificate that nobody accepts is a matter of TLS, with its own next step, not of sick members."""
    for member in world.cluster.members:
        member.errors["read"] = TlsRefused("unknown authority", next_step="Check the CA.")

    with pytest.raises(TlsRefused) as raised:
        world.take()

    assert raised.value.next_step == "Check the CA."
    assert set(raised.value.context) == set(world.cluster.endpoints)


def test_plain_store_is_possible(world: SnapshotWorld) -> None:
    """Without stages the object is the very file that etcdutl takes."""
    world.encoder = FakeEncoder(compress=False)

    outcome = world.take()

    stored = world.store.body(world.layout.data(outcome.snapshot.id))
    assert stored == snapshot_file(world.database.to_bytes())
    assert outcome.snapshot.manifest.stages == ()


def test_without_a_scratch_directory_memory_serves(world: SnapshotWorld) -> None:
    """Where no disk may be used, a small database is proven all the same."""
    world.scratch = MemoryScratch(limit_bytes=1 << 20)

    assert world.take().snapshot.newest_proofs[ProofLevel.CONSISTENT].passed


def test_database_that_does_not_fit_into_memory_is_refused(world: SnapshotWorld) -> None:
    """Above the limit nothing is streamed at all, and the error says what to set."""
    world.scratch = MemoryScratch(limit_bytes=1000)

    with pytest.raises(LocalStorageFull) as raised:
        world.take()

    assert "scratch" in raised.value.next_step
    assert not any(method == "snapshot" for _, method in world.cluster.calls)


def test_proofs_say_what_they_were_made_from(world: SnapshotWorld) -> None:
    """`intact` and `consistent` come from the scratch copy, `stored` from the object."""
    proofs = world.take().snapshot.newest_proofs

    assert proofs[ProofLevel.STORED].made_from is ProofOrigin.STORED_OBJECT
    assert proofs[ProofLevel.INTACT].made_from is ProofOrigin.SCRATCH
    assert proofs[ProofLevel.CONSISTENT].made_from is ProofOrigin.SCRATCH


def test_everything_is_closed_afterwards(world: SnapshotWorld) -> None:
    """No connection, stream, upload or scratch file outlives the run."""
    world.take()

    assert world.scratch.left_behind == []
    assert not +world.cluster.open_connections
    assert not +world.cluster.open_streams
    assert list(world.store.unfinished_uploads("")) == []


def test_slow_store_does_not_hold_the_stream_open(world: SnapshotWorld) -> None:
    """An open stream pins a transaction on its member, so it ends although the store takes nothing yet."""
    streams_open_at_first_write: list[int] = []
    stream_has_ended = threading.Event()

    class WatchedStream(FakeSnapshotStream):
        def __exit__(self, *failure: Any) -> None:
            super().__exit__(*failure)
            stream_has_ended.set()

    class WatchedMember(FakeEtcdMember):
        def snapshot(self, *, stall_deadline: float, total_deadline: float) -> FakeSnapshotStream:
            stream = super().snapshot(stall_deadline=stall_deadline, total_deadline=total_deadline)
            stream.__class__ = WatchedStream
            return stream

    def take_nothing_until_then(operation: str, key: str) -> None:
        if operation == "write" and not streams_open_at_first_write:
            assert stream_has_ended.wait(30)
            streams_open_at_first_write.append(sum(world.cluster.open_streams.values()))

    world.connector.connect = lambda endpoint: WatchedMember(world.cluster, endpoint)  # type: ignore[method-assign]
    world.store.faults.on_chunk = take_nothing_until_then

    world.take()

    assert streams_open_at_first_write == [0]


def test_one_canonical_line_tells_how_it_went(world: SnapshotWorld) -> None:
    """`snapshot.committed` carries what an operator greps for."""
    outcome = world.take()

    [line] = world.events.of("snapshot.committed")
    assert line.level == "info"
    assert line.fields["snapshot_id"] == str(outcome.snapshot.id)
    assert line.fields["revision"] == world.database.revision
    assert line.fields["proven"] == "consistent"


def test_a_damaged_marker_says_how_to_mend_it(world: SnapshotWorld) -> None:
    """Nothing is saved below a prefix of unknown ownership, and the way out is one deletion."""
    world.store.plant(world.layout.marker, b"x")

    with pytest.raises(ManifestInvalid) as caught:
        world.take()
    world.store.delete(world.layout.marker)

    assert "remove this one object" in caught.value.next_step
    assert world.take().snapshot.is_proven
