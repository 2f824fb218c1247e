"""Files of real members, inside and around a data directory: recognised by their bytes, imported, restored by etcd."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.codec import EnvelopeDecoder, EnvelopeEncoder
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.local_files import DirectoryScratch, PartFiles
from etcd_dr.adapters.stores.directory import DirectoryObjectStore
from etcd_dr.adapters.stores.settings import DirectorySettings
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.file_kind import HEAD_BYTES, FileFormat, recognise
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.workflows.fetch_snapshot import fetch_snapshot
from etcd_dr.workflows.import_snapshot import ImportOrder, ImportOutcome, ImportPorts, import_file
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.unwrap_file import UnwrapPorts
from fakes.events import RecordingEvents, RecordingProgress
from real.peers.etcd_tools import StockTools

LAYOUT = ClusterLayout(prefix="", cluster="prod")


class RealStore:
    """A directory store with scratch space, as `etcd-dr snapshot import` has them."""

    def __init__(self, directory: Path) -> None:
        for name in ("store", "scratch"):
            (directory / name).mkdir()
        self._clock, self._tokens = SystemClock(), SystemTokens()
        self.store = DirectoryObjectStore(
            DirectorySettings(directory / "store"), clock=self._clock, tokens=self._tokens
        )
        self._unwrap = UnwrapPorts(
            scratch=DirectoryScratch(directory / "scratch"),
            decoder=EnvelopeDecoder(),
            cancellation=CancellationSwitch(),
            progress=RecordingProgress(),
        )

    def import_file(self, path: Path) -> ImportOutcome:
        ports = ImportPorts(
            store=self.store,
            encoder=EnvelopeEncoder(),
            unwrap=self._unwrap,
            clock=self._clock,
            tokens=self._tokens,
            events=RecordingEvents(),
        )
        order = ImportOrder(layout=LAYOUT, taken_by="test")
        return import_file(path, order, read_catalogue(self.store, LAYOUT), ports=ports)

    def fetch(self, outcome: ImportOutcome, destination: Path) -> Path:
        return fetch_snapshot(
            self.store,
            LAYOUT,
            outcome.snapshot.manifest,
            destination,
            decoder=EnvelopeDecoder(),
            files=PartFiles(),
            cancellation=CancellationSwitch(),
            progress=RecordingProgress(),
        ).path


@pytest.fixture
def real_store(tmp_path: Path) -> RealStore:
    return RealStore(tmp_path)


@dataclass(frozen=True)
class Stopped:
    """A member that was written to and stopped, and the revision of the last write: 200 of them, one perhaps twice."""

    data_dir: Path
    revision: int


@pytest.fixture
def stopped(fresh_cluster: Callable[..., LocalCluster]) -> Stopped:
    """One member's data directory, which is all there is of it."""
    cluster, revision = fresh_cluster(size=1), 0
    with cluster.gateway() as gateway:
        for number in range(200):
            revision = gateway.put_through(b"/imported/%d" % (number % 50), b"value %d " % number * 50)
    cluster.stop()
    return Stopped(cluster.members[0].data_dir, revision)


@pytest.mark.every_etcd
def test_the_raw_database_of_a_stopped_member_restores_without_skipping_the_hash_check(
    stopped: Stopped, tmp_path: Path, real_store: RealStore, stock_tools: StockTools
) -> None:
    """The import gives it the trailer that etcdutl asks for."""
    raw = stopped.data_dir / "member/snap/db"

    outcome = real_store.import_file(raw)
    fetched = real_store.fetch(outcome, tmp_path / "fetched.db")
    stock_tools.etcdutl("snapshot", "restore", fetched, "--data-dir", tmp_path / "restored")

    database = outcome.snapshot.manifest.database
    assert outcome.snapshot.is_proven
    assert outcome.snapshot.manifest.labels["import.trailer"] == "appended"
    assert database.live_keys == 50
    assert stock_tools.snapshot_status(fetched)["hash"] == database.status_hash
    assert stock_tools.snapshot_status(fetched)["revision"] == database.revision == stopped.revision >= 201


def test_a_full_snapshot_of_another_tool_comes_out_as_it_went_in(
    shared_cluster: LocalCluster, tmp_path: Path, real_store: RealStore, stock_tools: StockTools
) -> None:
    """What etcdctl saved and gzip packed is fetched again bit for bit."""
    with shared_cluster.gateway() as gateway:
        gateway.put_through(b"/imported", b"once")
    saved = stock_tools.save_snapshot(shared_cluster, tmp_path / "saved.db")
    packed = tmp_path / "Full-00000000-00000009-1692525600.gz"
    packed.write_bytes(gzip.compress(saved.read_bytes()))

    outcome = real_store.import_file(packed)
    fetched = real_store.fetch(outcome, tmp_path / "fetched.db")

    assert fetched.read_bytes() == saved.read_bytes()
    assert outcome.snapshot.manifest.source.platform == "etcd-backup-restore"
    assert len(outcome.snapshot.manifest.topology) == 3


@pytest.mark.every_etcd
def test_the_other_files_of_a_data_directory_are_recognised(stopped: Stopped) -> None:
    """Whoever names the wrong file of a data directory learns which one is right."""
    member = stopped.data_dir / "member"
    logs = list(member.glob("wal/*.wal"))

    kinds = [_kind(path) for path in logs]

    assert logs
    assert {kind.description for kind in kinds} == {"a write-ahead log of etcd"}
    assert _kind(member / "snap/db").format is FileFormat.DATABASE


def test_a_raft_snapshot_is_recognised(
    fresh_cluster: Callable[..., LocalCluster], tmp_path: Path, stock_tools: StockTools
) -> None:
    """The .snap files beside the database hold the membership only."""
    cluster = fresh_cluster(size=1)
    saved = stock_tools.save_snapshot(cluster, tmp_path / "saved.db")
    stock_tools.etcdutl("snapshot", "restore", saved, "--data-dir", tmp_path / "restored")

    (raft_snapshot,) = (tmp_path / "restored/member/snap").glob("*.snap")

    assert _kind(raft_snapshot).description == "a raft snapshot of etcd"


def _kind(path: Path):
    body = path.read_bytes()
    return recognise(head=body[:HEAD_BYTES], tail=body[-HEAD_BYTES:], size_bytes=len(body))
