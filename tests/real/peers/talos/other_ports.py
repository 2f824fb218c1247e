"""What else listens on a control plane node: trustd on 50001, and kube-apiserver on 6443 once etcd was healthy.

Both only shake hands: a client sees that somebody is there and whose certificate is shown, and then the end.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from real.peers.talos.pki import Authority

TRUSTD_PORT = 50_001
API_SERVER_PORT = 6_443


class OtherPorts:
    """The listeners of one node; opening what is open already does nothing."""

    def __init__(self, address: str, *, contexts: dict[int, ssl.SSLContext]) -> None:
        self._address = address
        self._contexts = contexts
        self._servers: dict[int, asyncio.Server] = {}

    async def open(self, port: int) -> None:
        """Begin to listen on one of the ports. Raises OSError when it is taken."""
        if port not in self._servers:
            context = self._contexts[port]
            self._servers[port] = await asyncio.start_server(_say_goodbye, self._address, port, ssl=context)

    def is_open(self, port: int) -> bool:
        return port in self._servers

    def close(self) -> None:
        """Stop listening everywhere."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def show(self, port: int, context: ssl.SSLContext) -> None:
        """Show another certificate from the next opening on."""
        self._contexts[port] = context


def listening_context(authority: Authority, *, address: str, name: str, directory: Path) -> ssl.SSLContext:
    """Return how a port speaks TLS: with a certificate of this authority, to anybody."""
    pair = authority.issue(name, addresses=(address, "127.0.0.1"), names=(name,))
    files = pair.write(directory, name, ca=authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


async def _say_goodbye(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
