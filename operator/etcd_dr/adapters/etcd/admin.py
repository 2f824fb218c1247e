"""The calls that change a cluster, over one member's connection. Reading ones are in `client`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etcd_dr.adapters.etcd.client import member_of
from etcd_dr.adapters.etcd.connection import MemberConnection
from etcd_dr.adapters.etcd.proto import rpc_pb2, rpc_pb2_grpc
from etcd_dr.domain.cluster import Alarm, Member
from etcd_dr.errors import EtcdError, RevisionUnavailable

# etcd's name for "everything from here on" (etcd: clientv3, WithFromKey).
_EVERY_KEY = b"\0"


class GrpcEtcdAdmin:
    """Implements ports.etcd_admin.EtcdAdmin over one connection, which it owns."""

    def __init__(self, connection: MemberConnection) -> None:
        self._connection = connection
        channel = connection.channel
        self._kv: Any = rpc_pb2_grpc.KVStub(channel)  # type: ignore[no-untyped-call] # generated without types
        self._cluster: Any = rpc_pb2_grpc.ClusterStub(channel)  # type: ignore[no-untyped-call] # as above
        self._maintenance: Any = rpc_pb2_grpc.MaintenanceStub(channel)  # type: ignore[no-untyped-call] # as above

    @property
    def endpoint(self) -> str:
        return self._connection.endpoint

    def add_learner(self, peer_urls: Sequence[str], *, deadline: float) -> Member:
        request = rpc_pb2.MemberAddRequest(peerURLs=list(peer_urls), isLearner=True)
        try:
            answer: rpc_pb2.MemberAddResponse = self._connection.ask(
                "MemberAdd", self._cluster.MemberAdd, request, seconds=deadline
            )
        except EtcdError as error:
            if error.context.get("reason") != "not-found":
                raise
            # etcd has one sentence for an unknown id and for a removed one (v3rpc/util.go); a new member's id is its own.
            raise EtcdError(
                "MemberAdd: etcd gave the new member an id that was removed: one with these peer URLs was added and "
                "removed within this second",
                subject=self.endpoint,
                next_step="Add it again: the next second has another id.",
                context={**error.context, "reason": "id-removed"},
            ) from error
        return member_of(answer.member)

    def promote(self, member_id: int, *, deadline: float) -> None:
        request = rpc_pb2.MemberPromoteRequest(ID=member_id)
        self._connection.ask("MemberPromote", self._cluster.MemberPromote, request, seconds=deadline)

    def remove_member(self, member_id: int, *, deadline: float) -> None:
        request = rpc_pb2.MemberRemoveRequest(ID=member_id)
        self._connection.ask("MemberRemove", self._cluster.MemberRemove, request, seconds=deadline)

    def disarm(self, alarm: Alarm, *, deadline: float) -> None:
        request = rpc_pb2.AlarmRequest(
            action=rpc_pb2.AlarmRequest.DEACTIVATE, memberID=alarm.member_id, alarm=self._alarm_type(alarm)
        )
        self._connection.ask("Alarm", self._maintenance.Alarm, request, seconds=deadline)

    def compact(self, revision: int, *, deadline: float) -> None:
        request = rpc_pb2.CompactionRequest(revision=revision, physical=True)
        try:
            self._connection.ask("Compact", self._kv.Compact, request, seconds=deadline)
        except RevisionUnavailable as error:
            if error.context.get("reason") != "compacted":
                raise

    def defragment(self, *, deadline: float) -> None:
        self._connection.ask("Defragment", self._maintenance.Defragment, rpc_pb2.DefragmentRequest(), seconds=deadline)

    def put(self, key: bytes, value: bytes, *, deadline: float) -> int:
        request = rpc_pb2.PutRequest(key=key, value=value)
        answer: rpc_pb2.PutResponse = self._connection.ask("Put", self._kv.Put, request, seconds=deadline)
        return answer.header.revision

    def get(self, key: bytes, *, deadline: float) -> bytes | None:
        answer = self._range(rpc_pb2.RangeRequest(key=key), deadline)
        return answer.kvs[0].value if answer.kvs else None

    def delete(self, key: bytes, *, deadline: float) -> None:
        request = rpc_pb2.DeleteRangeRequest(key=key)
        self._connection.ask("DeleteRange", self._kv.DeleteRange, request, seconds=deadline)

    def count_keys(self, *, revision: int = 0, deadline: float) -> int:
        request = rpc_pb2.RangeRequest(
            key=_EVERY_KEY, range_end=_EVERY_KEY, revision=revision, serializable=True, count_only=True
        )
        return self._range(request, deadline).count

    def sample_keys(self, keys: Sequence[bytes], *, revision: int = 0, deadline: float) -> dict[bytes, bytes]:
        ends_at = self._connection.monotonic() + deadline
        found: dict[bytes, bytes] = {}
        for key in keys:
            left = max(0.0, ends_at - self._connection.monotonic())
            request = rpc_pb2.RangeRequest(key=key, revision=revision, serializable=True)
            for row in self._range(request, left).kvs:
                found[row.key] = row.SerializeToString()
        return found

    def close(self) -> None:
        self._connection.close()

    def _range(self, request: rpc_pb2.RangeRequest, seconds: float) -> rpc_pb2.RangeResponse:
        answer: rpc_pb2.RangeResponse = self._connection.ask("Range", self._kv.Range, request, seconds=seconds)
        return answer

    def _alarm_type(self, alarm: Alarm) -> rpc_pb2.AlarmType:
        match alarm.kind:
            case "NOSPACE":
                return rpc_pb2.NOSPACE
            case "CORRUPT":
                return rpc_pb2.CORRUPT
        raise EtcdError(
            f"alarm {alarm.kind} is not one that this version knows how to take back",
            subject=self.endpoint,
            next_step="Take it back with the etcdctl of the server's version: etcdctl alarm disarm",
            context={"reason": "unknown-alarm"},
        )
