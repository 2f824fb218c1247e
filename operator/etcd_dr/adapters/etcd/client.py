"""The calls to one member: requests out, our values in."""

from __future__ import annotations

from typing import Any

import grpc

from etcd_dr.adapters.etcd.connection import Deadline, MemberConnection
from etcd_dr.adapters.etcd.failures import broken_stream
from etcd_dr.adapters.etcd.login import Metadata
from etcd_dr.adapters.etcd.proto import rpc_pb2, rpc_pb2_grpc
from etcd_dr.adapters.etcd.stream import SNAPSHOT_CALL, GrpcSnapshotStream
from etcd_dr.domain.cluster import Alarm, Member, MemberList, MemberStatus
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.key_count import KeyCount
from etcd_dr.errors import EtcdDrError

# The key that `etcdctl endpoint health` reads as well, so that a role made for that serves here too.
_PROBE_KEY = b"health"


class GrpcEtcdMember:
    """Implements ports.etcd.EtcdMember over one connection, which it owns."""

    def __init__(self, connection: MemberConnection) -> None:
        self._connection = connection
        channel = connection.channel
        self._kv: Any = rpc_pb2_grpc.KVStub(channel)  # type: ignore[no-untyped-call] # generated without types
        self._cluster: Any = rpc_pb2_grpc.ClusterStub(channel)  # type: ignore[no-untyped-call] # as above
        self._maintenance: Any = rpc_pb2_grpc.MaintenanceStub(channel)  # type: ignore[no-untyped-call] # as above

    @property
    def endpoint(self) -> str:
        return self._connection.endpoint

    def status(self, *, deadline: float) -> MemberStatus:
        answer: rpc_pb2.StatusResponse = self._connection.ask(
            "Status", self._maintenance.Status, rpc_pb2.StatusRequest(), seconds=deadline
        )
        return MemberStatus(
            cluster_id=answer.header.cluster_id,
            member_id=answer.header.member_id,
            revision=answer.header.revision,
            raft_term=answer.raftTerm,
            raft_index=answer.raftIndex,
            raft_applied_index=answer.raftAppliedIndex,
            leader_id=answer.leader,
            version=answer.version,
            db_size_bytes=answer.dbSize,
            db_in_use_bytes=answer.dbSizeInUse or None,
            is_learner=answer.isLearner,
            errors=tuple(answer.errors),
            storage_version=answer.storageVersion or None,
            db_quota_bytes=answer.dbSizeQuota or None,
        )

    def member_list(self, *, linearizable: bool, deadline: float) -> MemberList:
        request = rpc_pb2.MemberListRequest(linearizable=linearizable)
        answer: rpc_pb2.MemberListResponse = self._connection.ask(
            "MemberList", self._cluster.MemberList, request, seconds=deadline
        )
        rows = sorted((member_of(row) for row in answer.members), key=lambda member: member.id)
        return MemberList(cluster_id=answer.header.cluster_id, members=tuple(rows))

    def alarms(self, *, deadline: float) -> tuple[Alarm, ...]:
        request = rpc_pb2.AlarmRequest(action=rpc_pb2.AlarmRequest.GET)
        answer: rpc_pb2.AlarmResponse = self._connection.ask(
            "Alarm", self._maintenance.Alarm, request, seconds=deadline
        )
        return tuple(Alarm(member_id=row.memberID, kind=_alarm_kind(row.alarm)) for row in answer.alarms)

    def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
        request = rpc_pb2.HashKVRequest(revision=revision)
        answer: rpc_pb2.HashKVResponse = self._connection.ask(
            "HashKV", self._maintenance.HashKV, request, seconds=deadline
        )
        # etcd 3.6 says what it hashed. Before, the header of an answer to revision 0 has the revision that was
        # current under the same lock (etcd: kvstore.go, HashByRev), and otherwise it was the one that was asked for.
        hashed = answer.hash_revision or revision or answer.header.revision
        return HashKv(hash=answer.hash, revision=hashed, compact_revision=answer.compact_revision)

    def read(self, *, linearizable: bool, deadline: float) -> int:
        request = rpc_pb2.RangeRequest(key=_PROBE_KEY, serializable=not linearizable, count_only=True)
        answer: rpc_pb2.RangeResponse = self._connection.ask("Range", self._kv.Range, request, seconds=deadline)
        return answer.header.revision

    def count_keys(self, *, prefix: bytes = b"", deadline: float) -> KeyCount:
        first = prefix or b"\0"
        request = rpc_pb2.RangeRequest(key=first, range_end=_end_of(prefix), count_only=True)
        answer: rpc_pb2.RangeResponse = self._connection.ask("Range", self._kv.Range, request, seconds=deadline)
        return KeyCount(
            keys=answer.count,
            revision=answer.header.revision,
            raft_term=answer.header.raft_term,
            cluster_id=answer.header.cluster_id,
        )

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> GrpcSnapshotStream:
        return GrpcSnapshotStream(
            _SnapshotCall(
                self._connection,
                self._maintenance.Snapshot,
                stall_seconds=stall_deadline,
                total_seconds=total_deadline,
            ),
            endpoint=self.endpoint,
            stall_deadline=stall_deadline,
            monotonic=self._connection.monotonic,
        )

    def close(self) -> None:
        self._connection.close()


class _SnapshotCall:
    """One snapshot over a member's connection: implements stream.SnapshotCall. Its deadlines run from the beginning."""

    def __init__(self, connection: MemberConnection, rpc: Any, *, stall_seconds: float, total_seconds: float) -> None:
        self._connection = connection
        self._rpc = rpc
        self._login_deadline = Deadline(min(stall_seconds, total_seconds), monotonic=connection.monotonic)
        self._deadline = Deadline(total_seconds, monotonic=connection.monotonic)
        self._running = self._login_deadline
        self._metadata: Metadata = ()
        self._is_renewed = False

    def begin(self) -> Any:
        self._running = self._login_deadline
        self._metadata = self._connection.metadata(self._login_deadline)
        self._running = self._deadline
        try:
            # Without the header `hasleader`, which would make a member refuse that has lost its leader: just then
            # its copy may be the last one (etcd: interceptor.go).
            return self._rpc(rpc_pb2.SnapshotRequest(), timeout=self._deadline.left, metadata=self._metadata)
        except ValueError as error:
            raise self._connection.closed(SNAPSHOT_CALL) from error

    def renew(self, error: grpc.RpcError) -> bool:
        if self._is_renewed:
            return False
        self._is_renewed = True
        return self._connection.can_renew(error, self._metadata)

    def explain(self, error: grpc.RpcError, *, received_bytes: int) -> EtcdDrError:
        if received_bytes and not self._connection.is_closed:
            return broken_stream(
                error, endpoint=self._connection.endpoint, received_bytes=received_bytes, seconds=self._deadline.seconds
            )
        return self._connection.explain(error, call=SNAPSHOT_CALL, deadline=self._running)


def _end_of(prefix: bytes) -> bytes:
    """Return the end of the range of all keys with this prefix; one zero byte means no end (rpc.proto, range_end)."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\0"


def member_of(row: rpc_pb2.Member) -> Member:
    """Return one row of a member list as our value."""
    return Member(
        id=row.ID,
        name=row.name,
        peer_urls=tuple(row.peerURLs),
        client_urls=tuple(row.clientURLs),
        is_learner=row.isLearner,
    )


def _alarm_kind(number: int) -> str:
    known = rpc_pb2.AlarmType.values()
    return rpc_pb2.AlarmType.Name(rpc_pb2.AlarmType.ValueType(number)) if number in known else f"UNKNOWN-{number}"
