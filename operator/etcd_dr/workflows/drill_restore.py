"""Rehearse a recovery: restore a snapshot, start a real etcd on it, and compare what it holds with what was saved.

1. Fetch the object, decrypt and decompress it (or take the scratch copy of a snapshot that was just taken).
2. Verify the plain file: every page, the trailer, and the manifest's own numbers.
3. Restore it with etcd's own tool, as a single member with a token of its own.
4. Start etcd on it, on loopback.
5. Compare HashKV at the same revisions, the revision, the number of keys, and single keys byte for byte.
6. Record the answer as a `restorable` proof, with what each phase took. A failed one is recorded as well.

Everything lies in one room, which is removed whatever happens. What says nothing about the snapshot (no tool, no disk,
no key, a store that is gone, a wish to stop) is an error and no proof; what etcd itself says of the data is an answer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from etcd_dr import __version__
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.drill import DrillCheck, DrillRecord, drill_record, room_needed_bytes, verdict
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import EtcdError, MemberUnreachable, ObjectMissing, SnapshotDamaged, StoreDenied
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.events import EventSink, Progress
from etcd_dr.ports.local_files import FileSink
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.restorer import RestoreOrder, Restorer
from etcd_dr.ports.rooms import Rooms
from etcd_dr.ports.throwaway_member import MemberHost, RunningMember
from etcd_dr.workflows.commit_snapshot import append_proof
from etcd_dr.workflows.compare_member import Compared, compare_member
from etcd_dr.workflows.fetch_snapshot import fetch_snapshot
from etcd_dr.workflows.prove_intact import PlainFile, prove_intact
from etcd_dr.workflows.receive_stream import raise_if_cancelled

_MEMBER = "drill"


@dataclass(frozen=True, slots=True)
class DrillPorts:
    """Everything a drill talks to."""

    store: ObjectStore
    decoder: Decoder
    files: FileSink
    rooms: Rooms
    restorer: Restorer
    host: MemberHost
    clock: Clock
    tokens: TokenSource
    events: EventSink
    progress: Progress
    cancellation: Cancellation


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """How a drill is run. `objective` is the RTO that is hoped for; deadlines are seconds."""

    sample_keys: int = 200
    objective: timedelta | None = None
    start_deadline: float = 600.0
    call_deadline: float = 60.0


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """What a drill found. `snapshot` is the one that was given, with the new proof; `checks` are in order.

    `not_recorded` says why the proof could not be kept in the store, where the store refused.
    """

    snapshot: Snapshot
    proof: Proof
    record: DrillRecord
    checks: tuple[DrillCheck, ...]
    duration_seconds: float
    not_recorded: str | None = None

    @property
    def is_restorable(self) -> bool:
        return self.proof.passed


def drill_restore(
    snapshot: Snapshot,
    layout: ClusterLayout,
    *,
    ports: DrillPorts,
    options: DrillOptions | None = None,
    scratch: Path | None = None,
    record: bool = True,
) -> DrillOutcome:
    """Rehearse the recovery of a snapshot and return what was found.

    With `scratch`, the plain copy of a snapshot that was just taken, nothing is fetched. With `record`, a conclusive
    proof is appended to the store. Raises ToolMissing, ToolFailed, LocalStorageFull, IdentityMissing,
    DecryptionFailed, UnsupportedFormat, StoreError, EtcdError (the throw-away member), Cancelled.
    """
    return _Drill(snapshot, layout, ports=ports, options=options or DrillOptions()).carry_out(scratch, record=record)


class _Refuted(Exception):
    """The snapshot is not restorable; carries the check that says so."""

    def __init__(self, check: DrillCheck) -> None:
        super().__init__(check.detail)
        self.check = check


class _Drill:
    def __init__(self, snapshot: Snapshot, layout: ClusterLayout, *, ports: DrillPorts, options: DrillOptions) -> None:
        self._snapshot = snapshot
        self._manifest = snapshot.manifest
        self._server = _server_version(snapshot.manifest)
        self._layout = layout
        self._ports = ports
        self._options = options
        self._look_up = partial(raise_if_cancelled, ports.cancellation)
        self._phases: dict[str, float] = {}
        self._checks: list[DrillCheck] = []
        self._restored_with = self._started_with = ""
        self._compared = 0

    def carry_out(self, scratch: Path | None, *, record: bool) -> DrillOutcome:
        begun = self._ports.clock.monotonic()
        for name in self._ports.rooms.sweep():
            self._ports.events.emit("drill.swept", level="warning", file=name)
        self._restored_with = str(self._ports.restorer.version_for(self._server))
        self._started_with = str(self._ports.host.version_for(self._server))
        needed = room_needed_bytes(self._manifest.database.size_bytes)
        with self._ports.rooms.open(expected_bytes=needed) as room:
            try:
                self._rehearse(room, scratch)
            except _Refuted as refuted:
                self._checks.append(refuted.check)
        outcome = self._outcome(scratch, self._ports.clock.monotonic() - begun)
        if record:
            outcome = replace(outcome, not_recorded=self._keep(outcome.proof))
        self._tell(outcome)
        return outcome

    def _rehearse(self, room: Path, scratch: Path | None) -> None:
        plain = scratch or self._fetch(room / "snapshot.db")  # 1
        status = self._verify(plain, ProofOrigin.SCRATCH if scratch else ProofOrigin.STORED_OBJECT)  # 2
        data_dir = room / f"{_MEMBER}.etcd"
        self._restore(plain, data_dir)  # 3
        self._start_and_compare(plain, data_dir, status)  # 4, 5

    def _fetch(self, destination: Path) -> Path:
        with self._timed("fetching"):
            try:
                fetched = fetch_snapshot(
                    self._ports.store,
                    self._layout,
                    self._manifest,
                    destination,
                    decoder=self._ports.decoder,
                    files=self._ports.files,
                    cancellation=self._ports.cancellation,
                    progress=self._ports.progress,
                )
            except (SnapshotDamaged, ObjectMissing) as error:
                raise _Refuted(DrillCheck("stored", error.message, passed=False)) from error
        self._checks.append(DrillCheck("stored", "the object has the digests that the manifest names", passed=True))
        return fetched.path

    def _verify(self, plain: Path, origin: ProofOrigin) -> DatabaseStatus:
        file = PlainFile(plain, self._manifest.plain_digest, origin, self._manifest.stored_digest)
        with self._timed("verifying"):
            proof, examination = prove_intact(
                file,
                at=self._ports.clock.now(),
                trailer_verified=self._manifest.trailer_digest is None,
                cancellation=self._ports.cancellation,
            )
        self._look_up()
        if not proof.passed or examination.status is None:
            raise _Refuted(DrillCheck("intact", proof.detail, passed=False))
        self._checks.append(DrillCheck("intact", proof.detail, passed=True))
        return examination.status

    def _restore(self, plain: Path, data_dir: Path) -> None:
        peer_urls = (self._ports.host.peer_url,)
        order = RestoreOrder(
            source=plain,
            data_dir=data_dir,
            name=_MEMBER,
            peer_urls=peer_urls,
            initial_cluster={_MEMBER: peer_urls},
            token=f"etcd-dr-drill-{self._ports.tokens.token()}",
            skip_hash_check=self._manifest.trailer_digest is None,
        )
        with self._timed("restoring"):
            try:
                self._ports.restorer.restore(order, server=self._server, cancellation=self._ports.cancellation)
            except SnapshotDamaged as error:
                raise _Refuted(DrillCheck("restored", error.message, passed=False)) from error
        self._checks.append(DrillCheck("restored", f"etcd's tool {self._restored_with} took it", passed=True))

    def _start_and_compare(self, plain: Path, data_dir: Path, status: DatabaseStatus) -> None:
        running = self._ports.host.run(
            data_dir,
            name=_MEMBER,
            server=self._server,
            cancellation=self._ports.cancellation,
            deadline=self._options.start_deadline,
        )
        with ExitStack() as stack:
            with self._timed("starting"):
                try:
                    member = stack.enter_context(running)
                except MemberUnreachable as error:
                    said = str(error.context.get("log", ""))[-500:]
                    detail = f"etcd {self._started_with} does not run on it: {error.message}: {said}"
                    raise _Refuted(DrillCheck("started", detail, passed=False)) from error
            self._checks.append(DrillCheck("started", f"etcd {self._started_with} serves it", passed=True))
            compared = self._compare(plain, member, status)
        self._look_up()
        self._checks += compared.checks
        self._compared = compared.keys_compared

    def _compare(self, plain: Path, member: RunningMember, status: DatabaseStatus) -> Compared:
        with self._timed("comparing"):
            try:
                return compare_member(
                    plain,
                    member,
                    status=status,
                    manifest=self._manifest,
                    sample=self._options.sample_keys,
                    chance=random.Random(self._ports.tokens.token()),  # noqa: S311 - which keys are looked at
                    deadline=self._options.call_deadline,
                    look_up=self._look_up,
                )
            except EtcdError:
                self._look_up()  # a wish to stop ends the member, and then its calls fail
                raise

    def _outcome(self, scratch: Path | None, seconds: float) -> DrillOutcome:
        passed = verdict(self._checks)
        results = {True: ProofResult.PASSED, False: ProofResult.FAILED, None: ProofResult.INCONCLUSIVE}
        telling = [check for check in self._checks if check.passed is not True]
        drill = drill_record(
            self._phases,
            objective=self._options.objective,
            restored_with=self._restored_with,
            started_with=self._started_with,
            keys_compared=self._compared,
        )
        proof = Proof(
            level=ProofLevel.RESTORABLE,
            result=results[passed],
            at=self._ports.clock.now(),
            made_from=ProofOrigin.SCRATCH if scratch else ProofOrigin.STORED_OBJECT,
            detail="; ".join(check.detail for check in telling) or self._good_news(),
            tool_version=__version__,
            plain_digest=self._manifest.plain_digest,
            stored_digest=None if scratch else self._manifest.stored_digest,
            findings=tuple(f"drill.{check.name}: {check.detail}" for check in self._checks if check.passed is False),
            drill=drill,
        )
        return DrillOutcome(
            snapshot=replace(self._snapshot, proofs=(*self._snapshot.proofs, proof)),
            proof=proof,
            record=drill,
            checks=tuple(self._checks),
            duration_seconds=seconds,
        )

    def _good_news(self) -> str:
        told = {check.name: check.detail for check in self._checks}
        return (
            f"restored with {self._restored_with}, served by etcd {self._started_with}: "
            f"{told['hash']}, {told['keys']}, {told['sample']}"
        )

    def _keep(self, proof: Proof) -> str | None:
        if proof.result is ProofResult.INCONCLUSIVE:
            return None
        try:
            append_proof(self._ports.store, self._layout, self._snapshot.id, proof, token=self._ports.tokens.token())
        except StoreDenied as error:
            return str(error)
        return None

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        begun = self._ports.clock.monotonic()
        if phase != "fetching":  # fetching tells its bytes itself
            self._ports.progress.begin(phase, total_bytes=None)
        try:
            yield
        finally:
            if phase != "fetching":
                self._ports.progress.finish()
            self._phases[phase] = self._ports.clock.monotonic() - begun

    def _tell(self, outcome: DrillOutcome) -> None:
        """Emit the one canonical line of the drill."""
        self._ports.events.emit(
            "drill.finished",
            level="info" if outcome.is_restorable else "error",
            cluster=self._layout.cluster,
            snapshot_id=str(self._snapshot.id),
            result=outcome.proof.result.value,
            rto_seconds=outcome.record.rto_seconds,
            keys=self._compared,
            reason=None if outcome.is_restorable else outcome.proof.detail,
            duration_seconds=round(outcome.duration_seconds, 3),
            **{f"{name}_seconds": seconds for name, seconds in outcome.record.phases.items()},
        )


def _server_version(manifest: Manifest) -> EtcdVersion | None:
    """Return the version of the cluster that the snapshot is of, as far as the manifest knows."""
    told = manifest.source.etcd_version or manifest.database.storage_version or manifest.database.cluster_version
    return EtcdVersion.parse(told) if told else None
