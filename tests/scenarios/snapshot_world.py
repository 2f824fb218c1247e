"""A whole world over fakes for stories about snapshots: a cluster, a store, a codec, a scratch space, a clock.

world = SnapshotWorld(tmp_path)
world.cluster["m2"].stream_fault = WrongTrailer()
outcome = world.take()
assert world.has_left_nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.local_files import PartFiles
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.fetch_snapshot import FetchedSnapshot, fetch_snapshot
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.take_snapshot import SnapshotOutcome, take_snapshot
from etcd_dr.workflows.verify_snapshot import VerifyOutcome, VerifyPorts, verify_snapshot
from fakes.clock import CountingTokens, FakeClock
from fakes.codec import FakeDecoder, FakeEncoder
from fakes.etcd import FakeCluster, FakeEtcdConnector
from fakes.etcd_database import EtcdDatabase
from fakes.events import RecordingEvents, RecordingProgress
from fakes.local_files import FakeScratch
from fakes.object_store import FakeObjectStore

ALICE = "age1alice"


class SnapshotWorld:
    """Three members with one database of 2,000 keys (about 400 kB), everything sound until a test bends it."""

    def __init__(self, directory: Path, *, keys: int = 2000) -> None:
        self.clock = FakeClock()
        self.store = FakeObjectStore(now=self.clock.now)
        self.cluster = FakeCluster.of_three(advance=self.clock.advance)
        self.cluster.hash_of = self._true_hash
        self.connector = FakeEtcdConnector(self.cluster)
        self.encoder = FakeEncoder(recipients=(ALICE,))
        self.decoder = FakeDecoder(identities=(ALICE,))
        scratch_directory = directory / "scratch"
        scratch_directory.mkdir()
        self.scratch = FakeScratch(scratch_directory)
        self.tokens = CountingTokens()
        self.events = RecordingEvents()
        self.progress = RecordingProgress()
        self.cancellation = CancellationSwitch()
        self.guard = MemberGuard()
        self.layout = ClusterLayout(prefix="backups", cluster="prod")
        self.limits = SnapshotLimits()
        self.database = EtcdDatabase.of_keys(keys)
        self.share(self.database)

    def share(self, database: EtcdDatabase) -> None:
        """Give every member this database."""
        self.database = database
        self.cluster.live_keys = {b"/registry/pods/": database.live_keys}
        body = database.to_bytes()
        for member in self.cluster.members:
            member.database = body
            member.revision = database.revision
            member.compact_revision = database.compact_revision

    def take(
        self,
        *,
        endpoint: str | None = None,
        accept_new_cluster_id: bool = False,
        labels: Mapping[str, str] | None = None,
    ) -> SnapshotOutcome:
        order = SnapshotOrder(
            layout=self.layout,
            reason="on-demand",
            taken_by="test",
            endpoint=endpoint,
            labels=labels or {},
            fencing=7,
            accept_new_cluster_id=accept_new_cluster_id,
        )
        self.clock.advance(60)
        return take_snapshot(order, ports=self.ports, limits=self.limits)

    @property
    def ports(self) -> PipelinePorts:
        return PipelinePorts(
            connector=self.connector,
            store=self.store,
            encoder=self.encoder,
            scratch=self.scratch,
            clock=self.clock,
            tokens=self.tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
            guard=self.guard,
        )

    def verify(
        self, snapshot: Snapshot, *, up_to: ProofLevel = ProofLevel.INTACT, live: bool = False, record: bool = True
    ) -> VerifyOutcome:
        self.clock.advance(60)
        ports = VerifyPorts(
            store=self.store,
            decoder=self.decoder,
            scratch=self.scratch,
            clock=self.clock,
            tokens=self.tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
            connector=self.connector if live else None,
        )
        return verify_snapshot(snapshot, self.layout, up_to=up_to, ports=ports, record=record)

    def fetch(self, snapshot: Snapshot, destination: Path, *, overwrite: bool = False) -> FetchedSnapshot:
        return fetch_snapshot(
            self.store,
            self.layout,
            snapshot.manifest,
            destination,
            decoder=self.decoder,
            files=PartFiles(),
            cancellation=self.cancellation,
            progress=self.progress,
            overwrite=overwrite,
        )

    @property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.store, self.layout)

    @property
    def has_left_nothing(self) -> bool:
        """Whether nothing of a snapshot is visible, under way, in scratch, or open."""
        return not (
            [key for key in self.store.keys if key.startswith(self.layout.snapshots)]
            or list(self.store.unfinished_uploads(""))
            or self.scratch.left_behind
            or +self.cluster.open_streams
            or +self.cluster.open_connections
        )

    def _true_hash(self, revision: int, compact_revision: int) -> int:
        """Answer HashKV as a member with this database would."""
        body = self.database.to_bytes()
        own = self.database.compact_revision
        return boltdb.hash_kv(body, revision=revision, compact_revision=max(compact_revision, own)).hash
