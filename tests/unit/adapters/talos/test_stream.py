"""The stream of a node: silences, slow consumers, breaks, and what is held in memory meanwhile."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from etcd_dr.adapters.talos.address import NodeAddress
from etcd_dr.adapters.talos.chunk_reader import bulk_source
from etcd_dr.adapters.talos.codec import RawChunk
from etcd_dr.adapters.talos.connection import NodeConnection
from etcd_dr.adapters.talos.loop import LoopThread
from etcd_dr.adapters.talos.material import own_certificate, tls_context
from etcd_dr.adapters.talos.proto import common_pb2, machine_grpc, machine_pb2
from etcd_dr.adapters.talos.stream import TalosStream
from etcd_dr.adapters.talos.talosconfig import TalosContext
from etcd_dr.errors import AccessDenied, EtcdDrError, EtcdError, MemberTimeout, StreamBroken
from real.peers.talos.pki import Authority

Script = Callable[[], AsyncIterator[bytes]]


class ScriptedNode:
    """Serves EtcdSnapshot as the script says; `sent_bytes` is what it got rid of so far."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.sent_bytes = 0

    async def _snapshot(self, stream: Any) -> None:
        await stream.recv_message()
        async for chunk in self._script():
            await stream.send_message(common_pb2.Data(bytes=chunk))
            self.sent_bytes += len(chunk)

    def __mapping__(self) -> dict[str, Handler]:
        kind = Cardinality.UNARY_STREAM
        handler = Handler(self._snapshot, kind, machine_pb2.EtcdSnapshotRequest, common_pb2.Data)
        return {"/machine.MachineService/EtcdSnapshot": handler}


@pytest.fixture(scope="module")
def authority() -> Authority:
    now = datetime.now(UTC)
    return Authority(
        "talos", is_ed25519=True, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1)
    )


@contextmanager
def serving(script: Script, authority: Authority, directory: Path) -> Iterator[tuple[NodeConnection, ScriptedNode]]:
    """Run a node, and lend a connection to it."""
    pair, own = authority.issue("node", addresses=["127.0.0.1"]), authority.issue("", organizations=["os:reader"])
    (directory / "server.pem").write_bytes(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(directory / "server.pem")
    tls.set_alpn_protocols(["h2"])
    node, loop = ScriptedNode(script), LoopThread("node")

    async def start() -> Server:
        server = Server([node])
        await server.start("127.0.0.1", 0, ssl=tls)
        return server

    server = loop.run(start(), seconds=60)
    port = server._server.sockets[0].getsockname()[1]
    certificate = authority.certificate.decode()
    context = TalosContext("x", (), (), certificate, own.certificate.decode(), own.key.decode())
    connection = NodeConnection(
        NodeAddress("127.0.0.1", port),
        tls_context(context),
        own=own_certificate(context),
        now=lambda: datetime.now(UTC),
    )
    try:
        yield connection, node
    finally:
        connection.close()

        async def stop() -> None:
            server.close()

        loop.run(stop(), seconds=60)
        loop.stop()


def stream_of(
    connection: NodeConnection, *, stall: float = 5.0, total: float = 30.0, answer_type: Any = RawChunk
) -> TalosStream:
    return TalosStream(
        connection,
        "EtcdSnapshot",
        machine_pb2.EtcdSnapshotRequest(),
        stall_deadline=stall,
        total_deadline=total,
        monotonic=time.monotonic,
        answer_type=answer_type,
    )


def drained(stream: TalosStream) -> tuple[int, EtcdDrError]:
    """Read to the failure, and return what came before it."""
    received = 0
    try:
        for chunk in stream:
            received += len(chunk.blob)
    except EtcdDrError as error:
        return received, error
    raise AssertionError("it ended well")


def test_bytes_arrive_in_order_and_whole(authority: Authority, tmp_path: Path) -> None:
    """However they were cut."""
    chunks = [bytes([number % 251]) * (number % 2000) for number in range(1500)]

    async def script() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    with serving(script, authority, tmp_path) as (connection, _), stream_of(connection) as stream:
        received = b"".join(chunk.blob for chunk in stream)

    assert received == b"".join(chunks)


def test_both_ways_of_reading_give_the_same(authority: Authority, tmp_path: Path) -> None:
    """In bulk, and message by message as for anything that is not bytes."""
    chunks = [bytes([number % 251]) * (number * 37 % 3000) for number in range(400)]

    async def script() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    with serving(script, authority, tmp_path) as (connection, _):
        with stream_of(connection) as stream:
            in_bulk = b"".join(chunk.blob for chunk in stream)
        with stream_of(connection, answer_type=common_pb2.Data) as stream:
            one_by_one = [message.bytes for message in stream.messages()]

    assert one_by_one == chunks
    assert in_bulk == b"".join(chunks)


def test_installed_library_lets_us_read_in_bulk(authority: Authority, tmp_path: Path) -> None:
    """Where it does not any more, streams are slower and right; this test says so first."""

    async def script() -> AsyncIterator[bytes]:
        yield b"abc"

    with serving(script, authority, tmp_path) as (connection, _):

        async def look() -> object:
            stub = machine_grpc.MachineServiceStub(connection.channel())
            async with stub.EtcdSnapshot.open() as stream:
                await stream.send_message(machine_pb2.EtcdSnapshotRequest(), end=True)
                await stream.recv_initial_metadata()
                source = bulk_source(stream)
                while await stream.recv_message() is not None:
                    pass
                return source

        assert connection.loop.run(look(), seconds=60) is not None


def test_slow_consumer_is_no_stall_and_holds_the_node_back(authority: Authority, tmp_path: Path) -> None:
    """Only our own waiting counts; what is held meanwhile stays bounded."""

    async def script() -> AsyncIterator[bytes]:
        for _ in range(40 << 10):
            yield bytes(1024)

    with serving(script, authority, tmp_path) as (connection, node), stream_of(connection, stall=0.4) as stream:
        chunks = iter(stream)
        next(chunks)
        time.sleep(1.2)
        sent_meanwhile = node.sent_bytes
        rest = sum(len(chunk.blob) for chunk in chunks)

    assert rest > 39 << 20
    assert sent_meanwhile < 16 << 20


def test_silence_is_told_with_what_came_before_it(authority: Authority, tmp_path: Path) -> None:
    """Talos itself would wait for ever."""

    async def script() -> AsyncIterator[bytes]:
        yield bytes(3000)
        await asyncio.sleep(20)

    with serving(script, authority, tmp_path) as (connection, _), stream_of(connection, stall=1.5) as stream:
        received, error = drained(stream)

    assert received == 3000
    assert isinstance(error, MemberTimeout)
    assert error.context["reason"] == "stalled"
    assert error.context["received_bytes"] == 3000


def test_failure_after_data_is_a_broken_stream(authority: Authority, tmp_path: Path) -> None:
    """With the node's words."""

    async def script() -> AsyncIterator[bytes]:
        yield bytes(2000)
        raise GRPCError(Status.UNKNOWN, "failed reading etcd snapshot")

    with serving(script, authority, tmp_path) as (connection, _), stream_of(connection) as stream:
        received, error = drained(stream)

    assert received == 2000
    assert isinstance(error, StreamBroken)
    assert "failed reading etcd snapshot" in error.message


def test_refusal_before_data_names_the_role(authority: Authority, tmp_path: Path) -> None:
    """The certificate here has os:reader."""

    async def script() -> AsyncIterator[bytes]:
        raise GRPCError(Status.PERMISSION_DENIED, "not authorized")
        yield b""

    with serving(script, authority, tmp_path) as (connection, _), stream_of(connection) as stream:
        _, error = drained(stream)

    assert isinstance(error, AccessDenied)
    assert error.context["needed_role"] == "os:etcd:backup"
    assert error.context["own_roles"] == "os:reader"


def test_closing_the_connection_ends_the_stream(authority: Authority, tmp_path: Path) -> None:
    """Out of a wait, too."""

    async def script() -> AsyncIterator[bytes]:
        yield bytes(2000)
        await asyncio.sleep(20)

    with serving(script, authority, tmp_path) as (connection, _), stream_of(connection) as stream:
        chunks = iter(stream)
        next(chunks)
        connection.close()
        with pytest.raises(EtcdError):
            list(chunks)


def test_stream_of_a_closed_connection_says_so(authority: Authority, tmp_path: Path) -> None:
    """Before anything is asked."""

    async def script() -> AsyncIterator[bytes]:
        yield b"x"

    with serving(script, authority, tmp_path) as (connection, _):
        connection.close()

        with stream_of(connection) as stream, pytest.raises(EtcdDrError) as raised:
            list(stream)

    assert raised.value.context["reason"] == "closed"
