"""Throw-away certificates for a cluster on loopback: one authority, and what it signs.

- ECDSA on P-256: made in milliseconds. Names are localhost, 127.0.0.1 and ::1.
- Key files are readable by their owner only. The authority's own key never touches the disk.
- Validity is the caller's to choose, in the past too, so that expiry can be shown.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LOOPBACK = x509.SubjectAlternativeName(
    [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where one party's TLS material lies, in PEM: whom it trusts, who it is, and the key that shows it."""

    ca: Path
    certificate: Path
    key: Path


class LocalAuthority:
    """A certificate authority that lives as long as this object; `directory` receives all files."""

    def __init__(self, directory: Path, *, valid_from: datetime, valid_until: datetime) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "etcd-dr throw-away CA")])
        self.valid_from = valid_from
        self.valid_until = valid_until
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(self._self_signed().public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        common_name: str | None = None,
        organization: str | None = None,
        serves: bool = True,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> TlsFiles:
        """Write `NAME.crt` and `NAME.key`, over older ones, each in one step, and return where they are.

        `common_name` is what etcd takes for the user where authentication is on; it defaults to `name`. `organization`
        is what Kubernetes takes for the user's group. With `serves`
        the certificate is good for servers and clients alike, as etcd's own servers need: they are clients of
        themselves (gRPC gateway) and of their peers. Validity defaults to the authority's own.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if serves else [])]
        names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)]
        if organization is not None:
            names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        subject = x509.Name(names)
        builder = (
            self._builder(subject, key.public_key(), valid_from=valid_from, valid_until=valid_until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if serves:
            builder = builder.add_extension(_LOOPBACK, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())

        files = TlsFiles(self.ca, self._directory / f"{name}.crt", self._directory / f"{name}.key")
        _write_private(files.key, _pem(key))
        _write_private(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return files

    def _self_signed(self) -> x509.Certificate:
        return (
            self._builder(self._name, self._key.public_key(), valid_from=None, valid_until=None)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=True,
                    crl_sign=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        *,
        valid_from: datetime | None,
        valid_until: datetime | None,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid_from or self.valid_from)
            .not_valid_after(valid_until or self.valid_until)
            # Python 3.13 verifies strictly (RFC 5280) and refuses chains without key identifiers.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step: etcd reads certificates anew for each connection and must never see half of one."""
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)
