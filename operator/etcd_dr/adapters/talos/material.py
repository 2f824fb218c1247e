"""The TLS side of one connection: a context made from a talosconfig, and what its own certificate says.

Talos' certificates have Ed25519 keys. OpenSSL, which Python's ssl stands on, verifies them; gRPC's own TLS does not
(grpc/grpc#24252), which is why nothing here is grpcio's.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from etcd_dr.adapters.talos.talosconfig import TalosContext
from etcd_dr.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """Our client certificate: what we are allowed (`roles`), and until when."""

    roles: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    issuer: str = ""
    serial: str = ""


def own_certificate(context: TalosContext) -> OwnCertificate:
    """Return what the client certificate says. Raises ConfigError."""
    try:
        certificate = x509.load_pem_x509_certificate(context.cert_pem.encode())
    except ValueError as error:
        raise _unusable(context, "crt is not a certificate") from error
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return OwnCertificate(
        roles=tuple(str(item.value) for item in organizations),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
    )


def tls_context(context: TalosContext) -> ssl.SSLContext:
    """Return the client side of mutual TLS. Nothing of the key touches a disk. Raises ConfigError."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.set_alpn_protocols(["h2"])
    try:
        tls.load_verify_locations(cadata=context.ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise _unusable(context, "ca is not a certificate") from error
    # OpenSSL takes a certificate from a file only: one in memory will do.
    descriptor = os.memfd_create("etcd-dr-talos", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(f"{context.cert_pem.rstrip()}\n{context.key_pem}".encode())
        tls.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except (ssl.SSLError, ValueError, OSError) as error:
        raise _unusable(context, "crt and key do not fit together, or are of an unknown kind") from error
    finally:
        os.close(descriptor)
    return tls


def authority_id(context: TalosContext) -> int:
    """Return 64 bits that stand for the cluster: of the SHA-256 over the public key of its Talos authority.

    The authority lives in the machines' secrets, so it stays through a recovery, unlike etcd's cluster id.
    """
    import hashlib  # noqa: PLC0415 - only here

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - as above

    try:
        authority = x509.load_pem_x509_certificate(context.ca_pem.encode())
    except ValueError as error:
        raise _unusable(context, "ca is not a certificate") from error
    key = authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big")


def _unusable(context: TalosContext, what: str) -> ConfigError:
    return ConfigError(
        f"context {context.name!r}: {what}",
        subject=context.origin,
        next_step="Make a new one: talosctl config new --roles os:etcd:backup talosconfig",
    )
