"""Comparing a snapshot with live members that write, compact, lag and remember old hashes meanwhile."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from etcd_dr import boltdb
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.errors import Cancelled, MemberTimeout
from etcd_dr.workflows.ask_hash import LiveHash
from etcd_dr.workflows.observe_members import observe_members
from etcd_dr.workflows.prove_consistent import prove_consistent
from etcd_dr.workflows.prove_intact import PlainFile
from etcd_dr.workflows.receive_stream import raise_if_cancelled
from etcd_dr.workflows.take_snapshot import SnapshotOutcome
from fakes.etcd import FakeEtcdMember, FakeSnapshotStream
from fakes.etcd_database import EtcdDatabase
from fakes.events import RecordingProgress
from scenarios.snapshot_world import SnapshotWorld


@pytest.fixture
def world(tmp_path: Path) -> SnapshotWorld:
    return SnapshotWorld(tmp_path, keys=300)


def consistent(outcome: SnapshotOutcome) -> Proof:
    return outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT]


def after_reading(world: SnapshotWorld, change: object) -> None:
    """Do something to the cluster once the stream has been read: when the object is read back."""

    def once(operation: str, key: str) -> None:
        world.store.faults.on_chunk = None
        assert callable(change)
        change()

    world.store.faults.on_chunk = once


def test_writes_after_the_snapshot_do_not_matter(world: SnapshotWorld) -> None:
    """Members are asked at the file's revision, not at theirs."""
    after_reading(world, lambda: world.cluster.write(500))

    assert consistent(world.take()).passed


def test_compaction_below_the_files_revision_is_followed(world: SnapshotWorld) -> None:
    """The file is hashed with the compact revision that the member answers with."""
    after_reading(world, lambda: world.cluster.compact(world.database.revision - 50))

    proof = consistent(world.take())

    assert proof.passed
    assert any(w.compact_revision == world.database.revision - 50 for w in proof.witnesses)


def test_compaction_past_the_files_revision_leaves_the_early_witness(world: SnapshotWorld) -> None:
    """One follower is asked while the stream runs, so a compaction that overtakes the snapshot costs nothing."""
    revision = world.database.revision
    for member in world.cluster.members:
        member.errors.clear()
    hash_kv = FakeEtcdMember.hash_kv
    asked: list[str] = []

    class Racing(FakeEtcdMember):
        def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
            answer = hash_kv(self, revision=revision, deadline=deadline)
            asked.append(self.endpoint)
            world.cluster.write(100)
            world.cluster.compact(world.cluster["m1"].revision)
            return answer

    world.connector.connect = lambda endpoint: Racing(world.cluster, endpoint)  # type: ignore[method-assign]

    proof = consistent(world.take())

    assert proof.result is ProofResult.PASSED
    assert [w.revision for w in proof.witnesses] == [revision]
    assert asked == [world.cluster["m3"].endpoint]


class CompactedAfterwards(RecordingProgress):
    """Compacts all members past the snapshot once its stream is over and one of them has answered."""

    def __init__(self, world: SnapshotWorld, has_answered: threading.Event) -> None:
        super().__init__()
        self._world = world
        self._has_answered = has_answered

    def begin(self, phase: str, *, total_bytes: int | None) -> None:
        super().begin(phase, total_bytes=total_bytes)
        if phase == "examining":
            self._has_answered.wait(60)
            self._world.cluster.write(100)
            self._world.cluster.compact(self._world.cluster["m1"].revision)


def test_early_witness_answers_through_an_election(world: SnapshotWorld) -> None:
    """The read with which it catches up is cut off by a new leader, and asked once more: later nobody could answer."""
    has_answered = threading.Event()

    class Elected(FakeEtcdMember):
        def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
            answer = super().hash_kv(revision=revision, deadline=deadline)
            has_answered.set()
            return answer

        def snapshot(self, *, stall_deadline: float, total_deadline: float) -> FakeSnapshotStream:
            world.cluster["m3"].leader_changes = 1
            return super().snapshot(stall_deadline=stall_deadline, total_deadline=total_deadline)

    world.connector.connect = lambda endpoint: Elected(world.cluster, endpoint)  # type: ignore[method-assign]
    world.progress = CompactedAfterwards(world, has_answered)

    proof = consistent(world.take())

    assert proof.passed, proof.detail
    assert world.cluster["m3"].leader_changes == 0


def test_everything_compacted_is_inconclusive_and_says_why(world: SnapshotWorld) -> None:
    """Where no member can answer any more the proof is open, not failed, and the snapshot stands."""
    for member in world.cluster.members:
        member.errors["hash_kv"] = MemberTimeout("no answer within 15 s", subject=member.endpoint)

    outcome = world.take()

    assert consistent(outcome).result is ProofResult.INCONCLUSIVE
    assert "no answer within 15 s" in consistent(outcome).detail
    assert outcome.snapshot.is_proven


def test_member_that_lags_is_made_to_catch_up(world: SnapshotWorld) -> None:
    """A witness behind the file's revision serves a linearizable read, and then its hash."""
    lagging = world.cluster["m3"]
    behind = lagging.revision - 10

    class CatchingUp(FakeEtcdMember):
        def read(self, *, linearizable: bool, deadline: float) -> int:
            revision = super().read(linearizable=linearizable, deadline=deadline)
            if self.endpoint == lagging.endpoint and world.progress.phases:
                lagging.revision = revision
            return revision

    lagging.revision = behind
    world.connector.connect = lambda endpoint: CatchingUp(world.cluster, endpoint)  # type: ignore[method-assign]

    proof = consistent(world.take())

    assert proof.passed
    assert "m3" in {w.member for w in proof.witnesses}


def test_hash_kept_from_a_compaction_is_asked_for_again(world: SnapshotWorld) -> None:
    """etcd 3.5.5+ answers at a compaction's revision with the hash made during it, one compaction too old to compare."""
    database = EtcdDatabase.of_keys(300)
    database.put(b"/registry/pods/default/pod-000001", b"changed")
    database.compact(database.revision)
    world.share(database)

    class Remembering(FakeEtcdMember):
        def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
            if revision == database.revision:
                return HashKv(0xDEADBEEF, revision, 5)
            return super().hash_kv(revision=revision, deadline=deadline)

    world.connector.connect = lambda endpoint: Remembering(world.cluster, endpoint)  # type: ignore[method-assign]

    proof = consistent(world.take())

    assert proof.passed
    assert {w.compact_revision for w in proof.witnesses} == {database.compact_revision}


def test_large_database_is_compared_with_one_other_follower(world: SnapshotWorld) -> None:
    """HashKV holds up a member for seconds per GB: above the limit one is asked, and only once."""
    world.limits = SnapshotLimits(hash_max_bytes=1000)

    proof = consistent(world.take())

    assert proof.passed
    assert [w.member for w in proof.witnesses] == ["m3"]
    assert sum(method == "hash_kv" for _, method in world.cluster.calls) == 1


def test_members_are_left_alone_on_request(world: SnapshotWorld) -> None:
    """With live hashes off nothing is asked and nothing claimed."""
    world.limits = SnapshotLimits(hash_live_members=False)

    outcome = world.take()

    assert ProofLevel.CONSISTENT not in outcome.snapshot.newest_proofs
    assert not any(method == "hash_kv" for _, method in world.cluster.calls)


def test_leader_witnesses_where_nobody_else_can(world: SnapshotWorld) -> None:
    """With one follower left, the leader's word is needed for a second opinion."""
    world.cluster["m3"].stop()

    proof = consistent(world.take())

    assert proof.passed
    assert {w.member for w in proof.witnesses} == {"m1", "m2"}


def test_wish_to_stop_is_heard_while_the_file_is_hashed(world: SnapshotWorld, tmp_path: Path) -> None:
    """Hashing a large file takes a while, and nobody waits for its end."""
    path = tmp_path / "plain.db"
    path.write_bytes(world.database.to_bytes())
    file = PlainFile(path, Digest.of_sha256(bytes(32)), ProofOrigin.SCRATCH)
    status = boltdb.examine(path, with_hash_kv=True).status
    assert status is not None
    hashed = HashKv(1, status.current_revision - 10, status.compact_revision)
    world.cancellation.cancel("a person stopped it")

    with observe_members(world.connector, deadline=1.0) as live, pytest.raises(Cancelled):
        prove_consistent(
            file,
            status=status,
            live=live,
            cluster_id=world.cluster.cluster_id,
            source_id=None,
            early=LiveHash(live.members[0], hashed),
            limits=world.limits,
            at=world.clock.now(),
            stop=partial(raise_if_cancelled, world.cancellation),
        )
