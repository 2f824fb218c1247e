"""Take a file that another tool made into the store, as a snapshot with manifest and proofs like any other.

1. Unwrap it and see that it is a database of etcd.
2. Hash the plain file. What is in the store already, and not damaged there, is not imported twice.
3. Examine it. A damaged one is refused, trailer or not: the store holds nothing that is known to be bad.
4. Store it through the same code as a snapshot that was just taken, while its bytes are compared with step 2.
5. Write proofs (`stored`, `intact`) and the manifest.

- A database without etcd's trailer (copied from a data directory) gets one when it is intact: the SHA-256 of its
  bytes, as etcd would have sent it. So `etcdutl snapshot restore` takes it without --skip-hash-check. The manifest's
  label `import.trailer` says that the trailer is ours.
- Which cluster a file is from cannot be told: the cluster id is not in it. It goes where the caller says, the prefix's
  marker is left as it is, and members that this cluster never had are a warning.
- The time is the caller's, else the one in the file's name, else the file's own; the label `import.taken_at` says
  which. It is never in the future.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from etcd_dr import __version__
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.database_facts import database_facts
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.file_kind import FileFormat
from etcd_dr.domain.imported import ImportedTime, check_taken_at, imported_time, is_stranger, stored_topology
from etcd_dr.domain.manifest import Manifest, SourceFacts
from etcd_dr.domain.proof import Proof, ProofOrigin, ProofResult
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import DecryptionFailed, SnapshotDamaged, UnsupportedFormat
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.codec import Encoder
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.object_store import ObjectStore, StoredObject
from etcd_dr.workflows.commit_snapshot import commit_snapshot, discard_folder
from etcd_dr.workflows.prove_intact import PlainFile, prove_intact
from etcd_dr.workflows.read_plain import PlainDigests, PlainReader
from etcd_dr.workflows.receive_stream import raise_if_cancelled
from etcd_dr.workflows.store_stream import StoredCopy, StoreStream
from etcd_dr.workflows.unwrap_file import (
    MAX_PLAIN_BYTES,
    UnwrappedFile,
    UnwrapPorts,
    unwrap_file,
)

NOT_A_SNAPSHOT = (SnapshotDamaged, UnsupportedFormat, DecryptionFailed)
"""What is wrong with one file and says nothing about the next."""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What is asked for. `taken_at` (aware) and `platform` override what the name tells."""

    layout: ClusterLayout
    taken_by: str
    taken_at: datetime | None = None
    platform: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    limit_bytes: int = MAX_PLAIN_BYTES
    reason: str = "import"
    source: SourceFacts | None = None
    """Where the file came from, for one that we have just made ourselves."""


@dataclass(frozen=True, slots=True)
class ImportPorts:
    """Everything an import talks to."""

    store: ObjectStore
    encoder: Encoder
    unwrap: UnwrapPorts
    clock: Clock
    tokens: TokenSource
    events: EventSink


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """The snapshot in the store. `is_new` is False where the same database had been there before."""

    snapshot: Snapshot
    is_new: bool
    layers: tuple[str, ...]
    warnings: tuple[str, ...]


def import_file(path: Path, order: ImportOrder, catalogue: Catalogue, *, ports: ImportPorts) -> ImportOutcome:
    """Import a local file. `catalogue` is that of the cluster it is imported for.

    Raises UsageError for a time in the future, what `unwrap_file` raises, SnapshotDamaged (the database is, or changed while it was read), StoreError; then
    nothing new is visible.
    """
    check_taken_at(order.taken_at, now=ports.clock.now())
    with unwrap_file(path, name=str(path), ports=ports.unwrap, limit_bytes=order.limit_bytes) as plain:
        source = _Source(path.name, plain.changed_at, plain)
        return _Import(source, order, catalogue, ports=ports).carry_out()


def import_object(key: str, order: ImportOrder, catalogue: Catalogue, *, ports: ImportPorts) -> ImportOutcome:
    """Import an object of the same store, by its key. Raises as `import_file`, and ObjectMissing."""
    check_taken_at(order.taken_at, now=ports.clock.now())
    stored = ports.store.head(key)
    with (
        _downloaded(stored, ports) as path,
        unwrap_file(path, name=ports.store.url(key), ports=ports.unwrap, limit_bytes=order.limit_bytes) as plain,
    ):
        source = _Source(key.rsplit("/", 1)[-1], stored.modified_at, plain)
        return _Import(source, order, catalogue, ports=ports).carry_out()


def foreign_keys(store: ObjectStore, prefix: str, *, layout: ClusterLayout) -> Iterator[str]:
    """Yield the keys below `prefix` that are not our own, in order of key; for talos-backup that is oldest first."""
    ours = (layout.root.rstrip("/").rpartition("/")[0] + "/", ".etcd-dr-probe/")
    for stored in store.list(prefix):
        if stored.size_bytes and not stored.key.startswith(ours):
            yield stored.key


@contextmanager
def _downloaded(stored: StoredObject, ports: ImportPorts) -> Iterator[Path]:
    progress = ports.unwrap.progress
    with ports.unwrap.scratch.create(expected_bytes=stored.size_bytes) as scratch:
        progress.begin("fetching", total_bytes=stored.size_bytes)
        try:
            with ports.store.read(stored.key) as chunks:
                for chunk in chunks:
                    raise_if_cancelled(ports.unwrap.cancellation)
                    scratch.append(chunk)
                    progress.advance(len(chunk))
        finally:
            progress.finish()
        yield scratch.path


@dataclass(frozen=True, slots=True)
class _Source:
    """The file without its directory, when it was written last, and what lies inside."""

    name: str
    changed_at: datetime
    plain: UnwrappedFile


class _Import:
    """One import under way."""

    def __init__(self, source: _Source, order: ImportOrder, catalogue: Catalogue, *, ports: ImportPorts) -> None:
        self._source = source
        self._plain = source.plain
        self._reader = PlainReader(source.plain, name=source.name, ports=ports.unwrap)
        self._order = order
        self._catalogue = catalogue
        self._ports = ports
        self._warnings = [text for text in (source.plain.name.warning,) if text]

    def carry_out(self) -> ImportOutcome:
        begun = self._ports.clock.monotonic()
        digests = self._reader.hash()
        twin = _twin(self._catalogue, digests.whole)
        if twin is not None:
            self._tell("snapshot.import_known", twin)
            return self._outcome(twin, is_new=False)
        intact, status = self._examine(digests)
        time = imported_time(
            self._order.taken_at,
            name=self._plain.name,
            changed_at=self._source.changed_at,
            now=self._ports.clock.now(),
        )
        self._warnings += [*time.warnings, *self._doubts(status, digests)]
        snapshot_id = SnapshotId.create(time.moment, self._ports.tokens.token())
        copy = self._store(snapshot_id, digests)
        stored = copy.answer.as_proof(at=self._ports.clock.now(), plain_digest=digests.whole)
        seconds = self._ports.clock.monotonic() - begun
        manifest = self._manifest(snapshot_id, time, status, digests=digests, copy=copy, seconds=seconds)
        commit_snapshot(self._ports.store, self._order.layout, manifest, (stored, intact), tokens=self._ports.tokens)
        snapshot = Snapshot(manifest, (stored, intact))
        self._tell("snapshot.imported", snapshot)
        return self._outcome(snapshot, is_new=True)

    def _outcome(self, snapshot: Snapshot, *, is_new: bool) -> ImportOutcome:
        return ImportOutcome(snapshot, is_new, self._plain.layers, tuple(self._warnings))

    def _examine(self, digests: PlainDigests) -> tuple[Proof, DatabaseStatus]:
        if self._plain.kind.format is FileFormat.CUT_DATABASE:
            raise SnapshotDamaged(
                f"is {self._plain.kind.description}", subject=self._source.name, next_step=self._plain.kind.advice
            )
        file = PlainFile(self._plain.path, digests.whole, ProofOrigin.SCRATCH)
        proof, examination = prove_intact(
            file,
            at=self._ports.clock.now(),
            trailer_verified=False,
            cancellation=self._ports.unwrap.cancellation,
        )
        if not proof.passed or examination.status is None:
            raise SnapshotDamaged(
                f"is not imported: {proof.detail}",
                subject=self._source.name,
                next_step="See all findings with: etcd-dr snapshot status FILE. Then look for another copy of it.",
                context={"findings": len(proof.findings)},
            )
        if digests.appended:
            proof = proof.model_copy(update={"detail": f"{proof.detail}; the import appended one"})
        return proof, examination.status

    def _doubts(self, status: DatabaseStatus, digests: PlainDigests) -> Iterator[str]:
        if digests.appended:
            yield "it had no trailer, so only its structure could be checked; one was appended"
        for alarm in status.alarms:
            yield f"it holds a {alarm.kind} alarm, which a restore brings back: etcdctl alarm disarm"
        if is_stranger(stored_topology(status), self._catalogue):
            names = ", ".join(member.name or id_text(member.id) for member in status.members)
            yield f"none of its members ({names}) is known from this cluster's snapshots: is it the right cluster?"

    def _store(self, snapshot_id: SnapshotId, digests: PlainDigests) -> StoredCopy:
        store, layout = self._ports.store, self._order.layout
        key = layout.data(snapshot_id)
        storing = StoreStream(
            store.begin_upload(key),
            store=store,
            key=key,
            encoder=self._ports.encoder,
            cancellation=self._ports.unwrap.cancellation,
            clock=self._ports.clock,
        )
        is_good = False
        try:
            copy = storing.run(self._reader.compared(digests))
            if copy.answer.result is ProofResult.FAILED:
                raise SnapshotDamaged(
                    f"the store does not hold what was written: {copy.answer.detail}",
                    subject=store.url(key),
                    next_step="Nothing was kept. Check the store's disks and network, then run it again.",
                )
            is_good = True
        finally:
            if not is_good and storing.may_be_visible:
                discard_folder(store, layout, snapshot_id)
        return copy

    def _manifest(
        self,
        snapshot_id: SnapshotId,
        time: ImportedTime,
        status: DatabaseStatus,
        *,
        digests: PlainDigests,
        copy: StoredCopy,
        seconds: float,
    ) -> Manifest:
        return Manifest(
            id=str(snapshot_id),
            cluster=self._order.layout.cluster,
            taken_at=snapshot_id.taken_at,
            finished_at=self._ports.clock.now(),
            taken_by=self._order.taken_by,
            tool_version=__version__,
            reason=self._order.reason,
            duration_seconds=round(seconds, 3),
            source=self._order.source
            or SourceFacts(
                kind="import",
                platform=self._order.platform or self._plain.name.platform,
                original_name=self._source.name,
            ),
            topology=stored_topology(status),
            database=database_facts(status, size_bytes=self._plain.size_bytes + len(digests.appended)),
            plain_digest=digests.whole,
            trailer_digest=digests.database,
            stored_digest=copy.digest,
            stored_size_bytes=copy.size_bytes,
            stages=self._ports.encoder.stages,
            commit="conditional" if self._ports.store.guarantees().put_if_absent else "unconditional",
            labels={
                **self._order.labels,
                "import.layers": ",".join(self._plain.layers),
                "import.taken_at": time.origin,
                "import.trailer": "appended" if digests.appended else "original",
            },
        )

    def _tell(self, event: str, snapshot: Snapshot) -> None:
        self._ports.events.emit(
            event,
            cluster=self._order.layout.cluster,
            snapshot_id=str(snapshot.id),
            revision=snapshot.manifest.database.revision,
            bytes=snapshot.manifest.database.size_bytes,
            platform=snapshot.manifest.source.platform,
        )


def _twin(catalogue: Catalogue, digest: Digest) -> Snapshot | None:
    """Return the newest snapshot of the same plain bytes that is not damaged."""
    return next(
        (s for s in reversed(catalogue.snapshots) if s.manifest.plain_digest == digest and not s.is_damaged), None
    )
