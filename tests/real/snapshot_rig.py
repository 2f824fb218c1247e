"""The snapshot pipeline over real parts: a real cluster, a real store, real keys, real scratch files.

rig = SnapshotRig(cluster, store, tmp_path)
outcome = rig.take()
assert rig.visible == []
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyrage

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.codec import EnvelopeDecoder, EnvelopeEncoder, parse_recipients, read_identity_files
from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import EtcdGateway, EtcdProcess, LocalCluster
from etcd_dr.adapters.local_cluster.gateway import may_pass
from etcd_dr.adapters.local_files import DirectoryScratch, PartFiles
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.errors import EtcdError
from etcd_dr.ports.etcd import EtcdConnector, EtcdMember
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.fetch_snapshot import FetchedSnapshot, fetch_snapshot
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.keep_companions import CompanionOrder
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.take_snapshot import SnapshotOutcome, take_snapshot
from etcd_dr.workflows.verify_snapshot import VerifyOutcome, VerifyPorts, verify_snapshot
from fakes.events import RecordingEvents, RecordingProgress


class TriggeredProgress(RecordingProgress):
    """Calls `trigger` once when so many bytes of a phase have passed: the way into the middle of a stream."""

    def __init__(self, trigger: Callable[[], object], *, after_bytes: int) -> None:
        super().__init__()
        self._trigger: Callable[[], object] | None = trigger
        self._after_bytes = after_bytes

    def advance(self, count_bytes: int) -> None:
        super().advance(count_bytes)
        if self._trigger is not None and self.count_bytes >= self._after_bytes:
            trigger, self._trigger = self._trigger, None
            trigger()


class TriggeredPhase(RecordingProgress):
    """Calls `trigger` when a phase begins, before anything of it is done."""

    def __init__(self, phase: str, trigger: Callable[[], object]) -> None:
        super().__init__()
        self._phase = phase
        self._trigger = trigger

    def begin(self, phase: str, *, total_bytes: int | None) -> None:
        super().begin(phase, total_bytes=total_bytes)
        if phase == self._phase:
            self._trigger()


class HashListener:
    """A connector whose `has_answered` is set once any member has answered HashKV."""

    def __init__(self, connector: EtcdConnector) -> None:
        self._connector = connector
        self.endpoints = connector.endpoints
        self.has_answered = threading.Event()

    def connect(self, endpoint: str) -> EtcdMember:
        return _HeardMember(self._connector.connect(endpoint), self.has_answered)


class _HeardMember:
    def __init__(self, member: EtcdMember, has_answered: threading.Event) -> None:
        self._member = member
        self._has_answered = has_answered

    def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
        answer = self._member.hash_kv(revision=revision, deadline=deadline)
        self._has_answered.set()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)


class SnapshotRig:
    def __init__(
        self, cluster: LocalCluster, store: ObjectStore, directory: Path, *, endpoints: Sequence[str] | None = None
    ) -> None:
        tls = cluster.client_tls
        clock, tokens = SystemClock(), SystemTokens()
        identity = pyrage.x25519.Identity.generate()
        scratch = directory / "scratch"
        scratch.mkdir(exist_ok=True)
        self.cluster = cluster
        self.store = store
        self.recipient = str(identity.to_public())
        self.identity_file = directory / "identity.txt"
        self.identity_file.write_text(f"{identity}\n")
        self.connector: EtcdConnector = GrpcEtcdConnector(
            EtcdAccess(
                endpoints=tuple(endpoints or cluster.endpoints),
                ca_file=tls.ca,
                cert_file=tls.certificate,
                key_file=tls.key,
            ),
            clock=clock,
        )
        self.encoder = EnvelopeEncoder(zstd_level=1, recipients=parse_recipients((self.recipient,)))
        self.decoder = EnvelopeDecoder(read_identity_files([self.identity_file]))
        self.scratch = DirectoryScratch(scratch)
        self.scratch_directory = scratch
        self.clock, self.tokens = clock, tokens
        self.events = RecordingEvents()
        self.progress = RecordingProgress()
        self.cancellation = CancellationSwitch()
        self.guard = MemberGuard()
        self.layout = ClusterLayout(prefix="backups", cluster="prod")
        self.limits = SnapshotLimits(call_deadline=15.0)  # a busy machine is no silent member

    def take(self, *, endpoint: str | None = None, companions: CompanionOrder | None = None) -> SnapshotOutcome:
        order = SnapshotOrder(layout=self.layout, reason="on-demand", taken_by="test", endpoint=endpoint)
        ports = PipelinePorts(
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
            companions=companions,
        )
        return take_snapshot(order, ports=ports, limits=self.limits)

    def verify(self, snapshot: Snapshot, *, up_to: ProofLevel = ProofLevel.INTACT) -> VerifyOutcome:
        ports = VerifyPorts(
            store=self.store,
            decoder=self.decoder,
            scratch=self.scratch,
            clock=self.clock,
            tokens=self.tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
            connector=self.connector,
        )
        return verify_snapshot(snapshot, self.layout, up_to=up_to, ports=ports)

    def fetch(self, snapshot: Snapshot, destination: Path) -> FetchedSnapshot:
        return fetch_snapshot(
            self.store,
            self.layout,
            snapshot.manifest,
            destination,
            decoder=self.decoder,
            files=PartFiles(),
            cancellation=self.cancellation,
            progress=self.progress,
        )

    @property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.store, self.layout)

    @property
    def visible(self) -> list[str]:
        """Every object below the cluster's snapshots."""
        return [stored.key for stored in self.store.list(self.layout.snapshots)]

    @property
    def unfinished(self) -> list[str]:
        return [upload.key for upload in self.store.unfinished_uploads(self.layout.snapshots)]

    @property
    def scratch_files(self) -> list[str]:
        return sorted(path.name for path in self.scratch_directory.iterdir())

    @property
    def has_left_nothing(self) -> bool:
        return not (self.visible or self.unfinished or self.scratch_files)


def wait_until_applied(member: EtcdProcess, revision: int) -> None:
    """Return once a member has this revision, learner or not: a write is acknowledged when a majority has it."""

    def has_applied() -> bool:
        answer = gateway.call("/v3/maintenance/status", {})
        return int(answer["header"].get("revision", 0)) >= revision

    with member.gateway() as gateway:
        member.wait_until(has_applied, deadline_seconds=60)


def compact_through(gateway: EtcdGateway, revision: int, *, deadline_seconds: float = 60.0) -> None:
    """Compact to its end, asked again where an election cuts the answer off: it may have come through all the same."""
    ends = time.monotonic() + deadline_seconds
    while True:
        try:
            gateway.call("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        except EtcdError as failure:
            if "has been compacted" in failure.message:
                return
            if not may_pass(failure) or time.monotonic() >= ends:
                raise
            time.sleep(0.05)
        else:
            return


def fill(cluster: LocalCluster, *, megabytes: int) -> None:
    """Write so many MB of values that do not compress, so that a stream takes a while."""
    randomness = random.Random(megabytes)
    with cluster.gateway() as gateway:
        for number in range(megabytes * 2):
            gateway.put_through(b"/fill/%06d" % number, randomness.randbytes(500_000))
