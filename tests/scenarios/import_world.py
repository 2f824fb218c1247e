"""A store, a scratch space and files of other tools, for stories about files from outside.

world = ImportWorld(tmp_path)
file = world.file("etcd-snapshot-node-1-1692525600", world.snapshot_bytes)
outcome = world.import_file(file)
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.codec import EnvelopeDecoder, read_identity_files
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.inspected_file import InspectedFile
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.workflows.import_snapshot import ImportOrder, ImportOutcome, ImportPorts, import_file, import_object
from etcd_dr.workflows.inspect_file import inspect_file
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.unwrap_file import UnwrapPorts
from etcd_dr.workflows.verify_snapshot import VerifyOutcome, VerifyPorts, verify_snapshot
from fakes.catalogue import moment
from fakes.clock import CountingTokens, FakeClock
from fakes.codec import FakeDecoder, FakeEncoder
from fakes.etcd_database import EtcdDatabase
from fakes.events import RecordingEvents, RecordingProgress
from fakes.local_files import FakeScratch
from fakes.object_store import FakeObjectStore

NOON = moment("2026-08-20 12:00")


class ImportWorld:
    """The decoder is the real one, because files of other tools come in real envelopes; what is stored goes through
    the fake encoder. `identities` are files."""

    def __init__(self, directory: Path, *, keys: int = 300, identities: tuple[Path, ...] = ()) -> None:
        self.clock = FakeClock(NOON)
        self.store = FakeObjectStore(now=self.clock.now)
        self.layout = ClusterLayout(prefix="backups", cluster="prod")
        self.events = RecordingEvents()
        self.progress = RecordingProgress()
        self.cancellation = CancellationSwitch()
        self.files = directory / "files"
        self.files.mkdir()
        scratch_directory = directory / "scratch"
        scratch_directory.mkdir()
        self.scratch = FakeScratch(scratch_directory)
        self.encoder = FakeEncoder(recipients=("age1alice",))
        self.decoder = EnvelopeDecoder(read_identity_files(identities))
        self.database_bytes = EtcdDatabase.of_keys(keys).to_bytes()
        self.snapshot_bytes = self.database_bytes + hashlib.sha256(self.database_bytes).digest()
        self._tokens = CountingTokens()

    def file(self, name: str, body: bytes, *, changed_at: datetime | None = None) -> Path:
        """Write a file; without a time of its own it was last changed on 1 August 2026."""
        path = self.files / name
        path.write_bytes(body)
        seconds = (changed_at or datetime(2026, 8, 1, tzinfo=UTC)).timestamp()
        os.utime(path, (seconds, seconds))
        return path

    @property
    def unwrap_ports(self) -> UnwrapPorts:
        return UnwrapPorts(
            scratch=self.scratch, decoder=self.decoder, cancellation=self.cancellation, progress=self.progress
        )

    def inspect(self, path: Path, **options: int) -> InspectedFile:
        return inspect_file(path, ports=self.unwrap_ports, **options)

    def import_file(self, path: Path, **order: object) -> ImportOutcome:
        return import_file(path, self._order(order), self.catalogue, ports=self._ports)

    def import_object(self, key: str, **order: object) -> ImportOutcome:
        return import_object(key, self._order(order), self.catalogue, ports=self._ports)

    def verify(self, snapshot: Snapshot) -> VerifyOutcome:
        """Verify from the store a minute later, as anybody with the identity would."""
        self.clock.advance(60)
        ports = VerifyPorts(
            store=self.store,
            decoder=FakeDecoder(identities=("age1alice",)),
            scratch=self.scratch,
            clock=self.clock,
            tokens=self._tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
        )
        return verify_snapshot(snapshot, self.layout, up_to=ProofLevel.INTACT, ports=ports)

    @property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.store, self.layout)

    @property
    def has_left_nothing(self) -> bool:
        """Whether nothing is visible below the cluster, under way, or in scratch."""
        visible = [key for key in self.store.keys if key.startswith(self.layout.root)]
        return not (visible or list(self.store.unfinished_uploads("")) or self.scratch.left_behind)

    def _order(self, fields: dict[str, object]) -> ImportOrder:
        return ImportOrder(layout=self.layout, taken_by="ops@test", **fields)

    @property
    def _ports(self) -> ImportPorts:
        return ImportPorts(
            store=self.store,
            encoder=self.encoder,
            unwrap=self.unwrap_ports,
            clock=self.clock,
            tokens=self._tokens,
            events=self.events,
        )
