"""Reads TLS files for one connection, and finds what is wrong with them before gRPC would only say "rejected".

- Files are read each time: certificates rotate under a running process.
- Unusable files (missing, not PEM, a key that is not the certificate's) are a ConfigError. A client certificate that
  has expired is used all the same: the member's clock decides, and `diagnosis` names it when the member refuses.
- Without a CA file the member is judged by this machine's own authorities, as etcdctl does, and not by the list that
  gRPC brings along.
- Key material stays out of representations, errors and logs.
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes, PublicKeyTypes

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.errors import ConfigError

# crypto/x509/root_linux.go, certFiles: what etcdctl would find.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """The client certificate (with the chain its file holds) and its key, in PEM, and where they came from."""

    cert_file: Path
    key_file: Path
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    common_name: str
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """Whom to trust and what to show. `expected_name` is looked for in the member's certificate; None: its host.

    `ca_file` None: `ca_pem` is what this machine trusts, or None where it has no bundle either.
    """

    ca_file: Path | None
    ca_pem: bytes | None
    identity: ClientIdentity | None
    expected_name: str | None


def read_tls_material(access: EtcdAccess) -> TlsMaterial:
    """Return what the files hold now. Raises ConfigError; `subject` is the file."""
    return TlsMaterial(
        ca_file=access.ca_file,
        ca_pem=_system_roots() if access.ca_file is None else _read_ca(access.ca_file),
        identity=_read_identity(access.cert_file, access.key_file),
        expected_name=access.server_name,
    )


def read_password(path: Path) -> str:
    """Return the password in a file without the line end that editors add. Raises ConfigError."""
    try:
        password = _read(path, what="password file").decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            "is not UTF-8 text", subject=str(path), next_step="Put the password alone into it."
        ) from error
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise ConfigError("is empty", subject=str(path), next_step="Put the etcd user's password alone into it.")
    return password


def _system_roots() -> bytes | None:
    """Return this machine's bundle of authorities: OpenSSL's (SSL_CERT_FILE counts), else where Go looks for one."""
    known = ssl.get_default_verify_paths().cafile
    for place in ([known] if known else []) + list(_BUNDLES):
        with contextlib.suppress(OSError):
            return Path(place).read_bytes()
    return None


def _read_ca(path: Path) -> bytes:
    pem = _read(path, what="CA file")
    _certificates(pem, path, what="CA file")
    return pem


def _read_identity(cert_file: Path | None, key_file: Path | None) -> ClientIdentity | None:
    if cert_file is None and key_file is None:
        return None
    if cert_file is None or key_file is None:
        raise ConfigError(
            "a client certificate needs its key, and a key its certificate",
            subject=str(cert_file or key_file),
            next_step="Give both --cert and --key, or neither.",
        )
    try:
        return _read_pair(cert_file, key_file)
    except _Mismatch:
        # A rotation may have fallen between the two reads; only a mismatch that stays is one.
        try:
            return _read_pair(cert_file, key_file)
        except _Mismatch as error:
            raise ConfigError(
                f"is not the key of the certificate in {cert_file}",
                subject=str(key_file),
                next_step="Give a certificate and a key that were made together; compare their public keys with: "
                f"openssl x509 -noout -pubkey -in {cert_file}; openssl pkey -pubout -in {key_file}",
            ) from error


class _Mismatch(Exception):
    """The certificate and the key have different public keys."""


def _read_pair(cert_file: Path, key_file: Path) -> ClientIdentity:
    certificate_pem = _read(cert_file, what="client certificate")
    key_pem = _read(key_file, what="client key")
    leaf = _certificates(certificate_pem, cert_file, what="client certificate")[0]
    if _public_bytes(leaf.public_key()) != _public_bytes(_private_key(key_pem, key_file).public_key()):
        raise _Mismatch
    names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return ClientIdentity(
        cert_file=cert_file,
        key_file=key_file,
        certificate_pem=certificate_pem,
        key_pem=key_pem,
        common_name=str(names[0].value) if names else "",
        valid_from=leaf.not_valid_before_utc,
        valid_until=leaf.not_valid_after_utc,
    )


def _read(path: Path, *, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the {what} cannot be read: {error.strerror or error}",
            subject=str(path),
            next_step=f"Check the path and its rights with: ls -lL {path}",
        ) from error


def _certificates(pem: bytes, path: Path, *, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = " (it holds a private key)" if b"PRIVATE KEY-----" in pem else ""
        raise ConfigError(
            f"the {what} holds no PEM certificate that can be read{hint}",
            subject=str(path),
            next_step=f"See what it is with: openssl x509 -noout -subject -dates -in {path}",
        ) from error


def _private_key(pem: bytes, path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ConfigError(
            "the client key is encrypted with a passphrase",
            subject=str(path),
            next_step=f"Write it without one, readable by this user only: openssl pkey -in {path} -out plain.key",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            "the client key is not a PEM private key",
            subject=str(path),
            next_step="Give the key that belongs to the client certificate, in PEM.",
        ) from error


def _public_bytes(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
