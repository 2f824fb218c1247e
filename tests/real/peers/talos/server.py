"""The gRPC server of one node: TLS as Talos has it, every method of our contract, and connections that can be dropped.

- TLS 1.2 or later, HTTP/2 by ALPN, and no answer to a client without a certificate of the cluster's own authority: it
  is refused with TLS' alert, as by Go's server.
- The roles of a caller are the Organization fields of its certificate.
- Files and snapshots go out as `common.Data` of 1 KiB each, like Talos' own (pkg/chunker/stream); many of them are
  written at once, because the way through grpclib costs more than a kilobyte is worth.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpclib import GRPCError
from grpclib.const import Cardinality, Handler
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2, state_pb2, time_pb2
from real.peers.talos.calls import Call, Refusal
from real.peers.talos.pki import Pair
from real.peers.talos.routing import Router

_CHUNK_BYTES = 1024
_SERVICES = (
    machine_pb2.DESCRIPTOR.services_by_name["MachineService"],
    state_pb2.DESCRIPTOR.services_by_name["State"],
    time_pb2.DESCRIPTOR.services_by_name["TimeService"],
)


class ApiServer:
    """Listens at one address while open; `drop` ends everything at once, as a reboot does."""

    def __init__(self, router: Router, *, address: str, port: int, context: ssl.SSLContext) -> None:
        self._router = router
        self._address = address
        self._port = port
        self._context = context
        self._server: _DroppingServer | None = None

    async def open(self) -> None:
        """Begin to listen. Raises OSError when the address is taken."""
        self._server = _DroppingServer([_Methods(self._router)])
        await self._server.start(self._address, self._port, ssl=self._context)

    async def drop(self) -> None:
        """Stop listening and cut every connection. No-op when it is closed."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            server.cut()
            await server.wait_closed()


def server_context(pair: Pair, *, ca: bytes, directory: Path) -> ssl.SSLContext:
    """Return how a node speaks TLS; the files are for OpenSSL, which loads keys from files only."""
    files = pair.write(directory, "apid", ca=ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["h2"])
    context.sslobject_class = _AlertingTls
    return context


class _AlertingTls(ssl.SSLObject):
    """Lets a client know why it is refused: asyncio closes without sending the alert that OpenSSL wrote.

    That is what asyncio's SSLProtocol does where a handshake fails; where it only waits for more, it sends what there
    is. The client then closes, which ends the handshake that failed.
    """

    _has_refused = False

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError as error:
            if self._has_refused:
                raise
            self._has_refused = True
            raise ssl.SSLWantReadError("the alert is to be sent") from error


class _DroppingServer(Server):
    """grpclib's server, which knows its connections."""

    def __init__(self, handlers: list[_Methods]) -> None:
        super().__init__(handlers)
        self._protocols: list[H2Protocol] = []

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        self._protocols = [each for each in self._protocols if not _is_closed(each)]
        self._protocols.append(protocol)
        return protocol

    def cut(self) -> None:
        for protocol in self._protocols:
            if hasattr(protocol, "connection") and not _is_closed(protocol):
                protocol.connection._transport.abort()


def _is_closed(protocol: H2Protocol) -> bool:
    connection = getattr(protocol, "connection", None)  # there is none before the handshake is over
    return connection is not None and connection.is_closing()


class _Methods:
    """Every method of the contract, as grpclib wants to have them."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def __mapping__(self) -> dict[str, Handler]:
        return {
            f"/{service.full_name}/{method.name}": self._handler(method)
            for service in _SERVICES
            for method in service.methods
        }

    def _handler(self, method: MethodDescriptor) -> Handler:
        request_type = message_factory.GetMessageClass(method.input_type)
        reply_type = message_factory.GetMessageClass(method.output_type)
        name = f"State/{method.name}" if method.containing_service.name == "State" else method.name

        async def answer(stream: Stream[Any, Any]) -> None:
            call = Call(name, _roles(stream))
            request = stream if method.client_streaming else await stream.recv_message()
            try:
                if method.server_streaming:
                    parts = self._router.stream(call, stream.metadata, request, reply_type)
                    await _send_all(stream, parts)
                else:
                    await stream.send_message(await self._router.answer(call, stream.metadata, request, reply_type))
            except Refusal as refusal:
                raise GRPCError(refusal.status, refusal.message) from refusal

        return Handler(answer, _cardinality(method), request_type, reply_type)


def _cardinality(method: MethodDescriptor) -> Cardinality:
    if method.client_streaming:
        return Cardinality.STREAM_UNARY
    return Cardinality.UNARY_STREAM if method.server_streaming else Cardinality.UNARY_UNARY


def _roles(stream: Stream[Any, Any]) -> frozenset[str]:
    certificate = stream.peer.cert() or {}
    names = (pair for part in certificate.get("subject", ()) for pair in part)
    return frozenset(str(value) for key, value in names if key == "organizationName")


async def _send_all(stream: Stream[Any, Any], parts: AsyncIterator[Any]) -> None:
    async for part in parts:
        if isinstance(part, bytes):
            await _send_raw(stream, part, node="")
        elif isinstance(part, tuple):
            await _send_raw(stream, part[1], node=part[0])
        else:
            await stream.send_message(part)


async def _send_raw(stream: Stream[Any, Any], content: bytes, *, node: str) -> None:
    """Write many `common.Data` messages as one run of bytes, each with gRPC's prefix of five bytes."""
    if not stream._send_initial_metadata_done:
        await stream.send_initial_metadata()
    chunks = [content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES)]
    framed = b"".join(part for chunk in chunks for part in (_head(len(chunk), node), chunk))
    if framed:
        await stream._stream.send_data(framed)


@functools.cache
def _head(size: int, node: str) -> bytes:
    """Return what stands before that many bytes of content: gRPC's prefix, then the beginning of the message."""
    metadata = common_pb2.Metadata(hostname=node) if node else None
    message = common_pb2.Data(metadata=metadata, bytes=bytes(size)).SerializeToString()
    return b"\0" + len(message).to_bytes(4, "big") + message[: len(message) - size]
