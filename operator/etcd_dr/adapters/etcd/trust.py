"""Says why a member's certificate is not trusted, in words that name the way out."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from datetime import datetime

# X509_V_ERR_* in OpenSSL's x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_PURPOSE = 26
_SIGNER_UNKNOWN = (18, 19, 20, 21)
_NAME_MISMATCH = (62, 64)  # of a DNS name, of an address


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """What a member's certificate says of itself. `names` are its DNS names and addresses."""

    names: tuple[str, ...]
    issuer: str
    valid_from: datetime
    valid_until: datetime

    @classmethod
    def parse(cls, der: bytes) -> PresentedCertificate:
        """Return the facts of a DER certificate. Raises ValueError."""
        from cryptography import x509  # noqa: PLC0415 - only when something is wrong

        certificate = x509.load_der_x509_certificate(der)
        names: tuple[str, ...] = ()
        with contextlib.suppress(x509.ExtensionNotFound):
            entries = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = tuple(str(entry.value) for entry in entries if isinstance(entry, (x509.DNSName, x509.IPAddress)))
        return cls(
            names=names,
            issuer=certificate.issuer.rfc4514_string(),
            valid_from=certificate.not_valid_before_utc,
            valid_until=certificate.not_valid_after_utc,
        )


@dataclass(frozen=True, slots=True)
class Distrust:
    """Why a certificate is not trusted: a stable word, a sentence, and what to do about it."""

    reason: str
    sentence: str
    next_step: str


def why_not_trusted(
    error: ssl.SSLCertVerificationError, presented: PresentedCertificate | None, *, expected: str, trusted: str
) -> Distrust:
    """Return the reason behind a failed verification; `presented` is None where it could not be fetched.

    `expected` is the name that was looked for, `trusted` says whose signature would have been accepted.
    """
    code = error.verify_code
    if code in _NAME_MISMATCH:
        names = ", ".join(presented.names) if presented and presented.names else "no name at all"
        return Distrust(
            "name",
            f"the member's certificate is not for {expected} but for {names}",
            "Use one of these names in the endpoint, or set server_name to one of them.",
        )
    if code == _EXPIRED:
        # The leaf is what we can see; its authority may have expired instead.
        until = f" (the member's own at {_moment(presented.valid_until)})" if presented else ""
        return Distrust(
            "expired", f"a certificate in the member's chain has expired{until}", "Renew it on the member's host."
        )
    if code == _NOT_YET_VALID:
        since = f" before {_moment(presented.valid_from)}" if presented else " yet"
        return Distrust(
            "not-yet-valid",
            f"the member's certificate is not valid{since}",
            "Compare the clocks of both machines: date -u",
        )
    if code in _SIGNER_UNKNOWN:
        issuer = presented.issuer if presented else "an authority that could not be read"
        return Distrust(
            "authority",
            f"the member's certificate was signed by {issuer}, which is not trusted by {trusted}",
            "Give the authority that signed it with --cacert.",
        )
    if code == _WRONG_PURPOSE:
        return Distrust(
            "purpose",
            "the member's certificate is not good for servers",
            "Issue it anew with the extended key usage serverAuth.",
        )
    return Distrust(
        "certificate", f"the member's certificate is refused: {error.verify_message}", "Issue a sound one for it."
    )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
