"""Speaks to one etcd member over gRPC, as the node it runs on does.

Everything runs in the double's event loop, over grpclib. Our own wire contract for etcd has only reading calls; what a
Talos node also does (adding, promoting and removing members, moving the leader) is declared here, from etcd's
api/etcdserverpb/rpc.proto.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpclib
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod

from etcd_dr.adapters.etcd.proto import rpc_pb2

_UINT64, _STRING, _BOOL, _BYTES = (
    descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
)
_ALARM_DEACTIVATE = 2


def _message(name: str, **fields: tuple[int, int, bool]) -> Any:
    """Declare a message; a field is its number, its type, and whether it repeats."""
    file = descriptor_pb2.FileDescriptorProto(name=f"talos_double/{name}.proto", syntax="proto3")
    message = file.message_type.add(name=name)
    for field_name, (number, kind, repeats) in fields.items():
        label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED if repeats else 1
        message.field.add(name=field_name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


_Nothing = _message("Nothing")
_MemberId = _message("MemberId", id=(1, _UINT64, False))
_MemberAdd = _message("MemberAdd", peer_urls=(1, _STRING, True), is_learner=(2, _BOOL, False))
_MemberAdded = _message("MemberAdded", member=(2, _BYTES, False))
_Put = _message("Put", key=(1, _BYTES, False), value=(2, _BYTES, False))
# A response and a range response agree in their header, the only part of an answer to a put that is used.
_PutAnswer = rpc_pb2.RangeResponse

WITH_LEADER = {"hasleader": "true"}
"""The metadata with which etcd refuses at once where it has no leader (clientv3.WithRequireLeader)."""


class EtcdClient:
    """A connection to `address`; `async with` closes it. Connection errors are OSError or StreamTerminatedError."""

    def __init__(self, address: str, port: int, *, context: ssl.SSLContext) -> None:
        self._channel = Channel(address, port, ssl=context)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    async def wait_until_it_listens(self) -> None:
        """Wait, without end, until a connection can be made: clientv3 waits for readiness."""
        while True:
            try:
                await self.connect()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return

    async def connect(self) -> None:
        """Make the connection; raises OSError where nobody listens."""
        await self._channel.__connect__()

    async def status(self) -> rpc_pb2.StatusResponse:
        answer: rpc_pb2.StatusResponse = await self._unary(
            "Maintenance/Status", rpc_pb2.StatusRequest(), rpc_pb2.StatusResponse
        )
        return answer

    async def members(self) -> list[rpc_pb2.Member]:
        """Return the member list that the leader knows."""
        request = rpc_pb2.MemberListRequest(linearizable=True)
        answer = await self._unary("Cluster/MemberList", request, rpc_pb2.MemberListResponse, WITH_LEADER)
        return list(answer.members)

    async def alarms(self, *, disarm: bool = False) -> list[rpc_pb2.AlarmMember]:
        """Return the alarms; with `disarm` each is taken back, as clientv3 does for an empty AlarmMember
        (client/v3/maintenance.go, AlarmDisarm): etcd itself would take a request for none as one for nothing."""
        answer = await self._unary("Maintenance/Alarm", rpc_pb2.AlarmRequest(), rpc_pb2.AlarmResponse)
        for raised in answer.alarms if disarm else ():
            # An enum of proto3 takes any number, also one that our contract leaves out on purpose.
            request = rpc_pb2.AlarmRequest(
                action=_ALARM_DEACTIVATE,  # type: ignore[arg-type]  # see above
                memberID=raised.memberID,
                alarm=raised.alarm,
            )
            await self._unary("Maintenance/Alarm", request, rpc_pb2.AlarmResponse)
        return list(answer.alarms)

    async def check_quorum(self) -> None:
        """Read with quorum, which is how Talos looks at etcd's health (internal/pkg/etcd, ValidateQuorum)."""
        await self._unary("KV/Range", rpc_pb2.RangeRequest(key=b"health"), rpc_pb2.RangeResponse)

    async def put(self, key: bytes, value: bytes) -> int:
        """Write one key and return its revision."""
        answer = await self._unary("KV/Put", _Put(key=key, value=value), _PutAnswer)
        return int(answer.header.revision)

    async def get(self, key: bytes) -> bytes | None:
        """Read one key with quorum; None when there is none."""
        answer = await self._unary("KV/Range", rpc_pb2.RangeRequest(key=key), rpc_pb2.RangeResponse)
        return bytes(answer.kvs[0].value) if answer.kvs else None

    async def add_learner(self, peer_urls: list[str]) -> int:
        """Add a member that does not vote and return its id."""
        request = _MemberAdd(peer_urls=peer_urls, is_learner=True)
        answer = await self._unary("Cluster/MemberAdd", request, _MemberAdded, WITH_LEADER)
        return int(rpc_pb2.Member.FromString(answer.member).ID)

    async def promote(self, member_id: int) -> None:
        await self._unary("Cluster/MemberPromote", _MemberId(id=member_id), _Nothing)

    async def remove(self, member_id: int) -> None:
        await self._unary("Cluster/MemberRemove", _MemberId(id=member_id), _Nothing, WITH_LEADER)

    async def move_leader(self, member_id: int) -> None:
        await self._unary("Maintenance/MoveLeader", _MemberId(id=member_id), _Nothing)

    async def defragment(self) -> None:
        await self._unary("Maintenance/Defragment", _Nothing(), _Nothing)

    async def snapshot(self) -> AsyncIterator[bytes]:
        """Yield the parts of a snapshot, checksum included. Raises whatever ended the stream early."""
        method = UnaryStreamMethod(
            self._channel,
            "/etcdserverpb.Maintenance/Snapshot",
            rpc_pb2.SnapshotRequest,
            rpc_pb2.SnapshotResponse,
        )
        async with method.open() as stream:
            await stream.send_message(rpc_pb2.SnapshotRequest(), end=True)
            async for part in stream:
                yield part.blob

    async def _unary(self, path: str, request: Any, reply: Any, metadata: dict[str, str] | None = None) -> Any:
        method: UnaryUnaryMethod[Any, Any] = UnaryUnaryMethod(
            self._channel, f"/etcdserverpb.{path}", type(request), reply
        )
        return await method(request, metadata=metadata)


NotReached = (OSError, grpclib.exceptions.StreamTerminatedError, asyncio.TimeoutError)
"""What is raised where there is no etcd to speak to."""
