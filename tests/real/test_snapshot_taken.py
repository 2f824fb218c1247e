"""Snapshots of a real three-member cluster with mutual TLS, in a real bucket and in a directory."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.stores import DirectorySettings, open_store
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.member_choice import Role
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.ports.object_store import ObjectStore
from real.peers.etcd_tools import StockTools
from real.peers.load_writer import LoadWriter
from real.peers.rclone import RcloneS3
from real.peers.weed import WeedS3
from real.snapshot_rig import HashListener, SnapshotRig, TriggeredPhase, compact_through, wait_until_applied
from real.store_settings import open_bucket, s3_settings

RACING_SNAPSHOTS = 6


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "directory":
        (tmp_path / "store").mkdir()
        opened: ObjectStore = open_store(
            DirectorySettings(root=tmp_path / "store"), clock=SystemClock(), tokens=SystemTokens()
        )
    else:
        server: WeedS3 = request.getfixturevalue("s3_server")
        opened = open_bucket(s3_settings(server, request.getfixturevalue("s3_bucket"), tmp_path / "keys"))
    yield opened
    opened.close()


@pytest.fixture
def directory_store(tmp_path: Path) -> ObjectStore:
    (tmp_path / "store").mkdir()
    return open_store(DirectorySettings(root=tmp_path / "store"), clock=SystemClock(), tokens=SystemTokens())


@pytest.mark.every_etcd
def test_snapshot_is_proven_fetched_and_taken_by_stock_tools(
    shared_cluster: LocalCluster,
    store: ObjectStore,
    stock_tools: StockTools,
    load_writer: Callable[..., LoadWriter],
    tmp_path: Path,
) -> None:
    """Three proofs at once; what comes back is what etcdutl reads the same numbers from, and restores."""
    load_writer(shared_cluster, seed=1).wait_for(300)
    rig = SnapshotRig(shared_cluster, store, tmp_path)

    outcome = rig.take()
    fetched = rig.fetch(outcome.snapshot, tmp_path / "fetched.db")

    manifest = outcome.snapshot.manifest
    status = stock_tools.snapshot_status(fetched.path)
    assert {p.level: p.result for p in outcome.snapshot.proofs} == dict.fromkeys(
        (ProofLevel.STORED, ProofLevel.INTACT, ProofLevel.CONSISTENT), ProofResult.PASSED
    )
    assert outcome.source.observed.role is Role.FOLLOWER
    assert (status["hash"], status["revision"], status["totalSize"]) == (
        manifest.database.status_hash,
        manifest.database.revision,
        manifest.database.total_size_bytes,
    )
    assert status["totalKey"] in (manifest.database.all_records, manifest.database.live_keys)
    assert [s.id for s in rig.catalogue.snapshots] == [outcome.snapshot.id]
    assert rig.scratch_files == []
    stock_tools.etcdutl("snapshot", "restore", fetched.path, "--data-dir", tmp_path / "restored")


@pytest.mark.every_etcd
def test_snapshot_that_races_compactions_is_still_consistent(
    shared_cluster: LocalCluster,
    directory_store: ObjectStore,
    load_writer: Callable[..., LoadWriter],
    tmp_path: Path,
) -> None:
    """Under writes and compactions that keep 1000 revisions, a second or two, every snapshot gets its proof."""
    load = load_writer(shared_cluster, seed=2, keeps=1000)
    load.wait_until_compacted()
    compactions_before = load.compactions
    rig = SnapshotRig(shared_cluster, directory_store, tmp_path)

    proofs = []
    while len(proofs) < RACING_SNAPSHOTS or load.compactions == compactions_before:
        proofs.append(rig.take().snapshot.newest_proofs[ProofLevel.CONSISTENT])

    assert [(p.result, p.detail) for p in proofs if not p.passed] == []


@pytest.mark.every_etcd
def test_members_that_compact_past_the_snapshot_have_answered_for_it_before(
    fresh_cluster: Callable[..., LocalCluster], directory_store: ObjectStore, tmp_path: Path
) -> None:
    """The stream is over, then all members compact past its end: what was asked while it ran proves the snapshot."""
    cluster = fresh_cluster()
    with cluster.gateway() as gateway:
        for number in range(50):
            gateway.put_through(b"/early/%02d" % (number % 7), b"%d" % number)
    rig = SnapshotRig(cluster, directory_store, tmp_path)
    hashed = HashListener(rig.connector)
    rig.connector = hashed

    def compact() -> None:
        assert hashed.has_answered.wait(60), "nobody was asked while the stream ran"
        with cluster.gateway() as gateway:
            newest = gateway.put_through(b"/early/after", b"")
            compact_through(gateway, newest)
        for member in cluster.members:
            wait_until_applied(member, newest)

    rig.progress = TriggeredPhase("examining", compact)
    taken = rig.take().snapshot

    proof = taken.newest_proofs[ProofLevel.CONSISTENT]
    assert proof.passed, proof.detail
    [witness] = proof.witnesses
    assert witness.revision == taken.manifest.database.revision


def test_stock_programs_undo_the_envelope(
    shared_cluster: LocalCluster,
    directory_store: ObjectStore,
    stock_program: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Without etcd-dr: age and zstd give the plain snapshot, byte for byte."""
    rig = SnapshotRig(shared_cluster, directory_store, tmp_path)
    snapshot = rig.take().snapshot
    stored = tmp_path / "store" / rig.layout.data(snapshot.id)
    compressed, plain = tmp_path / "data.zst", tmp_path / "data.db"

    subprocess.run([stock_program("age"), "-d", "-i", rig.identity_file, "-o", compressed, stored], check=True)
    subprocess.run([stock_program("zstd"), "-q", "-d", compressed, "-o", plain], check=True)

    assert plain.read_bytes() == rig.fetch(snapshot, tmp_path / "fetched.db").path.read_bytes()


def test_stored_snapshot_is_verified_against_live_members(
    shared_cluster: LocalCluster, directory_store: ObjectStore, tmp_path: Path
) -> None:
    """With an identity and members at hand, all three levels are proven again, from the stored object."""
    rig = SnapshotRig(shared_cluster, directory_store, tmp_path)
    snapshot = rig.take().snapshot

    outcome = rig.verify(snapshot, up_to=ProofLevel.CONSISTENT)

    assert [(p.level, p.result) for p in outcome.proofs] == [
        (ProofLevel.STORED, ProofResult.PASSED),
        (ProofLevel.INTACT, ProofResult.PASSED),
        (ProofLevel.CONSISTENT, ProofResult.PASSED),
    ]
    assert not outcome.is_damaged


def test_bit_rot_in_the_store_is_found(
    shared_cluster: LocalCluster, directory_store: ObjectStore, tmp_path: Path
) -> None:
    """One flipped bit in the stored file fails its proof, and the catalogue shows the snapshot as damaged."""
    rig = SnapshotRig(shared_cluster, directory_store, tmp_path)
    snapshot = rig.take().snapshot
    stored = tmp_path / "store" / rig.layout.data(snapshot.id)
    body = bytearray(stored.read_bytes())
    body[len(body) // 2] ^= 1
    stored.chmod(0o600)
    stored.write_bytes(body)

    outcome = rig.verify(snapshot)

    [shown] = rig.catalogue.snapshots
    assert outcome.is_damaged
    assert shown.is_damaged
    assert shown.level is None


def test_learner_serves_the_snapshot(
    fresh_cluster: Callable[..., LocalCluster], directory_store: ObjectStore, tmp_path: Path
) -> None:
    """A learner that caught up is preferred, and voters witness its data."""
    cluster = fresh_cluster(size=1)
    with cluster.gateway() as gateway:
        revision = gateway.put(b"/key", b"value")
    learner = cluster.add_learner()
    wait_until_applied(learner, revision)
    rig = SnapshotRig(cluster, directory_store, tmp_path)

    outcome = rig.take()

    proof = outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT]
    assert outcome.source.observed.label == learner.name
    assert proof.passed
    assert [w.member for w in proof.witnesses] == ["m1"]


def test_survivor_without_quorum_is_saved(
    fresh_cluster: Callable[..., LocalCluster], directory_store: ObjectStore, tmp_path: Path
) -> None:
    """Two of three members dead: the third one's data is stored, intact, and not called consistent."""
    cluster = fresh_cluster()
    with cluster.gateway() as gateway:
        revision = gateway.put_through(b"/key", b"value")
    wait_until_applied(cluster.members[2], revision)  # a majority has it by now, which may be the two that die
    for member in cluster.members[:2]:
        member.kill()
    rig = SnapshotRig(cluster, directory_store, tmp_path)

    outcome = rig.take()

    assert outcome.source.observed.label == "m3"
    assert outcome.snapshot.manifest.database.revision >= revision
    assert not outcome.choice.has_quorum
    assert outcome.snapshot.newest_proofs[ProofLevel.CONSISTENT].result is ProofResult.INCONCLUSIVE
    assert outcome.snapshot.is_proven


def test_store_that_lies_about_conditions_is_named(
    shared_cluster: LocalCluster, lying_s3_server: RcloneS3, tmp_path: Path
) -> None:
    """A server that ignores If-None-Match is probed, the commit is unconditional, and the manifest says so."""
    bucket = lying_s3_server.make_bucket("snapshots-here")
    store = open_bucket(s3_settings(lying_s3_server, bucket, tmp_path / "keys", checksum="md5"))
    rig = SnapshotRig(shared_cluster, store, tmp_path)

    outcome = rig.take()

    assert outcome.snapshot.manifest.commit == "unconditional"
    assert rig.events.of("store.unconditional_commit")
    store.close()
