"""What a node that refuses our certificate is told as: TLS 1.3 says it after the handshake, and it may take a while."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from grpclib.exceptions import StreamTerminatedError

from etcd_dr.adapters.talos.address import NodeAddress
from etcd_dr.adapters.talos.connection import NodeConnection
from etcd_dr.adapters.talos.material import own_certificate, tls_context
from etcd_dr.adapters.talos.talosconfig import TalosContext
from etcd_dr.errors import TlsRefused
from real.peers.talos.pki import Authority, Pair

NOW = datetime.now(UTC)  # the standard library's `ssl` judges certificates by the machine's clock
DAY = timedelta(days=1)  # however long after the collection of the tests it is that these run
REFUSAL_TAKES_SECONDS = 0.5  # longer than any look at a connection that is content, and far from what is waited for


def authority() -> Authority:
    return Authority("talos", is_ed25519=True, valid_from=NOW - DAY, valid_until=NOW + 3 * DAY)


class SlowRefuser:
    """Demands a client certificate, and looks at it only after a while, as a busy node behind a slow link."""

    def __init__(self, trusted: Authority, directory: Path) -> None:
        pair = trusted.issue("node", addresses=["127.0.0.1"])
        (directory / "server.pem").write_bytes(pair.certificate + pair.key)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(directory / "server.pem")
        self._tls.load_verify_locations(cadata=trusted.certificate.decode())
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.set_alpn_protocols(["h2"])
        self._closed = threading.Event()

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    self._shake_hands(connection)

    def close(self) -> None:
        self._closed.set()

    def _shake_hands(self, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        connection.sendall(outgoing.read())
        incoming.write(connection.recv(65536))  # its certificate, with which its handshake is done
        self._closed.wait(REFUSAL_TAKES_SECONDS)
        with contextlib.suppress(ssl.SSLError):
            tls.do_handshake()
        connection.sendall(outgoing.read())


@pytest.fixture
def trusted() -> Authority:
    return authority()


@pytest.fixture
def port(trusted: Authority, tmp_path: Path) -> Iterator[int]:
    """Where a slow refuser listens that knows one authority."""
    refuser = SlowRefuser(trusted, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuser.serve, args=(listener,), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        refuser.close()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def connection_to(port: int, *, trusted: Authority, own: Pair) -> NodeConnection:
    context = TalosContext("x", (), (), trusted.certificate.decode(), own.certificate.decode(), own.key.decode())
    return NodeConnection(
        NodeAddress("127.0.0.1", port), tls_context(context), own=own_certificate(context), now=lambda: NOW
    )


def why(port: int, *, trusted: Authority, own: Pair) -> object:
    """Return why a call failed, of which gRPC knew only that its connection ended."""
    with closing(connection_to(port, trusted=trusted, own=own)) as connection:
        error = connection.explain(StreamTerminatedError("Connection lost"), call="Version")
    assert isinstance(error, TlsRefused), error
    return error.context["reason"]


def test_refusal_of_a_foreign_certificate_is_waited_for(port: int, trusted: Authority) -> None:
    """A certificate that another authority signed is told as that, and not as a node that cannot be reached."""
    foreign = authority().issue("", organizations=["os:reader"])

    reason = why(port, trusted=trusted, own=foreign)

    assert reason == "client-authority"


def test_any_other_refusal_is_waited_for(port: int, trusted: Authority) -> None:
    """A certificate that is not valid yet is refused for a reason that TLS has no alert of its own for."""
    early = trusted.issue("", organizations=["os:reader"], valid_from=NOW + DAY)

    reason = why(port, trusted=trusted, own=early)

    assert reason == "client-certificate"
