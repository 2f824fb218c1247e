"""Causes found by looking: each against a listener on loopback that has exactly that fault."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess, parse_endpoint
from etcd_dr.adapters.etcd.diagnosis import Diagnosis
from etcd_dr.adapters.etcd.material import read_tls_material
from etcd_dr.adapters.local_cluster.pki import LocalAuthority, TlsFiles
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable, TlsRefused

NOW = datetime.now(UTC)  # the standard library's `ssl` judges certificates by the machine's clock
DAY = timedelta(days=1)
SECONDS = 30.0  # for whoever answers: no pause of the machine should be long enough
SHORT_SECONDS = 2.0  # for whoever never does

Serve = Callable[[socket.socket], object]
Listen = Callable[[Serve], int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Start a listener that hands each connection to a function; return its port."""
    with contextlib.ExitStack() as stack:

        def start(serve: Serve) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            thread = threading.Thread(target=accept_all, args=(listener, serve), daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return int(listener.getsockname()[1])

        yield start


def accept_all(listener: socket.socket, serve: Serve) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(2 * SECONDS)  # longer than the other side waits for anything
            with connection, contextlib.suppress(OSError):
                serve(connection)


def tls_server(files: TlsFiles, *, protocols: tuple[str, ...] = ("h2",)) -> Serve:
    """Serve TLS as etcd does: demand a client certificate, and wait for the greeting."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(list(protocols))

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(100)
            secured.sendall(b"settings")

    return serve


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    return LocalAuthority(tmp_path / "pki", valid_from=NOW - 20 * DAY, valid_until=NOW + 20 * DAY)


def diagnose(
    url: str, client: TlsFiles | None = None, *, now: datetime = NOW, seconds: float = SECONDS
) -> EtcdError | None:
    material = None
    if client is not None:
        material = read_tls_material(
            EtcdAccess((url,), ca_file=client.ca, cert_file=client.certificate, key_file=client.key)
        )
    return Diagnosis(parse_endpoint(url), material, seconds=seconds, now=now).run()


def reason(error: EtcdError | None) -> object:
    assert isinstance(error, TlsRefused)
    assert error.next_step
    return error.context["reason"]


def test_nothing_wrong_is_none(listen: Listen, authority: LocalAuthority) -> None:
    """A sound server with a sound client leaves the word to gRPC."""
    port = listen(tls_server(authority.issue("server")))

    assert diagnose(f"https://127.0.0.1:{port}", authority.issue("client")) is None


def test_nobody_listens() -> None:
    """The system's own word for it is in the message."""
    error = diagnose("http://127.0.0.1:1")

    assert isinstance(error, MemberUnreachable)
    assert "refused" in error.message


def test_name_does_not_exist() -> None:
    """The name is in the message."""
    error = diagnose("http://etcd-0.invalid:2379")

    assert isinstance(error, MemberUnreachable)
    assert "etcd-0.invalid" in error.message


def test_name_that_cannot_be_one() -> None:
    """A label of more than 63 characters is refused by Python itself."""
    assert isinstance(diagnose(f"http://{'a' * 70}.invalid:2379"), MemberUnreachable)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "expected"),
    [(NOW - 9 * DAY, NOW - DAY, "expired"), (NOW + DAY, NOW + 9 * DAY, "not-yet-valid")],
)
def test_members_certificate_is_out_of_date(
    listen: Listen, authority: LocalAuthority, valid_from: datetime, valid_until: datetime, expected: str
) -> None:
    """Its date is in the message."""
    server = authority.issue("server", valid_from=valid_from, valid_until=valid_until)

    error = diagnose(f"https://127.0.0.1:{listen(tls_server(server))}", authority.issue("client"))

    assert reason(error) == expected
    assert error is not None
    assert f"{valid_until if expected == 'expired' else valid_from:%Y-%m-%d}" in error.message


def test_members_certificate_is_not_for_servers(listen: Listen, authority: LocalAuthority) -> None:
    """A client certificate that is served by mistake is told."""
    port = listen(tls_server(authority.issue("server", serves=False)))

    assert reason(diagnose(f"https://127.0.0.1:{port}", authority.issue("client"))) == "purpose"


def test_client_certificate_is_not_valid_yet(listen: Listen, authority: LocalAuthority) -> None:
    """Our own clock tells it from a certificate that is simply not trusted."""
    client = authority.issue("client", valid_from=NOW + DAY, valid_until=NOW + 2 * DAY)

    error = diagnose(f"https://127.0.0.1:{listen(tls_server(authority.issue('server')))}", client)

    assert reason(error) == "client-not-yet-valid"


def test_server_without_tls(listen: Listen, authority: LocalAuthority) -> None:
    """It answers plain HTTP, so https:// is the mistake."""

    def plain(connection: socket.socket) -> None:
        if connection.recv(100).startswith(b"GET"):
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    assert reason(diagnose(f"https://127.0.0.1:{listen(plain)}", authority.issue("client"))) == "tls-against-plain"


def test_connection_that_is_closed_at_once(listen: Listen, authority: LocalAuthority) -> None:
    """A load balancer without members behind it closes what it accepts: that is no matter of certificates."""
    port = listen(lambda connection: None)

    assert isinstance(diagnose(f"https://127.0.0.1:{port}", authority.issue("client")), MemberUnreachable)


def test_files_that_vanish_meanwhile_end_the_search(listen: Listen, authority: LocalAuthority) -> None:
    """A rotation during a diagnosis is no reason to raise something else."""
    client, port = authority.issue("client"), listen(tls_server(authority.issue("server")))
    url = f"https://127.0.0.1:{port}"
    access = EtcdAccess((url,), ca_file=client.ca, cert_file=client.certificate, key_file=client.key)
    material = read_tls_material(access)
    client.key.unlink()

    assert Diagnosis(parse_endpoint(url), material, seconds=SECONDS, now=NOW).run() is None


def silent_until_closed(connection: socket.socket) -> None:
    """Take whatever comes, and never answer, as a process does that was stopped."""
    connection.settimeout(2 * SECONDS)
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_member_that_takes_connections_and_says_nothing_is_silent_and_no_matter_of_tls(
    scheme: str, listen: Listen, authority: LocalAuthority
) -> None:
    """SIGSTOP, a hung disk: the kernel completes the connection, and nobody is there."""
    port = listen(silent_until_closed)
    files = authority.issue("client") if scheme == "https" else None

    found = diagnose(f"{scheme}://127.0.0.1:{port}", files, seconds=SHORT_SECONDS)

    assert isinstance(found, MemberTimeout)
    assert found.context["reason"] == "silent"


def test_plain_server_that_speaks_only_http_1_is_no_etcd(listen: Listen) -> None:
    """A web server, a proxy, or etcd's metrics port."""

    def serve(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    found = diagnose(f"http://127.0.0.1:{listen(serve)}")

    assert found is not None
    assert found.context["reason"] == "not-etcd"
    assert "HTTP/1" in found.message


def test_tls_server_without_http_2_is_no_etcd(listen: Listen, authority: LocalAuthority) -> None:
    """A web server with a certificate of the same authority."""
    port = listen(tls_server(authority.issue("server"), protocols=()))

    found = diagnose(f"https://127.0.0.1:{port}", authority.issue("client"))

    assert found is not None
    assert found.context["reason"] == "not-etcd"
