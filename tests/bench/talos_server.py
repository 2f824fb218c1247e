"""A node that serves nothing but one file as its snapshot, as fast as Python can: `python -m bench.talos_server DIR`.

The directory has `file`, `server.pem` (certificate and key) and `ca.pem`; the port is printed once it listens.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import sys
from pathlib import Path

from grpclib.const import Cardinality, Handler
from grpclib.server import Server

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2

_CHUNK = 1024  # Talos: pkg/chunker/stream
MEMBER_ID = 0xD7AB041F823445EC


class Node:
    def __init__(self, file: Path) -> None:
        self._file = file

    async def snapshot(self, stream) -> None:
        await stream.recv_message()
        digest = hashlib.sha256()
        with self._file.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                await stream.send_message(common_pb2.Data(bytes=chunk))
        await stream.send_message(common_pb2.Data(bytes=digest.digest()))

    async def status(self, stream) -> None:
        await stream.recv_message()
        told = machine_pb2.EtcdMemberStatus(
            protocol_version="3.6.7",
            db_size=self._file.stat().st_size,
            leader=MEMBER_ID,
            raft_index=9,
            raft_applied_index=9,
            raft_term=2,
            member_id=MEMBER_ID,
        )
        await stream.send_message(machine_pb2.EtcdStatusResponse(messages=[machine_pb2.EtcdStatus(member_status=told)]))

    async def members(self, stream) -> None:
        await stream.recv_message()
        member = machine_pb2.EtcdMember(
            id=MEMBER_ID, hostname="cp-1", peer_urls=["https://127.0.0.1:2380"], client_urls=["https://127.0.0.1:2379"]
        )
        await stream.send_message(
            machine_pb2.EtcdMemberListResponse(messages=[machine_pb2.EtcdMembers(members=[member])])
        )

    def __mapping__(self) -> dict[str, Handler]:
        service = "/machine.MachineService"
        one, many = Cardinality.UNARY_UNARY, Cardinality.UNARY_STREAM
        nothing, data = common_pb2.Nothing, common_pb2.Data
        return {
            f"{service}/EtcdSnapshot": Handler(self.snapshot, many, machine_pb2.EtcdSnapshotRequest, data),
            f"{service}/EtcdStatus": Handler(self.status, one, nothing, machine_pb2.EtcdStatusResponse),
            f"{service}/EtcdMemberList": Handler(
                self.members, one, machine_pb2.EtcdMemberListRequest, machine_pb2.EtcdMemberListResponse
            ),
        }


async def main(directory: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(directory / "server.pem")
    tls.load_verify_locations(directory / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.set_alpn_protocols(["h2"])
    server = Server([Node(directory / "file")])
    await server.start("127.0.0.1", 0, ssl=tls)
    [listener] = server._server.sockets
    print(listener.getsockname()[1], flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
