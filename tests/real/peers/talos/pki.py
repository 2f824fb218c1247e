"""The two authorities of a Talos cluster: the operating system's, with Ed25519 keys, and etcd's, with ECDSA keys.

Ed25519 is not a detail: clients that cannot verify it fail against Talos and only there (grpc/grpc#24252). Talos gives
an Ed25519 key in PEM a header of its own (siderolabs/crypto: `ED25519 PRIVATE KEY`), with PKCS#8 inside.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from etcd_dr.adapters.local_cluster.pki import TlsFiles

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_SERVER_AND_CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in PEM; the key with the header that every TLS library reads."""

    certificate: bytes
    key: bytes

    @property
    def key_as_talos_writes_it(self) -> bytes:
        return self.key.replace(b"PRIVATE KEY", b"ED25519 PRIVATE KEY")

    def write(self, directory: Path, name: str, *, ca: bytes) -> TlsFiles:
        """Write the pair and whom it trusts into a directory, for programs that want files."""
        directory.mkdir(parents=True, exist_ok=True)
        files = TlsFiles(directory / f"{name}-ca.crt", directory / f"{name}.crt", directory / f"{name}.key")
        files.ca.write_bytes(ca)
        files.certificate.write_bytes(self.certificate)
        files.key.touch(mode=0o600)
        files.key.write_bytes(self.key)
        return files


class Authority:
    """An authority that lives as long as this object; `is_ed25519` decides about its own key and all it signs."""

    def __init__(self, organization: str, *, is_ed25519: bool, valid_from: datetime, valid_until: datetime) -> None:
        self._is_ed25519 = is_ed25519
        self._key = self._new_key()
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])
        self.valid_from = valid_from
        self.valid_until = valid_until
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key, valid_from, valid_until).add_extension(basic, critical=True)
        self.certificate = _pem(self._sign(builder))

    def issue(
        self,
        common_name: str,
        *,
        organizations: Sequence[str] = (),
        addresses: Sequence[str] = (),
        names: Sequence[str] = (),
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> Pair:
        """Sign a new key. With addresses or names it is a server's (and a client's), else a client's only."""
        key = self._new_key()
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
        subject += [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        serves = bool(addresses or names)
        usages = list(_SERVER_AND_CLIENT) if serves else [ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(
            x509.Name(subject), key, valid_from or self.valid_from, valid_until or self.valid_until
        ).add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if serves:
            builder = builder.add_extension(_alternatives(addresses, names), critical=False)
        return Pair(_pem(self._sign(builder)), _key_pem(key))

    def _new_key(self) -> PrivateKey:
        return ed25519.Ed25519PrivateKey.generate() if self._is_ed25519 else ec.generate_private_key(ec.SECP256R1())

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        # Ed25519 signs the message itself; a digest is only for the others.
        return builder.sign(self._key, None if self._is_ed25519 else hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: PrivateKey, valid_from: datetime, valid_until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid_from)
            .not_valid_after(valid_until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _alternatives(addresses: Sequence[str], names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
            *(x509.DNSName(name) for name in names),
        ]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
