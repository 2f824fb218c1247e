"""Certificates: whose limits are whose, and which authority matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.observation import Observation, PeerCertificate
from fakes.clock import MORNING
from fakes.observations import bent, certificate, endpoint_of, healthy, member_id, silent

CA = certificate(CertificateRole.CA, "/ca.crt", days=3000, lifetime_days=3650)


def report_on(seen: Observation) -> HealthReport:
    return evaluate(seen, cluster="prod")


@pytest.mark.parametrize(
    ("days", "lifetime_days", "severity"),
    [
        (31, 365, None),
        (29, 365, Severity.WARNING),
        (6.9, 365, Severity.CRITICAL),
        (0.26, 1, None),  # a certificate for one day is fine for three quarters of it
        (0.24, 1, Severity.WARNING),
        (0.05, 1, Severity.CRITICAL),
        (10, 28, None),
    ],
)
def test_limits_shrink_with_the_lifetime(days: float, lifetime_days: float, severity: Severity | None) -> None:
    """Certificates that rotate daily do not warn all day."""
    shown = certificate(CertificateRole.SERVER, endpoint_of("m2"), days=days, lifetime_days=lifetime_days)

    findings = report_on(bent(healthy(), "m2", http={"certificate": Answer(shown)})).findings

    assert [f.severity for f in findings] == ([] if severity is None else [severity])


def test_peer_certificate_is_told_for_its_member() -> None:
    """An expired peer certificate does not show until a peer reconnects; it is told before."""
    url = "https://m2.example:2380"
    expired = certificate(CertificateRole.PEER, url, days=-2)
    peer = PeerCertificate(member_id("m2"), url, Answer(expired), MORNING)

    [finding] = report_on(replace(healthy(), peer_certificates=(peer,))).findings

    assert (finding.code, finding.member, finding.severity) == ("certificate.expired", "m2", Severity.CRITICAL)
    assert "openssl s_client -connect m2.example:2380" in finding.next_step


def test_one_certificate_on_all_members_is_told_once() -> None:
    """A shared certificate is one problem, not three."""
    shared = certificate(CertificateRole.SERVER, "https://shared.example:2379", days=1)
    seen = healthy()
    for name in ("m1", "m2", "m3"):
        seen = bent(seen, name, http={"certificate": Answer(shared)})

    assert len(report_on(seen).by_code("certificate.expiring")) == 1


def test_authority_that_signed_nothing_in_use_is_no_reason_to_act() -> None:
    """After a rotation the old one stays in the bundle for a while, and may expire there."""
    old = replace(certificate(CertificateRole.CA, "/ca.crt", days=-5), subject="CN=old-ca", serial="1")

    report = report_on(replace(healthy(), own_certificates=Answer((CA, old))))

    assert [(f.code, f.severity) for f in report.findings] == [("certificate.expired", Severity.INFO)]


def test_authority_is_told_by_key_where_names_are_equal() -> None:
    """Two authorities of one name: the key identifiers say which one signed."""
    used = replace(CA, key_id="aa", serial="1")
    left_over = replace(certificate(CertificateRole.CA, "/ca.crt", days=-5), key_id="bb", serial="2")
    leaf = replace(certificate(CertificateRole.SERVER, endpoint_of("m1")), issuer_key_id="aa")
    seen = healthy()
    for name in ("m1", "m2", "m3"):
        seen = bent(seen, name, http={"certificate": Answer(replace(leaf, serial=name))})

    report = report_on(replace(seen, own_certificates=Answer((used, left_over))))

    assert [f.severity for f in report.findings] == [Severity.INFO]


def test_authority_counts_where_no_leaf_was_seen() -> None:
    """With every member unreachable, an expired CA may be why."""
    expired = certificate(CertificateRole.CA, "/ca.crt", days=-1)
    seen = silent(healthy(), "m1", "m2", "m3", failure=Failure("etcd.tls", "certificate has expired"))

    [finding] = report_on(replace(seen, own_certificates=Answer((expired,)))).by_code("certificate.expired")

    assert finding.severity is Severity.CRITICAL


def test_report_lists_every_certificate_whatever_its_age() -> None:
    """Graphs need the date long before it is a finding."""
    report = report_on(replace(healthy(), own_certificates=Answer((CA,))))

    assert [c.role for c in report.certificates] == [CertificateRole.SERVER] * 3 + [CertificateRole.CA]
