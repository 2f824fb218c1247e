"""What can go wrong while a snapshot is taken: each fault ends in a clear error and leaves nothing visible."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.errors import (
    Cancelled,
    EtcdDrError,
    LocalStorageFull,
    MemberTimeout,
    MemberUnreachable,
    NoUsableMember,
    SnapshotDamaged,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnreachable,
    StreamBroken,
)
from fakes.etcd import (
    DieAfter,
    EmptyMessagesAfter,
    FlippedBit,
    MissingTrailer,
    StallAfter,
    StreamFault,
    TruncateAfter,
    WrongRemaining,
    WrongTrailer,
)
from fakes.object_store import FakeObjectStore
from scenarios.snapshot_world import SnapshotWorld

STREAM_FAULTS: dict[str, tuple[StreamFault, type[EtcdDrError]]] = {
    "member killed mid-stream": (DieAfter(100_000), MemberUnreachable),
    "stream stalled": (StallAfter(100_000), MemberTimeout),
    "stream truncated with OK": (TruncateAfter(100_000), StreamBroken),
    "truncated before the first byte": (TruncateAfter(0), StreamBroken),
    "endless empty messages": (EmptyMessagesAfter(100_000), StreamBroken),
    "wrong trailer": (WrongTrailer(), StreamBroken),
    "no trailer": (MissingTrailer(), StreamBroken),
    "a bit flipped on the way": (FlippedBit(at_byte=100_000), StreamBroken),
    "more bytes than announced": (WrongRemaining(-4096), StreamBroken),
    "fewer bytes than announced": (WrongRemaining(4096), StreamBroken),
}


@pytest.fixture
def world(tmp_path: Path) -> SnapshotWorld:
    return SnapshotWorld(tmp_path)


@pytest.mark.parametrize("name", STREAM_FAULTS)
def test_stream_fault_on_every_member_leaves_nothing_visible(world: SnapshotWorld, name: str) -> None:
    """No fault of a stream ever becomes a snapshot; the error counts the members that were tried."""
    fault, cause = STREAM_FAULTS[name]
    for member in world.cluster.members:
        member.stream_fault = fault

    with pytest.raises(NoUsableMember) as raised:
        world.take()

    assert isinstance(raised.value.__cause__, cause)
    assert len(raised.value.context) == 3
    assert world.has_left_nothing


@pytest.mark.parametrize("name", STREAM_FAULTS)
def test_next_member_serves_when_the_first_one_fails(world: SnapshotWorld, name: str) -> None:
    """A fault of one member costs an attempt and is said; the snapshot comes from another one."""
    fault, cause = STREAM_FAULTS[name]
    world.cluster["m2"].stream_fault = fault

    outcome = world.take()

    assert outcome.source.observed.label == "m3"
    assert [(f.member, f.code) for f in outcome.failed_attempts] == [("m2", cause.code)]
    assert world.events.of("snapshot.attempt_failed")[0].fields["member"] == "m2"
    assert len(world.catalogue.snapshots) == 1
    assert world.catalogue.uncommitted == ()


def test_named_member_that_fails_is_not_replaced(world: SnapshotWorld) -> None:
    """Who asked for one member gets its error, not another member's data."""
    world.cluster["m2"].stream_fault = WrongTrailer()

    with pytest.raises(StreamBroken) as raised:
        world.take(endpoint=world.cluster["m2"].endpoint)

    assert raised.value.subject == world.cluster["m2"].endpoint
    assert world.has_left_nothing


def test_attempts_are_bounded(world: SnapshotWorld) -> None:
    """A run does not go round for ever in a sick cluster."""
    world.limits = type(world.limits)(attempts=2)
    for member in world.cluster.members:
        member.stream_fault = WrongTrailer()

    with pytest.raises(NoUsableMember):
        world.take()

    assert len(world.events.of("snapshot.attempt_failed")) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "does not begin with a page"),
        (bytes(4096), "does not begin with a page"),
        (b"not a database at all " * 4000, "does not begin with a page"),
    ],
    ids=["empty", "one empty page", "text"],
)
def test_what_is_no_database_is_refused_in_the_stream(world: SnapshotWorld, body: bytes, reason: str) -> None:
    """A whole stream with the right trailer is still no snapshot when it carries no database."""
    for member in world.cluster.members:
        member.database = body

    with pytest.raises(NoUsableMember) as raised:
        world.take()

    assert reason in str(raised.value.__cause__)
    assert world.has_left_nothing


@pytest.mark.parametrize("size_bytes", [2 * 4096, 20 * 4096 + 512, 20 * 4096 + 1])
def test_data_must_be_whole_pages_and_enough_of_them(world: SnapshotWorld, size_bytes: int) -> None:
    """A database is cut at page borders and has at least the four pages that bbolt creates."""
    for member in world.cluster.members:
        member.database = member.database[:size_bytes]

    with pytest.raises(NoUsableMember) as raised:
        world.take()

    assert isinstance(raised.value.__cause__, StreamBroken)
    assert world.has_left_nothing


def damage(body: bytes) -> bytes:
    """Zero a page in the middle: the stream and its trailer are right, the database is not."""
    page = len(body) // 2 // 4096 * 4096
    return body[:page] + bytes(4096) + body[page + 4096 :]


def test_damaged_database_is_taken_from_another_member(world: SnapshotWorld) -> None:
    """A member whose disk is bad sends a right trailer; only the examination tells, and the next member serves."""
    world.cluster["m2"].database = damage(world.cluster["m2"].database)

    outcome = world.take()

    assert outcome.source.observed.label == "m3"
    assert [f.code for f in outcome.failed_attempts] == [SnapshotDamaged.code]
    assert world.catalogue.uncommitted == ()


def test_two_damaged_members_end_the_run(world: SnapshotWorld) -> None:
    """Damage on two members is a finding of its own; the third is not read for it, and nothing is stored."""
    for member in world.cluster.members:
        member.database = damage(member.database)

    with pytest.raises(SnapshotDamaged) as raised:
        world.take()

    assert raised.value.context["member"] == "m3"
    assert "snapshot list" in raised.value.next_step
    assert len(world.events.of("snapshot.attempt_failed")) == 2
    assert world.has_left_nothing


def test_diverged_replica_is_stored_and_recorded_as_failed(world: SnapshotWorld) -> None:
    """A sound copy of a cluster that falls apart may be the last one: it is kept, and never taken for proven."""
    world.cluster["m3"].diverge()

    outcome = world.take()

    [failed] = outcome.failed_proofs
    [snapshot] = world.catalogue.snapshots
    assert failed.level is ProofLevel.CONSISTENT
    assert failed.findings == ("hash.mismatch m3",)
    assert {w.member: w.live_hash == w.file_hash for w in failed.witnesses} == {"m2": True, "m3": False}
    assert snapshot.is_damaged
    assert not snapshot.is_proven
    assert world.events.of("snapshot.committed")[0].level == "error"


def _store_refuses_the_upload(world: SnapshotWorld) -> None:
    world.store.fail("begin_upload", StoreDenied("no right to write"))


def _store_refuses_a_write(world: SnapshotWorld) -> None:
    world.store.fail("write", StoreDenied("no right to write"))


def _store_dies_mid_part(world: SnapshotWorld) -> None:
    world.store.faults.upload_dies_after_bytes = 10_000


def _store_refuses_to_commit(world: SnapshotWorld) -> None:
    world.store.fail("commit", StoreUnreachable("connection reset"))


def _store_is_full(world: SnapshotWorld) -> None:
    world.store.faults.capacity_bytes = 10_000


def _store_refuses_a_proof(world: SnapshotWorld) -> None:
    world.take()
    for key in [k for k in world.store.keys if k.startswith(world.layout.snapshots)]:
        world.store.lose(key)
    world.store.fail("put", StoreDenied("no right to write"))


def _disk_fills_up(world: SnapshotWorld) -> None:
    world.scratch.capacity_bytes = 100_000


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (_store_refuses_the_upload, StoreDenied),
        (_store_refuses_a_write, StoreDenied),
        (_store_dies_mid_part, StoreUnreachable),
        (_store_refuses_to_commit, StoreUnreachable),
        (_store_is_full, StoreFull),
        (_store_refuses_a_proof, StoreDenied),
        (_disk_fills_up, LocalStorageFull),
    ],
)
def test_fault_of_store_or_disk_ends_the_run_and_leaves_nothing(
    world: SnapshotWorld, bend: Callable[[SnapshotWorld], None], expected: type[EtcdDrError]
) -> None:
    """Another member would not change it, so none is tried; what was begun is taken back."""
    bend(world)

    with pytest.raises(expected):
        world.take()

    assert not world.events.of("snapshot.attempt_failed")
    assert world.has_left_nothing


class CorruptingStore(FakeObjectStore):
    """Flips a bit of whatever is read for the first time."""

    def read(self, key: str) -> AbstractContextManager[Iterator[bytes]]:
        self.flip_bit(key, offset=100)
        return super().read(key)


def test_store_that_corrupts_what_it_holds_is_found_before_the_commit(world: SnapshotWorld) -> None:
    """The object is read back; what differs never becomes a snapshot, and no other member is tried for it."""
    world.store = CorruptingStore(now=world.clock.now)

    with pytest.raises(StoreError) as raised:
        world.take()

    assert raised.value.subject.startswith("fake://")
    assert not world.events.of("snapshot.attempt_failed")
    assert world.has_left_nothing


def test_store_that_cannot_be_read_leaves_the_question_open(world: SnapshotWorld) -> None:
    """Credentials that may write and not read are no damage: the snapshot exists and does not count as proven."""
    world.store.fail("read", StoreDenied("no right to read"))

    outcome = world.take()

    assert outcome.snapshot.newest_proofs[ProofLevel.STORED].result is ProofResult.INCONCLUSIVE
    assert not outcome.snapshot.is_proven
    assert not outcome.snapshot.is_damaged


def test_lost_answer_to_the_manifest_keeps_the_data(world: SnapshotWorld) -> None:
    """Once the manifest was tried it may have arrived, so its data stays for the sweep to judge."""
    world.take()
    count_before = len(world.catalogue.snapshots)
    fails = iter([False, False, False, True])

    def put_fails_at_the_manifest(key: str, body: bytes, *, if_absent: bool) -> object:
        if key.startswith(world.layout.snapshots) and next(fails):
            raise StoreUnreachable("no answer")
        return put(key, body, if_absent=if_absent)

    put = world.store.put
    world.store.put = put_fails_at_the_manifest  # type: ignore[method-assign, assignment]  # a fault of one key only

    with pytest.raises(StoreUnreachable):
        world.take()

    assert len(world.catalogue.snapshots) == count_before
    [left] = world.catalogue.uncommitted
    assert left.object_count == 4


def test_request_to_stop_while_receiving_takes_everything_back(world: SnapshotWorld) -> None:
    """SIGTERM in the middle of a stream ends in Cancelled, with nothing left behind."""
    first_write = threading.Event()

    def stop_at_the_first_part(operation: str, key: str) -> None:
        if operation == "write" and not first_write.is_set():
            first_write.set()
            world.cancellation.cancel("SIGTERM")

    world.store.faults.on_chunk = stop_at_the_first_part

    with pytest.raises(Cancelled):
        world.take()

    assert world.has_left_nothing


def test_request_to_stop_while_members_are_asked_is_no_failure_of_the_members(world: SnapshotWorld) -> None:
    """Nobody answered because nobody was waited for: that must not end as members that cannot serve."""
    for name in ("m1", "m2", "m3"):
        world.cluster[name].stop()
    world.cancellation.cancel("SIGTERM")

    with pytest.raises(Cancelled) as raised:
        world.take()

    assert "SIGTERM" in raised.value.message
    assert world.has_left_nothing


def test_request_to_stop_while_reading_back_takes_the_object_back(world: SnapshotWorld) -> None:
    """Between the object's commit and the manifest there is no snapshot yet; a stop removes the object."""

    def stop_while_reading(operation: str, key: str) -> None:
        if operation == "read":
            world.cancellation.cancel("SIGTERM")

    world.store.faults.on_chunk = stop_while_reading
    world.store._chunk_bytes = 1000

    with pytest.raises(Cancelled) as raised:
        world.take()

    assert "SIGTERM" in raised.value.message
    assert world.has_left_nothing


def test_leftovers_of_killed_processes_are_swept_first(world: SnapshotWorld) -> None:
    """A scratch copy is a database in clear: the next run removes what a killed one left."""
    world.scratch.stale = ("etcd-dr-scratch-0123456789abcdef",)

    world.take()

    assert world.events.names[0] == "scratch.swept"
