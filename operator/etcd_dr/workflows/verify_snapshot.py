"""Verify a stored snapshot again, as far as what is at hand allows, and append what was found as proofs.

- `stored`: always. The object is read whole and its digest compared with the manifest.
- `intact`: where the object can be opened. It is decoded to a scratch file in the same pass; digest, trailer, every
  page, and the manifest's own numbers are compared.
- `consistent`: where members are at hand and still hold the file's revision; members compact, so this is rarely
  possible for an old snapshot.

A level that could not be carried out is said with its reason and is no finding: a wrong identity damages nothing.
Damage is a value as well (`is_damaged`); only a store that cannot be asked at all ends in an error of its own kind, as
a proof that is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.cluster import parse_id_text
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.database_facts import database_facts
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.errors import (
    DecryptionFailed,
    EtcdDrError,
    IdentityMissing,
    SnapshotDamaged,
    StoreDenied,
    StoreError,
    UnsupportedFormat,
)
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.events import EventSink, Progress
from etcd_dr.ports.local_files import ScratchFile, ScratchSpace
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.commit_snapshot import append_proof
from etcd_dr.workflows.decode_stored import Decoded, decode_stored
from etcd_dr.workflows.keep_companions import check_companions
from etcd_dr.workflows.observe_members import observe_members
from etcd_dr.workflows.prove_consistent import prove_consistent
from etcd_dr.workflows.prove_intact import PlainFile, prove_intact
from etcd_dr.workflows.prove_stored import StoredAnswer, read_back, unreadable
from etcd_dr.workflows.receive_stream import raise_if_cancelled

_SAME_IN_FILE_AND_MANIFEST = ("revision", "compact_revision", "status_hash", "live_keys", "all_records", "size_bytes")


@dataclass(frozen=True, slots=True)
class VerifyPorts:
    """Everything a verification talks to. `connector` None: no live members are at hand."""

    store: ObjectStore
    decoder: Decoder
    scratch: ScratchSpace
    clock: Clock
    tokens: TokenSource
    events: EventSink
    progress: Progress
    cancellation: Cancellation
    connector: EtcdConnector | None = None


@dataclass(frozen=True, slots=True)
class NotMade:
    """A level that was asked for and could not be carried out."""

    level: ProofLevel
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What was found. `snapshot` is the one that was given, with the new proofs.

    `not_recorded` says why they could not be kept in the store, where the store refused. `companions` says whether the
    files beside the database are those that were written; None: there are none.
    """

    snapshot: Snapshot
    proofs: tuple[Proof, ...]
    not_made: tuple[NotMade, ...]
    duration_seconds: float
    not_recorded: str | None = None
    companions: StoredAnswer | None = None

    @property
    def has_damaged_companions(self) -> bool:
        """Whether the files beside the database are not those that were written; the database may be sound."""
        return self.companions is not None and self.companions.result is ProofResult.FAILED

    @property
    def is_damaged(self) -> bool:
        return any(p.result is ProofResult.FAILED for p in self.proofs)


def verify_snapshot(
    snapshot: Snapshot,
    layout: ClusterLayout,
    *,
    up_to: ProofLevel,
    ports: VerifyPorts,
    limits: SnapshotLimits | None = None,
    record: bool = True,
) -> VerifyOutcome:
    """Verify a snapshot up to a level (`stored`, `intact` or `consistent`) and return what was found.

    With `record`, conclusive proofs are appended to the store; a store that denies it is a word in the outcome.
    Raises StoreError when one cannot be written for another reason, LocalStorageFull, Cancelled, ConfigError.
    """
    return _Verification(snapshot, layout, up_to=up_to, ports=ports, limits=limits or SnapshotLimits()).carry_out(
        record=record
    )


class _Verification:
    def __init__(
        self,
        snapshot: Snapshot,
        layout: ClusterLayout,
        *,
        up_to: ProofLevel,
        ports: VerifyPorts,
        limits: SnapshotLimits,
    ) -> None:
        self._snapshot = snapshot
        self._manifest = snapshot.manifest
        self._layout = layout
        self._up_to = up_to
        self._ports = ports
        self._limits = limits
        self._proofs: list[Proof] = []
        self._not_made: list[NotMade] = []

    def carry_out(self, *, record: bool) -> VerifyOutcome:
        begun = self._ports.clock.monotonic()
        if self._up_to is ProofLevel.STORED:
            self._prove_stored(self._read_back())
        else:
            self._open_and_prove()
        companions = self._check_companions()
        not_recorded = self._record() if record else None
        outcome = VerifyOutcome(
            snapshot=replace(self._snapshot, proofs=(*self._snapshot.proofs, *self._proofs)),
            proofs=tuple(self._proofs),
            not_made=tuple(self._not_made),
            not_recorded=not_recorded,
            duration_seconds=self._ports.clock.monotonic() - begun,
            companions=companions,
        )
        self._tell(outcome)
        return outcome

    def _check_companions(self) -> StoredAnswer | None:
        """Compare the companions with the manifest. No proof: they say nothing about the database."""
        facts = self._manifest.companions
        if facts is None:
            return None
        return check_companions(
            self._ports.store, self._layout, self._snapshot.id, facts, cancellation=self._ports.cancellation
        )

    def _record(self) -> str | None:
        """Append what is conclusive, and return why it could not be: who may only read still learns the verdict."""
        for proof in self._proofs:
            if proof.result is not ProofResult.INCONCLUSIVE:
                token = self._ports.tokens.token()
                try:
                    append_proof(self._ports.store, self._layout, self._snapshot.id, proof, token=token)
                except StoreDenied as error:
                    return str(error)
        return None

    def _open_and_prove(self) -> None:
        """Decode the object to a scratch file and prove on it, or fall back to the bytes as they are stored."""
        with self._ports.scratch.create(expected_bytes=self._manifest.database.size_bytes) as scratch:
            try:
                with self._progress():
                    decoded = decode_stored(
                        self._ports.store,
                        self._layout,
                        self._manifest,
                        scratch.append,
                        decoder=self._ports.decoder,
                        cancellation=self._ports.cancellation,
                        progress=self._ports.progress,
                    )
            except (IdentityMissing, DecryptionFailed, UnsupportedFormat) as error:
                self._prove_stored(self._read_back())
                self._leave_out(ProofLevel.INTACT, error)
                return
            except StoreError as error:
                self._prove_stored(unreadable(error))
                self._leave_out(ProofLevel.INTACT, error)
                return
            self._prove_stored(decoded.stored)
            if decoded.stored.result is not ProofResult.PASSED:
                self._leave_out(ProofLevel.INTACT, _not_the_bytes(decoded))
                return
            status = self._prove_intact(scratch, decoded)
            if status is not None and self._up_to is ProofLevel.CONSISTENT:
                self._prove_consistent(scratch, status)

    def _read_back(self) -> StoredAnswer:
        with self._progress():
            return read_back(
                self._ports.store,
                self._layout.data(self._snapshot.id),
                digest=self._manifest.stored_digest,
                size_bytes=self._manifest.stored_size_bytes,
                cancellation=self._ports.cancellation,
                progress=self._ports.progress,
            )

    def _prove_stored(self, answer: StoredAnswer) -> None:
        self._proofs.append(answer.as_proof(at=self._ports.clock.now(), plain_digest=self._manifest.plain_digest))

    def _prove_intact(self, scratch: ScratchFile, decoded: Decoded) -> DatabaseStatus | None:
        """Append the proof and return the status of an intact database."""
        proof, examination = prove_intact(
            self._plain_file(scratch),
            at=self._ports.clock.now(),
            trailer_verified=self._manifest.trailer_digest is None,
            cancellation=self._ports.cancellation,
        )
        problem = decoded.problem(self._manifest)
        status = examination.status
        contradictions = _contradictions(status, self._manifest, decoded.plain_bytes) if status else ()
        if problem is not None:
            proof = _failed(proof, problem.message, ("plain.digest",))
        elif contradictions and proof.passed:
            proof = _failed(
                proof, f"the manifest contradicts its database: {'; '.join(contradictions)}", contradictions
            )
        self._proofs.append(proof)
        return status if proof.passed else None

    def _prove_consistent(self, scratch: ScratchFile, status: DatabaseStatus) -> None:
        if self._ports.connector is None:
            self._not_made.append(NotMade(ProofLevel.CONSISTENT, "etcd.none", "no live members were named"))
            return
        source = self._manifest.source
        with observe_members(self._ports.connector, deadline=self._limits.call_deadline) as live:
            cluster_id = parse_id_text(source.cluster_id)
            if cluster_id is None or cluster_id not in live.cluster_ids:
                reason = f"no member of cluster {source.cluster_id or 'unknown'} answered"
                self._not_made.append(NotMade(ProofLevel.CONSISTENT, "etcd.foreign_cluster", reason))
                return
            with self._ports.cancellation.on_cancel(live.hang_up):
                proof = prove_consistent(
                    self._plain_file(scratch),
                    status=status,
                    live=live,
                    cluster_id=cluster_id,
                    source_id=parse_id_text(source.member_id),
                    early=None,
                    limits=self._limits,
                    at=self._ports.clock.now(),
                    stop=partial(raise_if_cancelled, self._ports.cancellation),
                )
        raise_if_cancelled(self._ports.cancellation)
        self._proofs.append(proof)

    def _plain_file(self, scratch: ScratchFile) -> PlainFile:
        manifest = self._manifest
        return PlainFile(scratch.path, manifest.plain_digest, ProofOrigin.STORED_OBJECT, manifest.stored_digest)

    def _leave_out(self, first: ProofLevel, error: EtcdDrError) -> None:
        levels = [level for level in ProofLevel if first.rank <= level.rank <= self._up_to.rank]
        self._not_made += [NotMade(level, error.code, error.message) for level in levels]

    @contextmanager
    def _progress(self) -> Iterator[None]:
        self._ports.progress.begin("reading", total_bytes=self._manifest.stored_size_bytes)
        try:
            yield
        finally:
            self._ports.progress.finish()

    def _tell(self, outcome: VerifyOutcome) -> None:
        """Emit the one canonical line of the verification."""
        results = {p.level.value: p.result.value for p in outcome.proofs}
        self._ports.events.emit(
            "snapshot.verified",
            level="error" if outcome.is_damaged else "info",
            cluster=self._layout.cluster,
            snapshot_id=str(self._snapshot.id),
            bytes=self._manifest.stored_size_bytes,
            duration_seconds=round(outcome.duration_seconds, 3),
            **results,
            **{level.level.value: f"not made: {level.code}" for level in outcome.not_made},
        )


def _not_the_bytes(decoded: Decoded) -> SnapshotDamaged:
    return SnapshotDamaged("the stored bytes are not those that were written", subject=decoded.subject)


def _contradictions(status: DatabaseStatus, manifest: Manifest, plain_bytes: int) -> tuple[str, ...]:
    found, told = database_facts(status, size_bytes=plain_bytes), manifest.database
    return tuple(
        f"manifest.{name}: the file has {getattr(found, name)}, the manifest says {getattr(told, name)}"
        for name in _SAME_IN_FILE_AND_MANIFEST
        if getattr(found, name) != getattr(told, name)
    )


def _failed(proof: Proof, detail: str, findings: tuple[str, ...]) -> Proof:
    return proof.model_copy(
        update={"result": ProofResult.FAILED, "detail": detail, "findings": (*findings, *proof.findings)}
    )
