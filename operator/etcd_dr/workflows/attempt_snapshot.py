"""Try to get one whole, intact snapshot from one member into the store, without making it exist yet.

Two threads work on it. This one receives, hashes and writes the scratch file, and then proves on it. The other one
reads behind it, encodes, uploads and reads back (store_stream). So the proofs overlap with the rest of the upload.

Whatever fails, on either side: the stream is left, the other thread is stopped, the upload is aborted or its object
removed, and the scratch file is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.member_choice import Candidate, ObservedMember
from etcd_dr.domain.proof import Proof, ProofOrigin, ProofResult
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.domain.stream_check import CheckedStream
from etcd_dr.domain.witness_choice import choose_witnesses
from etcd_dr.errors import SnapshotDamaged, StoreError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.codec import Encoder
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.events import EventSink, Progress
from etcd_dr.ports.local_files import ScratchFile, ScratchSpace
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.ask_hash import LiveHash, ask_hash
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.keep_companions import CompanionOrder
from etcd_dr.workflows.observe_members import LiveCluster
from etcd_dr.workflows.prove_consistent import prove_consistent
from etcd_dr.workflows.prove_intact import PlainFile, prove_intact
from etcd_dr.workflows.receive_stream import raise_if_cancelled, receive_stream
from etcd_dr.workflows.relay_blocks import BlockRelay
from etcd_dr.workflows.store_stream import StoredCopy, StoreStream


@dataclass(frozen=True, slots=True)
class PipelinePorts:
    """Everything the pipeline talks to. `guard` is one for the whole process.

    `keep_copy` is shown the plain file, whole and proven, before it is removed: it may give it a second name.
    `confirm` is asked when everything but the manifest is stored; Busy and Cancelled from it give the snapshot up.
    """

    connector: EtcdConnector
    store: ObjectStore
    encoder: Encoder
    scratch: ScratchSpace
    clock: Clock
    tokens: TokenSource
    events: EventSink
    progress: Progress
    cancellation: Cancellation
    guard: MemberGuard
    keep_copy: Callable[[Path], object] | None = None
    confirm: Callable[[Manifest], object] | None = None
    companions: CompanionOrder | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """How long one part of the work took, and how many bytes went through it (0: none)."""

    name: str
    seconds: float
    count_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A snapshot that is stored and checked, and does not exist yet."""

    snapshot_id: SnapshotId
    checked: CheckedStream
    stored: StoredCopy
    status: DatabaseStatus
    proofs: tuple[Proof, ...]
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one member."""

    ports: PipelinePorts
    limits: SnapshotLimits
    layout: ClusterLayout
    snapshot_id: SnapshotId
    candidate: Candidate
    live: LiveCluster

    def carry_out(self) -> Received:
        """Return the stored and proven bytes, or raise with nothing left behind."""
        status = self.candidate.status
        endpoint = self.candidate.observed.endpoint
        with (
            self.ports.guard.hold(status.cluster_id, status.member_id, work="a snapshot", subject=endpoint),
            self.ports.scratch.create(expected_bytes=status.db_size_bytes) as scratch,
        ):
            received = _Work(self, scratch).carry_out()
            if self.ports.keep_copy is not None:
                self.ports.keep_copy(scratch.path)
            return received


class _Work:
    """The attempt under way: two threads, the relay between them, and a third one for an early witness."""

    def __init__(self, attempt: Attempt, scratch: ScratchFile) -> None:
        self._attempt = attempt
        self._ports = attempt.ports
        self._scratch = scratch
        self._relay = BlockRelay(scratch)
        self._key = attempt.layout.data(attempt.snapshot_id)
        self._phases: list[Phase] = []
        self._early: Future[LiveHash] | None = None

    def carry_out(self) -> Received:
        storing = StoreStream(
            self._ports.store.begin_upload(self._key),
            store=self._ports.store,
            key=self._key,
            encoder=self._ports.encoder,
            cancellation=self._ports.cancellation,
            clock=self._ports.clock,
        )
        with ThreadPoolExecutor(2, thread_name_prefix="snapshot") as pool:
            stored = pool.submit(storing.run, self._relay)
            with self._giving_up_cleanly(storing, stored):
                checked = self._receive(pool, stored)
                file = PlainFile(self._scratch.path, checked.plain_digest, ProofOrigin.SCRATCH)
                intact, status = self._examine(file)
                consistent = self._compare(file, status)
                copy = self._wait_for(stored)
        proofs = (copy.answer.as_proof(at=self._ports.clock.now(), plain_digest=checked.plain_digest), intact)
        return Received(
            snapshot_id=self._attempt.snapshot_id,
            checked=checked,
            stored=copy,
            status=status,
            proofs=(*proofs, consistent) if consistent else proofs,
            phases=tuple(self._phases),
        )

    @contextmanager
    def _giving_up_cleanly(self, storing: StoreStream, stored: Future[StoredCopy]) -> Iterator[None]:
        """Stop the storing thread and remove what it made, unless the block ends well."""
        is_done = False
        try:
            yield
            is_done = True
        finally:
            if not is_done:
                self._relay.abandon()
                if self._ports.cancellation.is_cancelled:
                    self._attempt.live.hang_up()  # an early witness may be computing its hash for a long time
                wait([stored])
                if storing.may_be_visible:
                    self._discard()

    def _discard(self) -> None:
        try:
            self._ports.store.delete(self._key)
        except StoreError as error:
            self._ports.events.emit(
                "snapshot.not_discarded",
                level="warning",
                snapshot_id=str(self._attempt.snapshot_id),
                error_code=error.code,
                reason=f"{error.message}; a sweep removes it later",
            )

    def _receive(self, pool: ThreadPoolExecutor, stored: Future[StoredCopy]) -> CheckedStream:
        source, limits = self._attempt.candidate, self._attempt.limits
        database_bytes = source.status.db_size_bytes
        connection = self._attempt.live.connections[source.observed.endpoint]

        def write(block: bytes) -> None:
            if stored.done():
                stored.result()  # raises what ended the storing thread before its time
            self._relay.append(block)

        with self._timed("receiving", total_bytes=database_bytes) as phase:
            revision = connection.status(deadline=limits.call_deadline).revision
            with connection.snapshot(
                stall_deadline=limits.stall_deadline, total_deadline=limits.stream_deadline(database_bytes)
            ) as stream:
                checked = receive_stream(
                    stream,
                    write,
                    subject=source.observed.endpoint,
                    cancellation=self._ports.cancellation,
                    progress=self._ports.progress,
                    on_first_message=lambda: self._begin_early(pool, revision),
                )
            self._relay.finish()
            phase.count_bytes = checked.file_bytes
        return checked

    def _begin_early(self, pool: ThreadPoolExecutor, revision: int) -> None:
        """Ask a witness while the stream runs, at a revision that the file is sure to hold.

        The member's state is fixed now, and every compaction it holds has been applied by a witness that catches up
        first. So the answer stays comparable however soon the members compact past the snapshot.
        """
        witness, live, limits = _early_witness(self._attempt), self._attempt.live, self._attempt.limits
        if witness is not None:
            self._early = pool.submit(
                ask_hash,
                live.connections[witness.endpoint],
                witness,
                revision=revision,
                deadline=limits.hash_deadline(self._attempt.candidate.status.db_size_bytes),
                call_deadline=limits.call_deadline,
                catch_up_first=live.quorum_revision is not None,
            )

    def _examine(self, file: PlainFile) -> tuple[Proof, DatabaseStatus]:
        with self._timed("examining"):
            proof, examination = prove_intact(
                file,
                at=self._ports.clock.now(),
                trailer_verified=True,
                cancellation=self._ports.cancellation,
            )
        if not proof.passed or examination.status is None:
            observed = self._attempt.candidate.observed
            raise SnapshotDamaged(
                f"{observed.label} sent a whole snapshot, but {proof.detail}",
                subject=observed.endpoint,
                next_step=(
                    "Nothing was stored. Take it from another member: etcd-dr snapshot save --endpoint URL. Keep what "
                    "you have (etcd-dr snapshot list), and find out about this member's disk before it restarts."
                ),
                context={"member": observed.label, "findings": len(proof.findings)},
            )
        raise_if_cancelled(self._ports.cancellation)
        return proof, examination.status

    def _compare(self, file: PlainFile, status: DatabaseStatus) -> Proof | None:
        if not self._attempt.limits.hash_live_members:
            return None
        live = self._attempt.live
        with self._timed("comparing"), self._ports.cancellation.on_cancel(live.hang_up):
            proof = prove_consistent(
                file,
                status=status,
                live=live,
                cluster_id=self._attempt.candidate.status.cluster_id,
                source_id=self._attempt.candidate.status.member_id,
                early=self._early.result() if self._early else None,
                limits=self._attempt.limits,
                at=self._ports.clock.now(),
                stop=partial(raise_if_cancelled, self._ports.cancellation),
            )
        raise_if_cancelled(self._ports.cancellation)
        return proof

    def _wait_for(self, stored: Future[StoredCopy]) -> StoredCopy:
        with self._timed("finishing the upload"):
            copy = stored.result()
        self._phases.append(Phase("storing", copy.storing_seconds, copy.size_bytes))
        self._phases.append(Phase("reading back", copy.reading_seconds, copy.size_bytes))
        if copy.answer.result is ProofResult.FAILED:
            raise StoreError(
                f"the store does not hold what was written: {copy.answer.detail}",
                subject=self._ports.store.url(self._key),
                next_step="Nothing was kept. Check the store's disks and network, then run it again.",
            )
        raise_if_cancelled(self._ports.cancellation)
        return copy

    @contextmanager
    def _timed(self, name: str, *, total_bytes: int | None = None) -> Iterator[_Measured]:
        measured = _Measured()
        begun = self._ports.clock.monotonic()
        self._ports.progress.begin(name, total_bytes=total_bytes)
        try:
            yield measured
        finally:
            self._ports.progress.finish()
            self._phases.append(Phase(name, self._ports.clock.monotonic() - begun, measured.count_bytes))


@dataclass(slots=True)
class _Measured:
    count_bytes: int = 0


def _early_witness(attempt: Attempt) -> ObservedMember | None:
    """Return who is asked while the stream runs: another follower where there is one, the source if it is alone."""
    limits, source = attempt.limits, attempt.candidate.status
    if not limits.hash_live_members or limits.hashed_by == "copy":
        return None  # a copy made after the snapshot answers for the snapshot's revision anyway
    witnesses = choose_witnesses(
        attempt.live.members,
        cluster_id=source.cluster_id,
        source_id=source.member_id,
        voter_count=attempt.live.voter_count,
        is_large=source.db_size_bytes > limits.hash_max_bytes,
        wanted=limits.witness_count,
    )
    first = next(iter(witnesses.in_order), None)
    return first if first or witnesses.needs_another else witnesses.last_resort
