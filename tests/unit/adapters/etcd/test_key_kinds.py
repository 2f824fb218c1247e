"""The one kind of sound certificate that gRPC cannot use, and that must not look like a member that is down."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.errors import TlsRefused

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def self_signed(key: Key) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "member")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(100)
                secured.sendall(b"settings")


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP521R1())])
def test_member_with_a_key_that_grpc_cannot_verify_is_named_as_such(tmp_path: Path, key: Key) -> None:
    """BoringSSL offers neither Ed25519 nor P-521; the error says that, and what to issue instead."""
    certificate, private = tmp_path / "member.crt", tmp_path / "member.key"
    certificate.write_bytes(self_signed(key))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, args=(listener, context), daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    member = GrpcEtcdConnector(EtcdAccess((url,), ca_file=certificate), clock=SystemClock()).connect(url)

    with pytest.raises(TlsRefused) as caught:
        member.status(deadline=20)
    member.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)

    assert caught.value.context["reason"] == "algorithms"
    assert "P-256" in caught.value.next_step
