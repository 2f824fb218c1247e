"""Rules on certificates: those that members show, ours, and the authorities behind them.

- The limits shrink with the lifetime: a certificate made for a day is not warned about all day.
- An authority that signed nothing in use (left over in the bundle from a rotation) is worth an `info` at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.commands import show_certificate
from etcd_dr.domain.health_rules.rule import Rule, Situation
from etcd_dr.domain.local_faults import local_faults
from etcd_dr.domain.observation import Observation


@dataclass(frozen=True, slots=True)
class _Shown:
    certificate: Certificate
    member: str | None
    is_in_use: bool = True


def validity(s: Situation) -> Iterator[Finding]:
    for shown in _all_shown(s.observation, s.view):
        finding = _judge(s, shown)
        if finding is not None:
            yield finding


def unreadable(s: Situation) -> Iterator[Finding]:
    failure = s.observation.own_certificates.failure
    if failure is not None and not local_faults(s.observation):  # else access.local_fault says so
        yield Finding(
            "certificate.unreadable",
            Severity.WARNING,
            f"our own certificate files cannot be read: {failure.message}",
            failure.next_step or "Check etcd.cacert and etcd.cert in the configuration: etcd-dr members",
            evidence={"error_code": failure.code},
        )


def all_certificates(observation: Observation, view: ClusterView) -> tuple[Certificate, ...]:
    """Return every certificate that was seen, once: those that members show, ours, then the authorities."""
    return tuple(shown.certificate for shown in _all_shown(observation, view))


def _all_shown(observation: Observation, view: ClusterView) -> list[_Shown]:
    """Return each certificate once: one that several members share is told for the first of them."""
    leaves = [
        _Shown(e.http.certificate.value, view.label_of(e))
        for e in observation.endpoints
        if e.http.certificate.value is not None
    ]
    leaves += [
        _Shown(p.certificate.value, view.label(p.member_id))
        for p in observation.peer_certificates
        if p.certificate.value is not None
    ]
    own = observation.own_certificates.value or ()
    leaves += [_Shown(c, None) for c in own if c.role is CertificateRole.CLIENT]
    signed = [shown.certificate for shown in leaves]
    authorities = [
        _Shown(c, None, is_in_use=not signed or any(leaf.is_signed_by(c) for leaf in signed))
        for c in own
        if c.role is CertificateRole.CA
    ]
    once: dict[tuple[CertificateRole, str, str], _Shown] = {}
    for shown in [*leaves, *authorities]:
        once.setdefault((shown.certificate.role, shown.certificate.issuer, shown.certificate.serial), shown)
    return list(once.values())


def _judge(s: Situation, shown: _Shown) -> Finding | None:
    certificate = shown.certificate
    left = certificate.remaining(s.now)
    days = left / timedelta(days=1)
    what = f"the {certificate.role} certificate"
    warning, critical = _limits_days(s, certificate)
    if certificate.not_before > s.now:
        return _finding(s, shown, "certificate.not_yet_valid", Severity.CRITICAL, f"{what} is not valid yet")
    if days <= 0:
        return _finding(s, shown, "certificate.expired", Severity.CRITICAL, f"{what} expired {_span(-left)} ago")
    if days <= warning:
        severity = Severity.CRITICAL if days <= critical else Severity.WARNING
        return _finding(s, shown, "certificate.expiring", severity, f"{what} expires in {_span(left)}")
    return None


def _limits_days(s: Situation, certificate: Certificate) -> tuple[float, float]:
    t = s.thresholds
    is_ca = certificate.role is CertificateRole.CA
    warning, critical = (
        (t.ca_warning_days, t.ca_critical_days) if is_ca else (t.certificate_warning_days, t.certificate_critical_days)
    )
    longest = t.certificate_lifetime_share * (certificate.lifetime / timedelta(days=1))
    scale = min(1.0, longest / warning) if warning else 0.0
    return warning * scale, critical * scale


def _finding(s: Situation, shown: _Shown, code: str, severity: Severity, summary: str) -> Finding:
    certificate = shown.certificate
    look = (
        show_certificate(certificate.source)
        if "://" in certificate.source
        else f"openssl x509 -noout -subject -issuer -dates -in {certificate.source}"
    )
    return Finding(
        code,
        severity if shown.is_in_use else Severity.INFO,
        summary if shown.is_in_use else f"{summary}, and signs nothing that was seen",
        f"{s.commands.renew(certificate.role)}. See it with: {look}",
        member=shown.member or certificate.source,
        evidence={
            "role": certificate.role.value,
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "not_before": certificate.not_before.isoformat(),
            "not_after": certificate.not_after.isoformat(),
            "source": certificate.source,
            "our_clock": s.now.isoformat(),
        },
        about=f"{certificate.role} {certificate.serial}",
    )


def _span(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 1 else "less than an hour"


RULES = (
    Rule.of(validity, "certificate.expired", "certificate.expiring", "certificate.not_yet_valid"),
    Rule.of(unreadable, "certificate.unreadable"),
)
