"""Sends a call where its metadata says, as apid does (internal/app/apid/pkg/director and backend).

- `node: ADDRESS` passes the call on to one node, with the caller's roles; several values are refused.
- `nodes: ADDRESS…` asks each of them and puts the answers into one, each marked with its node. What one of them says
  against the call is part of the answer, and the call as a whole ends well.
- Workers pass nothing on. COSI's state knows `node` only.

Calls are passed on within this process: the second TLS connection between two nodes is not modelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from grpclib.const import Status

from etcd_dr.adapters.talos.proto import common_pb2
from real.peers.talos.api import MachineApi
from real.peers.talos.calls import Call, Refusal

Metadata = Any
"""What grpclib hands over: a mapping that may hold a key more than once."""


class Router:
    """The front of one node. `find` returns the API at an address, or None where there is no such node."""

    def __init__(self, local: MachineApi, *, find: Callable[[str], MachineApi | None]) -> None:
        self._local = local
        self._find = find

    async def answer(self, call: Call, metadata: Metadata, request: Any, reply_type: Any) -> Any:
        """Answer with one message, from one node or put together from several."""
        many = self._asked_for_many(call, metadata)
        if many is None:
            return await self._one(metadata).answer(call, request)
        whole = reply_type()
        for address in many:
            try:
                reply = await self._at(address).answer(call, request)
            except Refusal as refusal:
                whole.messages.add().metadata.CopyFrom(_failure(address, refusal))
            else:
                for message in reply.messages:
                    message.metadata.hostname = address
                whole.MergeFrom(reply)
        return whole

    async def stream(self, call: Call, metadata: Metadata, request: Any, reply_type: Any) -> AsyncIterator[Any]:
        """Answer with a stream; parts are messages, raw bytes, or pairs of a node and its raw bytes."""
        many = self._asked_for_many(call, metadata)
        if many is None:
            async for part in self._one(metadata).stream(call, request):
                yield part
            return
        for address in many:
            try:
                async for part in self._at(address).stream(call, request):
                    if isinstance(part, bytes):
                        yield address, part
                    else:
                        part.metadata.hostname = address
                        yield part
            except Refusal as refusal:
                yield reply_type(metadata=_failure(address, refusal))

    def _asked_for_many(self, call: Call, metadata: Metadata) -> list[str] | None:
        nodes = _values(metadata, "nodes")
        if len(_values(metadata, "node")) > 1:
            raise Refusal(Status.INVALID_ARGUMENT, "node metadata must be single-valued")
        if not nodes or (not self._forwards and nodes == [self._local.machine.address]):
            return None
        if call.method.startswith("State/"):
            text = f"one-2-many proxying is not supported for method /cosi.resource.{call.method}"
            raise Refusal(Status.INVALID_ARGUMENT, text)
        self._check_forwarding()
        return nodes

    def _one(self, metadata: Metadata) -> MachineApi:
        node = _values(metadata, "node")
        if not node or node[0] == self._local.machine.address:
            return self._local
        self._check_forwarding()
        return self._at(node[0])

    def _at(self, address: str) -> MachineApi:
        api = self._find(address)
        if api is None or not api.machine.is_on:
            port = self._local.machine.node.settings.port
            reason = "connect: no route to host" if api is None else "connect: connection refused"
            text = f'connection error: desc = "transport: Error while dialing: dial tcp {address}:{port}: {reason}"'
            raise Refusal(Status.UNAVAILABLE, text)
        return api

    @property
    def _forwards(self) -> bool:
        return self._local.machine.node.is_control_plane

    def _check_forwarding(self) -> None:
        if not self._forwards:
            raise Refusal(Status.PERMISSION_DENIED, "no request forwarding")


def _values(metadata: Metadata, key: str) -> list[str]:
    return [str(value) for value in metadata.getall(key, [])]


def _failure(address: str, refusal: Refusal) -> common_pb2.Metadata:
    # Go prints a status as an error with its code's name.
    code = "".join(word.capitalize() for word in refusal.status.name.split("_"))
    return common_pb2.Metadata(
        hostname=address,
        error=f"rpc error: code = {code} desc = {refusal.message}",
        status=common_pb2.RpcStatus(code=refusal.status.value, message=refusal.message),
    )
