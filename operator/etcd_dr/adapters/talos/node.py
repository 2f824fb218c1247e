"""The calls to one node: requests out, our values in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError
from h2.exceptions import ProtocolError

from etcd_dr.adapters.talos import answers
from etcd_dr.adapters.talos.connection import NodeConnection
from etcd_dr.adapters.talos.proto import common_pb2, machine_grpc, machine_pb2, state_grpc, state_pb2, time_grpc
from etcd_dr.adapters.talos.stream import TalosStream
from etcd_dr.domain.cluster import Alarm, Member, MemberStatus
from etcd_dr.domain.talos import (
    FileEntry,
    MountUse,
    Resource,
    ResourceKind,
    ServiceReport,
    TalosEvent,
    TalosVersion,
)
from etcd_dr.errors import AccessDenied, EtcdError
from etcd_dr.ports.clock import Clock

_UPLOAD_PIECE_BYTES = 64 << 10
_NOTHING = common_pb2.Nothing()


class GrpclibTalosNode:
    """Implements ports.talos.TalosActor over one connection, which it owns."""

    def __init__(self, connection: NodeConnection, *, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @property
    def address(self) -> str:
        return str(self._connection)

    def version(self, *, deadline: float) -> TalosVersion:
        told = self._item("Version", _NOTHING, deadline)
        return TalosVersion(told.version.tag, told.platform.name, told.version.arch)

    def services(self, *, deadline: float) -> tuple[ServiceReport, ...]:
        return tuple(answers.service(row) for row in self._item("ServiceList", _NOTHING, deadline).services)

    def etcd_status(self, *, deadline: float) -> MemberStatus:
        return answers.member_status(self._item("EtcdStatus", _NOTHING, deadline).member_status)

    def etcd_members(self, *, local: bool, deadline: float) -> tuple[Member, ...]:
        request = machine_pb2.EtcdMemberListRequest(query_local=local)
        return answers.members(self._item("EtcdMemberList", request, deadline))

    def etcd_alarms(self, *, deadline: float) -> tuple[Alarm, ...]:
        return answers.alarms(self._item("EtcdAlarmList", _NOTHING, deadline))

    def resource(self, kind: ResourceKind, id: str, *, deadline: float) -> Resource | None:  # noqa: A002 - Talos' word
        request = state_pb2.GetRequest(namespace=kind.namespace, type=kind.type, id=id)

        async def get(channel: Channel) -> Any:
            return await state_grpc.StateStub(channel).Get(request, timeout=deadline, metadata=self._metadata)

        try:
            told = self._connection.ask(f"Get {kind.type}", get, seconds=deadline, is_sensitive=kind.is_sensitive)
        except EtcdError as error:
            if error.context.get("grpc_status") == Status.NOT_FOUND.name or _is_unknown_type(error):
                return None
            raise
        return answers.resource(kind, told.resource)

    def resources(self, kind: ResourceKind, *, deadline: float) -> tuple[Resource, ...]:
        request = state_pb2.ListRequest(namespace=kind.namespace, type=kind.type)

        async def listing(channel: Channel) -> list[Any]:
            return await state_grpc.StateStub(channel).List(request, timeout=deadline, metadata=self._metadata)

        try:
            told = self._connection.ask(f"List {kind.type}", listing, seconds=deadline, is_sensitive=kind.is_sensitive)
        except EtcdError as error:
            if _is_unknown_type(error):
                return ()
            raise
        return tuple(answers.resource(kind, row.resource) for row in told)

    def list_directory(self, path: str, *, deadline: float) -> tuple[FileEntry, ...] | None:
        request = machine_pb2.ListRequest(root=path, recursion_depth=1)

        async def listing(channel: Channel) -> list[Any]:
            return await machine_grpc.MachineServiceStub(channel).List(
                request, timeout=deadline, metadata=self._metadata
            )

        try:
            told = self._connection.ask("List", listing, seconds=deadline)
        except EtcdError as error:
            if "no such file or directory" in str(error.context.get("detail", "")):
                return None
            raise
        rows = (answers.file_entry(row) for row in told)
        return tuple(row for row in rows if row.name not in ("", ".", path))

    def mounts(self, *, deadline: float) -> tuple[MountUse, ...]:
        return tuple(answers.mount(row) for row in self._item("Mounts", _NOTHING, deadline).stats)

    def logs(self, service: str, *, lines: int, deadline: float) -> str:
        request = machine_pb2.LogsRequest(namespace="system", id=service, tail_lines=lines)
        body = self._collect("Logs", request, limit_bytes=1 << 20, deadline=deadline)
        return body.decode("utf-8", "replace")

    def local_time(self, *, deadline: float) -> datetime:
        async def asking(channel: Channel) -> Any:
            return await time_grpc.TimeServiceStub(channel).Time(_NOTHING, timeout=deadline, metadata=self._metadata)

        told = self._only("Time", self._connection.ask("Time", asking, seconds=deadline))
        return answers.moment(told.localtime) or datetime.fromtimestamp(0, UTC)

    def read_file(self, path: str, *, limit_bytes: int, deadline: float) -> bytes:
        return self._collect("Read", machine_pb2.ReadRequest(path=path), limit_bytes=limit_bytes, deadline=deadline)

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> TalosStream:
        return self._stream("EtcdSnapshot", machine_pb2.EtcdSnapshotRequest(), stall_deadline, total_deadline)

    def read_stream(self, path: str, *, stall_deadline: float, total_deadline: float) -> TalosStream:
        return self._stream("Read", machine_pb2.ReadRequest(path=path), stall_deadline, total_deadline)

    def upload_snapshot(self, chunks: Iterable[bytes], *, deadline: float) -> None:
        pieces = iter(_cut(chunks))

        async def uploading(channel: Channel) -> Any:
            method = machine_grpc.MachineServiceStub(channel).EtcdRecover
            loop = asyncio.get_running_loop()
            async with method.open(timeout=deadline, metadata=self._metadata) as stream:
                try:
                    while (piece := await loop.run_in_executor(None, next, pieces, None)) is not None:
                        await stream.send_message(common_pb2.Data(bytes=piece))
                    await stream.end()
                except ProtocolError as error:
                    # The node has answered and closed its side; leaving the stream raises what it answered.
                    raise StreamTerminatedError(f"closed by the node: {error}") from error
                return await stream.recv_message()

        self._only("EtcdRecover", self._connection.ask("EtcdRecover", uploading, seconds=deadline))

    def bootstrap(self, *, recover: bool, deadline: float) -> None:
        self._item("Bootstrap", machine_pb2.BootstrapRequest(recover_etcd=recover), deadline)

    def reset(self, labels: Sequence[str], *, deadline: float) -> str:
        if not labels or not all(labels):
            raise AssertionError("a reset without labels would wipe the whole disk")
        request = machine_pb2.ResetRequest(
            graceful=False,
            reboot=True,
            system_partitions_to_wipe=[machine_pb2.ResetPartitionSpec(label=label, wipe=True) for label in labels],
        )
        return str(self._item("Reset", request, deadline).actor_id)

    def reboot(self, *, deadline: float) -> str:
        return str(self._item("Reboot", machine_pb2.RebootRequest(), deadline).actor_id)

    def remove_member(self, member_id: int, *, deadline: float) -> None:
        self._item("EtcdRemoveMemberByID", machine_pb2.EtcdRemoveMemberByIDRequest(member_id=member_id), deadline)

    def defragment(self, *, deadline: float) -> None:
        self._item("EtcdDefragment", _NOTHING, deadline)

    def disarm_alarms(self, *, deadline: float) -> None:
        self._item("EtcdAlarmDisarm", _NOTHING, deadline)

    @contextmanager
    def events(
        self, *, actor_id: str = "", tail: int = 0, stall_deadline: float, total_deadline: float
    ) -> Iterator[Iterator[TalosEvent]]:
        request = machine_pb2.EventsRequest(tail_events=tail, with_actor_id=actor_id)
        stream = TalosStream(
            self._connection,
            "Events",
            request,
            stall_deadline=stall_deadline,
            total_deadline=total_deadline,
            monotonic=self._clock.monotonic,
            answer_type=machine_pb2.Event,
        )
        with stream:
            yield (answers.event(told) for told in stream.messages())

    def close(self) -> None:
        self._connection.close()

    @property
    def _metadata(self) -> dict[str, str]:
        return self._connection.metadata

    def _item(self, call: str, request: Any, deadline: float) -> Any:
        """Return the one item of an answer that wraps one for each node."""

        async def asking(channel: Channel) -> Any:
            method = getattr(machine_grpc.MachineServiceStub(channel), call)
            return await method(request, timeout=deadline, metadata=self._metadata)

        return self._only(call, self._connection.ask(call, asking, seconds=deadline))

    def _only(self, call: str, answer: Any) -> Any:
        if answer is None or not answer.messages:
            raise EtcdError(f"{call}: the node answered with nothing", subject=self.address, context={"call": call})
        item = answer.messages[0]
        if item.metadata.error:
            raise EtcdError(
                f"{call}: {item.metadata.error[:300]}",
                subject=self.address,
                next_step="See how the nodes are: etcd-dr doctor",
                context={"call": call, "detail": item.metadata.error[:300]},
            )
        return item

    def _stream(self, call: str, request: Any, stall_deadline: float, total_deadline: float) -> TalosStream:
        return TalosStream(
            self._connection,
            call,
            request,
            stall_deadline=stall_deadline,
            total_deadline=total_deadline,
            monotonic=self._clock.monotonic,
        )

    def _collect(self, call: str, request: Any, *, limit_bytes: int, deadline: float) -> bytes:
        pieces: list[bytes] = []
        count = 0
        with self._stream(call, request, deadline, deadline) as stream:
            for chunk in stream:
                pieces.append(chunk.blob)
                count += len(chunk.blob)
                if count >= limit_bytes:
                    break
        return b"".join(pieces)[:limit_bytes]


def _is_unknown_type(error: EtcdError) -> bool:
    return isinstance(error, AccessDenied) and "is not supported" in str(error.context.get("detail", ""))


def _cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces that are large enough to be fast and far below Talos' limit for a message (32 MiB)."""
    for chunk in chunks:
        for at in range(0, len(chunk), _UPLOAD_PIECE_BYTES):
            yield chunk[at : at + _UPLOAD_PIECE_BYTES]
