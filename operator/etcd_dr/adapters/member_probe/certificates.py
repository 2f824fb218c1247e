"""Certificates as values, and TLS contexts made of the configured files, read afresh each time."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.errors import ConfigError

_MAX_AUTHORITIES = 1000


@dataclass(frozen=True, slots=True)
class ProbeFiles:
    """PEM files: whom to trust, what to show; all optional. `server_name` is expected instead of the URL's host."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


def trusting_context(files: ProbeFiles) -> ssl.SSLContext:
    """Return a context that accepts what the CA file signed (None: the system's authorities). Raises ConfigError.

    As in gRPC, an intermediate authority in the file is trusted by itself, and a certificate's common name is not
    taken for a host name.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        if files.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=files.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(files.ca_file, "the CA file cannot be used", error) from error
    _show_ours(context, files)
    return context


def accepting_context(files: ProbeFiles) -> ssl.SSLContext:
    """Return a context that accepts every certificate, only to look at it. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _show_ours(context, files)
    return context


def read_own(files: ProbeFiles) -> tuple[Certificate, ...]:
    """Return our client certificate, then the authorities in the CA file. Raises ConfigError."""
    ours = _read_file(files.cert_file, CertificateRole.CLIENT)[:1] if files.cert_file else ()
    authorities = _read_file(files.ca_file, CertificateRole.CA)[:_MAX_AUTHORITIES] if files.ca_file else ()
    return (*ours, *authorities)


def parse_der(der: bytes, *, role: CertificateRole, source: str) -> Certificate:
    """Return the certificate in its binary form. Raises ValueError."""
    return _described(x509.load_der_x509_certificate(der), role, source)


def _read_file(path: Path, role: CertificateRole) -> tuple[Certificate, ...]:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
        return tuple(_described(certificate, role, str(path)) for certificate in certificates)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "holds no certificate that can be read", error) from error


def _described(certificate: x509.Certificate, role: CertificateRole, source: str) -> Certificate:
    subject_key, authority_key = _key_ids(certificate)
    return Certificate(
        role=role,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        source=source,
        key_id=subject_key,
        issuer_key_id=authority_key,
    )


def _key_ids(certificate: x509.Certificate) -> tuple[str, str]:
    """Return subject and authority key identifiers as hex; empty where there is none, or none that parses."""
    subject_key = authority_key = b""
    try:
        extensions = certificate.extensions
        subject_key = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        authority_key = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        pass
    return subject_key.hex(), authority_key.hex()


def _show_ours(context: ssl.SSLContext, files: ProbeFiles) -> None:
    if files.cert_file is None:
        return
    try:
        # Without a password OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(files.cert_file, files.key_file, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise _unusable(files.cert_file, "the client certificate or its key cannot be used", error) from error


def _unusable(path: Path | None, message: str, cause: Exception) -> ConfigError:
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return ConfigError(
        f"{message}: {reason}",
        subject=str(path or "system certificates"),
        next_step=f"See what it is with: openssl x509 -noout -subject -dates -in {path}"
        if path
        else "Name the CA that signed etcd's certificates: --cacert FILE",
    )
