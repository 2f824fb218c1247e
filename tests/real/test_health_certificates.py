"""Certificates of a real cluster that end: before anybody notices, and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.quorum import QuorumVerdict
from real.test_health_members import serious, until, watch

FormCluster = Callable[..., LocalCluster]


@pytest.fixture
def cluster(fresh_cluster: FormCluster) -> LocalCluster:
    """Three members whose authority holds for two years."""
    return fresh_cluster(certificates_valid_for=timedelta(days=730))


def reissue(cluster: LocalCluster, name: str, *, days: float) -> None:
    """Put a certificate in place that began 300 days ago and ends in so many days; etcd reads it anew by itself."""
    now = datetime.now(UTC)
    begins, ends = now - timedelta(days=300), now + timedelta(days=days)
    cluster.authority.issue(name, serves=name != "client", valid_from=begins, valid_until=ends)


def test_expired_peer_certificate_is_told_while_all_looks_healthy(cluster: LocalCluster) -> None:
    """Peers that are connected stay so; the first one that has to reconnect would not come back."""
    reissue(cluster, "peer", days=-1)

    report = until(watch(cluster), lambda r: serious(r) == {"certificate.expired"})

    [expired] = report.by_code("certificate.expired")
    assert (expired.severity, expired.evidence["role"]) == (Severity.CRITICAL, "peer")
    assert report.quorum.verdict is QuorumVerdict.HELD
    assert serious(report) == {"certificate.expired"}


@pytest.mark.parametrize(("days", "severity"), [(20, Severity.WARNING), (3, Severity.CRITICAL)])
def test_server_certificate_that_ends_soon_is_told_in_time(
    cluster: LocalCluster, days: int, severity: Severity
) -> None:
    """Thirty days ahead a warning, seven days ahead critical."""
    reissue(cluster, "server", days=days)

    report = until(watch(cluster), lambda r: serious(r) == {"certificate.expiring"})

    [expiring] = report.by_code("certificate.expiring")
    assert (expiring.severity, expiring.evidence["role"]) == (severity, "server")
    assert serious(report) == {"certificate.expiring"}


def test_expired_server_certificate_explains_why_nobody_answers(cluster: LocalCluster) -> None:
    """gRPC refuses the members; the report shows the certificate that is the reason."""
    reissue(cluster, "server", days=-0.01)

    report = until(watch(cluster), lambda r: reasons(r) == {"etcd.tls"})

    assert report.quorum.verdict is QuorumVerdict.CANNOT_TELL
    assert report.by_code("certificate.expired")[0].evidence["role"] == "server"
    assert reasons(report) == {"etcd.tls"}


def reasons(report: HealthReport) -> set[object]:
    """Return why endpoints do not answer."""
    return {f.evidence["error_code"] for f in report.by_code("endpoint.unreachable")}


def test_our_own_expired_certificate_is_told_as_ours(cluster: LocalCluster) -> None:
    """Every member refuses it; that it is ours stands in the report."""
    reissue(cluster, "client", days=-2)

    report = until(watch(cluster), lambda r: bool(r.by_code("certificate.expired")) and r.exit_status == 2)

    [expired] = report.by_code("certificate.expired")
    assert (expired.evidence["role"], expired.member) == ("client", str(cluster.client_tls.certificate))
    assert report.exit_status == 2
