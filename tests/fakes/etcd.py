"""An etcd cluster in memory, to be bent: stop a member, take quorum away, spoil a stream, let a replica diverge.

Rules this fake keeps:
- It behaves as etcd does over the wire: without quorum `alarms` and linearizable reads time out while status,
  HashKV, the local member list and snapshots still work; learners answer only status, local reads and snapshots
  (interceptor.go, isRPCSupportedForLearner); streams come in messages of 32 KiB with `remaining_bytes` and end with
  a message of 32 bytes, the SHA-256 (maintenance.go, Snapshot).
- Nothing sleeps. Whatever would wait raises MemberTimeout at once and says through `advance` how long it would have
  taken; give it the `advance` of a fake clock to see that time pass.
- `FakeMember` is the server's side: tests change its fields at any time. `calls`, `open_connections` and
  `open_streams` tell what was asked and what was left behind.

    cluster = FakeCluster.of_three(database=b"...")
    cluster["m2"].stop()                                  # connection refused from now on
    cluster["m3"].stream_fault = TruncateAfter(65_536)    # ends early, with OK
    connector = FakeEtcdConnector(cluster)
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from etcd_dr.domain.cluster import Alarm, Member, MemberList, MemberStatus, quorum_size
from etcd_dr.domain.database import NEVER_COMPACTED, HashKv
from etcd_dr.domain.key_count import KeyCount
from etcd_dr.errors import (
    AccessDenied,
    Cancelled,
    ConfigError,
    EtcdError,
    MemberTimeout,
    MemberUnreachable,
    RevisionUnavailable,
    TlsRefused,
)
from etcd_dr.ports.snapshot_source import SnapshotChunk

MESSAGE_BYTES = 32 * 1024
_EMPTY_MESSAGE_SECONDS = 1 / 25_000
_EMPTY_MESSAGES_BEFORE_TIMEOUT = 100_000


@dataclass(frozen=True, slots=True)
class StallAfter:
    """The stream falls silent after this many bytes: MemberTimeout by the stall deadline."""

    sent_bytes: int


@dataclass(frozen=True, slots=True)
class TruncateAfter:
    """The stream ends early, and the server says OK."""

    sent_bytes: int


@dataclass(frozen=True, slots=True)
class DieAfter:
    """The member is killed while it sends: MemberUnreachable, and nothing answers afterwards."""

    sent_bytes: int


@dataclass(frozen=True, slots=True)
class EmptyMessagesAfter:
    """Reading the database fails on the server, which then sends empty messages for ever (etcd up to 3.6)."""

    sent_bytes: int


@dataclass(frozen=True, slots=True)
class WrongTrailer:
    """All bytes arrive, followed by the digest of something else."""


@dataclass(frozen=True, slots=True)
class MissingTrailer:
    """All bytes arrive and the stream ends without the digest."""


@dataclass(frozen=True, slots=True)
class FlippedBit:
    """One bit is wrong on arrival; the trailer is that of the true bytes."""

    at_byte: int


@dataclass(frozen=True, slots=True)
class WrongRemaining:
    """Every announcement of what is still to come is off by this many bytes."""

    by_bytes: int


StreamFault = (
    StallAfter
    | TruncateAfter
    | DieAfter
    | EmptyMessagesAfter
    | WrongTrailer
    | MissingTrailer
    | FlippedBit
    | WrongRemaining
)


@dataclass(slots=True)
class FakeMember:
    """One member as the server knows itself; every field may be changed by a test.

    `refuses`: nothing listens. `hangs`: accepts and never answers. `denies`: the user lacks the right. `tls_problem`:
    the handshake fails with this sentence. `errors` maps a method's name to what it raises instead.
    `leader_changes`: so many of its next linearizable reads are cut off by the end of an election.
    `sees` replaces the member list that this member reports. `hash_flaw` is XORed into its hashes: a diverged replica.
    """

    name: str
    id: int
    endpoint: str
    is_learner: bool = False
    version: str = "3.5.30"
    revision: int = 1000
    compact_revision: int = NEVER_COMPACTED
    raft_index: int = 2000
    raft_applied_index: int = 2000
    raft_term: int = 5
    database: bytes = b""
    db_in_use_bytes: int | None = None
    db_quota_bytes: int | None = None
    storage_version: str | None = None
    cluster_id: int | None = None
    sees: MemberList | None = None
    hash_flaw: int = 0
    refuses: bool = False
    hangs: bool = False
    denies: bool = False
    tls_problem: str = ""
    is_partitioned: bool = False
    leader_changes: int = 0
    stream_fault: StreamFault | None = None
    errors: dict[str, EtcdError] = field(default_factory=dict)

    @property
    def row(self) -> Member:
        """The member's row in a member list."""
        host = self.endpoint.partition("://")[2].rpartition(":")[0]
        return Member(self.id, self.name, (f"https://{host}:2380",), (self.endpoint,), self.is_learner)

    @property
    def is_up(self) -> bool:
        return not (self.refuses or self.hangs)

    def stop(self) -> None:
        """End the process: connections are refused."""
        self.refuses = True

    def start(self) -> None:
        """Bring the process back with its data."""
        self.refuses = self.hangs = False

    def diverge(self) -> None:
        """Make this replica hold other data under the same revisions."""
        self.hash_flaw = 0xBADC0DE


class FakeCluster:
    """Members that know one another. `leader` is a name or None; without quorum nobody knows a leader.

    `hash_of(revision, compact_revision)` is the true HashKV; give the hash of a real database file to prove it.
    `live_keys` says how many keys there are under each prefix.
    """

    def __init__(
        self,
        *members: FakeMember,
        cluster_id: int = 0xCDF818194E3A8C32,
        leader: str | None = None,
        hash_of: Callable[[int, int], int] | None = None,
        advance: Callable[[float], object] | None = None,
    ) -> None:
        self.members = list(members)
        self.cluster_id = cluster_id
        self.leader = leader or next((m.name for m in members if not m.is_learner), None)
        self.hash_of = hash_of or _made_up_hash
        self.advance = advance or _ignore_time
        self.raised_alarms: list[Alarm] = []
        self.live_keys: dict[bytes, int] = {}
        self.calls: list[tuple[str, str]] = []
        self.open_connections: Counter[str] = Counter()
        self.open_streams: Counter[str] = Counter()

    @classmethod
    def of_three(cls, *, database: bytes = b"", advance: Callable[[float], object] | None = None) -> FakeCluster:
        """Return m1 (leader), m2 and m3 at https://mN.example:2379 in the same state."""
        return cls(*(named_member(f"m{n}", database=database) for n in (1, 2, 3)), advance=advance)

    def __getitem__(self, name: str) -> FakeMember:
        return next(m for m in self.members if m.name == name)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(m.endpoint for m in self.members)

    def at(self, endpoint: str) -> FakeMember | None:
        """Return the member behind an endpoint, or None."""
        return next((m for m in self.members if m.endpoint == endpoint), None)

    def add_learner(self, name: str) -> FakeMember:
        """Add a learner in the leader's state and return it."""
        model = self.members[0]
        learner = named_member(name, database=model.database, is_learner=True)
        learner.revision, learner.compact_revision = model.revision, model.compact_revision
        self.members.append(learner)
        return learner

    def write(self, revisions: int = 1) -> None:
        """Let the cluster commit writes; members that are down or cut off stay behind."""
        for member in self._connected():
            member.revision += revisions
            member.raft_index += revisions
            member.raft_applied_index += revisions

    def compact(self, revision: int) -> None:
        """Compact on every connected member."""
        for member in self._connected():
            member.compact_revision = max(member.compact_revision, revision)

    def raise_alarm(self, name: str, kind: str) -> None:
        """Raise NOSPACE or CORRUPT for a member."""
        self.raised_alarms.append(Alarm(self[name].id, kind))

    def has_quorum(self, seen_from: FakeMember) -> bool:
        """Tell whether this member reaches a majority of the voters."""
        voters = [m for m in self.members if not m.is_learner]
        reached = {m.name for m in self._connected()} if not seen_from.is_partitioned else {seen_from.name}
        return seen_from.is_up and sum(m.name in reached for m in voters) >= quorum_size(len(voters))

    def leader_id(self, seen_from: FakeMember) -> int:
        """Return the leader's id as this member knows it: 0 without quorum or while there is none."""
        leader = self[self.leader] if self.leader else None
        if leader is None or not leader.is_up or leader.is_partitioned or not self.has_quorum(seen_from):
            return 0
        return leader.id

    def _connected(self) -> list[FakeMember]:
        return [m for m in self.members if m.is_up and not m.is_partitioned]


class FakeEtcdConnector:
    """Connects to the members of a FakeCluster; an endpoint that nobody has is refused when it is called."""

    def __init__(self, cluster: FakeCluster, *, endpoints: Sequence[str] | None = None) -> None:
        self.cluster = cluster
        self._endpoints = tuple(cluster.endpoints if endpoints is None else endpoints)

    @property
    def endpoints(self) -> Sequence[str]:
        return self._endpoints

    def connect(self, endpoint: str) -> FakeEtcdMember:
        if not endpoint.startswith(("http://", "https://")):
            raise ConfigError("is not an endpoint", subject=endpoint)
        return FakeEtcdMember(self.cluster, endpoint)


class FakeEtcdMember:
    """The client's side of one member: implements ports.etcd.EtcdMember."""

    def __init__(self, cluster: FakeCluster, endpoint: str) -> None:
        self._cluster = cluster
        self._endpoint = endpoint
        self._is_open = True
        cluster.open_connections[endpoint] += 1

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def status(self, *, deadline: float) -> MemberStatus:
        member = self._serve("status", deadline)
        cluster, leader_id = self._cluster, self._cluster.leader_id(member)
        alarms = [f"memberID:{a.member_id} alarm:{a.kind} " for a in cluster.raised_alarms]
        return MemberStatus(
            cluster_id=member.cluster_id or cluster.cluster_id,
            member_id=member.id,
            revision=member.revision,
            raft_term=member.raft_term,
            raft_index=member.raft_index,
            raft_applied_index=member.raft_applied_index,
            leader_id=leader_id,
            version=member.version,
            db_size_bytes=len(member.database),
            db_in_use_bytes=len(member.database) if member.db_in_use_bytes is None else member.db_in_use_bytes,
            is_learner=member.is_learner,
            errors=tuple(([] if leader_id else ["etcdserver: no leader"]) + alarms),
            storage_version=member.storage_version,
            db_quota_bytes=member.db_quota_bytes,
        )

    def member_list(self, *, linearizable: bool, deadline: float) -> MemberList:
        member = self._serve_voter("member_list", deadline)
        if linearizable and not member.version.startswith("3.4."):
            self._need_quorum(member, deadline)
        rows = sorted((m.row for m in self._cluster.members), key=lambda row: row.id)
        return member.sees or MemberList(member.cluster_id or self._cluster.cluster_id, tuple(rows))

    def alarms(self, *, deadline: float) -> tuple[Alarm, ...]:
        self._need_quorum(self._serve_voter("alarms", deadline), deadline)
        return tuple(self._cluster.raised_alarms)

    def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
        member = self._serve_voter("hash_kv", deadline)
        wanted = revision or member.revision
        if wanted > member.revision:
            raise self._unavailable(wanted, "future")
        if wanted < member.compact_revision:
            raise self._unavailable(wanted, "compacted")
        value = self._cluster.hash_of(wanted, member.compact_revision) ^ member.hash_flaw
        return HashKv(value, wanted, member.compact_revision)

    def read(self, *, linearizable: bool, deadline: float) -> int:
        if not linearizable:
            return self._serve("read", deadline).revision
        member = self._serve_voter("read", deadline)
        self._need_quorum(member, deadline)
        if member.leader_changes:
            member.leader_changes -= 1
            raise MemberTimeout(
                "etcdserver: leader changed", subject=self._endpoint, context={"reason": "leader-changed"}
            )
        return max(m.revision for m in self._cluster.members)

    def count_keys(self, *, prefix: bytes = b"", deadline: float) -> KeyCount:
        member = self._serve_voter("count_keys", deadline)
        self._need_quorum(member, deadline)
        cluster = self._cluster
        keys = sum(count for under, count in cluster.live_keys.items() if under.startswith(prefix))
        revision = max(m.revision for m in cluster.members)
        return KeyCount(keys, revision, member.raft_term, member.cluster_id or cluster.cluster_id)

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> FakeSnapshotStream:
        def serve() -> FakeMember:
            return self._serve("snapshot", stall_deadline)

        return FakeSnapshotStream(
            self._cluster, self._endpoint, serve, stall_deadline=stall_deadline, total_deadline=total_deadline
        )

    def close(self) -> None:
        if self._is_open:
            self._cluster.open_connections[self._endpoint] -= 1
        self._is_open = False

    def _serve(self, method: str, deadline: float) -> FakeMember:
        if not self._is_open:
            raise EtcdError("the connection was closed", subject=self._endpoint)
        self._cluster.calls.append((self._endpoint, method))
        member = self._cluster.at(self._endpoint)
        if member is None or member.refuses:
            raise MemberUnreachable("connection refused", subject=self._endpoint)
        if member.tls_problem:
            raise TlsRefused(member.tls_problem, subject=self._endpoint)
        if member.hangs:
            raise self._timed_out(deadline)
        if member.denies:
            raise AccessDenied("etcdserver: permission denied", subject=self._endpoint)
        if method in member.errors:
            raise member.errors[method]
        return member

    def _serve_voter(self, method: str, deadline: float) -> FakeMember:
        member = self._serve(method, deadline)
        if member.is_learner:
            raise EtcdError(
                "etcdserver: rpc not supported for learner", subject=self._endpoint, context={"reason": "learner"}
            )
        return member

    def _need_quorum(self, member: FakeMember, deadline: float) -> None:
        if not self._cluster.leader_id(member):
            raise self._timed_out(deadline)

    def _timed_out(self, deadline: float) -> MemberTimeout:
        self._cluster.advance(deadline)
        return MemberTimeout(f"no answer within {deadline:g} s", subject=self._endpoint)

    def _unavailable(self, revision: int, reason: str) -> RevisionUnavailable:
        return RevisionUnavailable(
            f"revision {revision} is not available: {reason}",
            subject=self._endpoint,
            context={"reason": reason, "revision": revision},
        )


class FakeSnapshotStream:
    """Implements ports.snapshot_source.SnapshotStream over the member's bytes and its fault."""

    def __init__(
        self,
        cluster: FakeCluster,
        endpoint: str,
        serve: Callable[[], FakeMember],
        *,
        stall_deadline: float,
        total_deadline: float,
    ) -> None:
        self._cluster = cluster
        self._endpoint = endpoint
        self._serve = serve
        self._stall_deadline = stall_deadline
        self._total_deadline = total_deadline
        self._cancelled = threading.Event()

    def __enter__(self) -> Self:
        self._cluster.open_streams[self._endpoint] += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancelled.set()
        self._cluster.open_streams[self._endpoint] -= 1

    def __iter__(self) -> Iterator[SnapshotChunk]:
        self._stop_if_cancelled()
        for chunk in self._messages(self._serve()):
            self._stop_if_cancelled()
            yield chunk
        self._stop_if_cancelled()

    def cancel(self) -> None:
        self._cancelled.set()

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the snapshot stream was cancelled", subject=self._endpoint)

    def _messages(self, member: FakeMember) -> Iterator[SnapshotChunk]:
        fault, data = member.stream_fault, member.database
        sent = 0
        for chunk in honest_messages(data, trailer=not isinstance(fault, MissingTrailer)):
            match fault:
                case StallAfter(limit) | TruncateAfter(limit) | DieAfter(limit) | EmptyMessagesAfter(limit):
                    if sent + len(chunk.blob) > limit:
                        yield from self._go_wrong(member, fault, remaining_bytes=len(data) - sent)
                        return
                    yield chunk
                case _:
                    yield _spoiled(chunk, fault, offset=sent, is_trailer=sent == len(data))
            sent += len(chunk.blob)

    def _go_wrong(
        self,
        member: FakeMember,
        fault: StallAfter | TruncateAfter | DieAfter | EmptyMessagesAfter,
        *,
        remaining_bytes: int,
    ) -> Iterator[SnapshotChunk]:
        if isinstance(fault, StallAfter):
            raise self._silence(self._stall_deadline)
        if isinstance(fault, DieAfter):
            member.stop()
            raise MemberUnreachable("the connection broke off", subject=self._endpoint)
        if isinstance(fault, EmptyMessagesAfter):
            for _ in range(_EMPTY_MESSAGES_BEFORE_TIMEOUT):
                self._cluster.advance(_EMPTY_MESSAGE_SECONDS)
                yield SnapshotChunk(b"", remaining_bytes)
            raise self._silence(self._total_deadline)

    def _silence(self, seconds: float) -> MemberTimeout:
        self._cluster.advance(seconds)
        return MemberTimeout(f"the snapshot stream stood still for {seconds:g} s", subject=self._endpoint)


def honest_messages(data: bytes, *, trailer: bool = True) -> Iterator[SnapshotChunk]:
    """Yield what a healthy etcd sends for these database bytes (maintenance.go, Snapshot)."""
    for offset in range(0, len(data), MESSAGE_BYTES):
        blob = data[offset : offset + MESSAGE_BYTES]
        yield SnapshotChunk(blob, len(data) - offset - len(blob))
    if trailer:
        yield SnapshotChunk(hashlib.sha256(data).digest(), 0)


def snapshot_file(data: bytes) -> bytes:
    """Return the file that a snapshot of these database bytes is: the bytes and their SHA-256."""
    return data + hashlib.sha256(data).digest()


def named_member(name: str, *, database: bytes = b"", is_learner: bool = False) -> FakeMember:
    """Return a member at https://<name>.example:2379 with an id made from its name."""
    member_id = zlib.crc32(name.encode()) << 32 | zlib.crc32(name[::-1].encode())
    return FakeMember(name, member_id, f"https://{name}.example:2379", is_learner=is_learner, database=database)


def _spoiled(chunk: SnapshotChunk, fault: StreamFault | None, *, offset: int, is_trailer: bool) -> SnapshotChunk:
    match fault:
        case WrongTrailer() if is_trailer:
            return replace(chunk, blob=hashlib.sha256(chunk.blob).digest())
        case FlippedBit(at) if not is_trailer and offset <= at < offset + len(chunk.blob):
            blob = bytearray(chunk.blob)
            blob[at - offset] ^= 1
            return replace(chunk, blob=bytes(blob))
        case WrongRemaining(by) if not is_trailer:
            return replace(chunk, remaining_bytes=(chunk.remaining_bytes or 0) + by)
        case _:
            return chunk


def _made_up_hash(revision: int, compact_revision: int) -> int:
    return zlib.crc32(f"{revision}/{compact_revision}".encode())


def _ignore_time(seconds: float) -> None:
    """Stand in for a clock when the test does not look at one."""
