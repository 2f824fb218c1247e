"""Handshakes that fail, with real etcd: the error names the true cause, where gRPC only knows that a socket closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import LocalAuthority, LocalCluster
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.cluster import MemberStatus
from etcd_dr.errors import EtcdDrError, MemberUnreachable, TlsRefused

SECONDS = 20.0

LetRun = Callable[..., LocalCluster]


def access_to(cluster: LocalCluster) -> EtcdAccess:
    tls = cluster.client_tls
    return EtcdAccess(cluster.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)


def ask(access: EtcdAccess, endpoint: str) -> MemberStatus:
    member = GrpcEtcdConnector(access, clock=SystemClock()).connect(endpoint)
    try:
        return member.status(deadline=SECONDS)
    finally:
        member.close()


def refusal(access: EtcdAccess, endpoint: str) -> EtcdDrError:
    with pytest.raises(TlsRefused) as caught:
        ask(access, endpoint)
    return caught.value


@pytest.fixture
def stranger(tmp_path: Path) -> LocalAuthority:
    """An authority that the cluster does not know."""
    now = datetime.now(UTC)
    return LocalAuthority(
        tmp_path / "stranger", valid_from=now - timedelta(days=1), valid_until=now + timedelta(days=1)
    )


class TestRefusals:
    def test_member_signed_by_another_authority(self, shared_cluster: LocalCluster, stranger: LocalAuthority) -> None:
        """Whose signature was met and which file was trusted are both named."""
        access = replace(access_to(shared_cluster), ca_file=stranger.ca)

        error = refusal(access, shared_cluster.endpoints[0])

        assert error.context["reason"] == "authority"
        assert str(stranger.ca) in error.message
        assert error.subject == shared_cluster.endpoints[0]

    def test_no_client_certificate_is_shown(self, shared_cluster: LocalCluster) -> None:
        """A member with --client-cert-auth demands one, and the error says so."""
        access = replace(access_to(shared_cluster), cert_file=None, key_file=None)

        assert refusal(access, shared_cluster.endpoints[0]).context["reason"] == "client-missing"

    def test_client_certificate_has_expired(self, shared_cluster: LocalCluster) -> None:
        """The expired file is named with its date, although it is the member that refuses it."""
        authority, yesterday = shared_cluster.authority, datetime.now(UTC) - timedelta(days=1)
        old = authority.issue("old", serves=False, valid_from=yesterday - timedelta(days=9), valid_until=yesterday)
        access = replace(access_to(shared_cluster), cert_file=old.certificate, key_file=old.key)

        error = refusal(access, shared_cluster.endpoints[0])

        assert error.context["reason"] == "client-expired"
        assert str(old.certificate) in error.message
        assert f"{yesterday:%Y-%m-%d}" in error.message

    def test_client_certificate_of_another_authority(
        self, shared_cluster: LocalCluster, stranger: LocalAuthority
    ) -> None:
        """A certificate that the member does not trust is named, with the way to see who signed it."""
        foreign = stranger.issue("foreign", serves=False)
        access = replace(access_to(shared_cluster), cert_file=foreign.certificate, key_file=foreign.key)

        error = refusal(access, shared_cluster.endpoints[0])

        assert error.context["reason"] == "client-refused"
        assert str(foreign.certificate) in error.message

    def test_certificate_is_for_another_name(self, shared_cluster: LocalCluster) -> None:
        """The name that was expected and the names that the certificate has are both said."""
        access = replace(access_to(shared_cluster), server_name="etcd-0.etcd.svc")

        error = refusal(access, shared_cluster.endpoints[0])

        assert error.context["reason"] == "name"
        assert "etcd-0.etcd.svc" in error.message
        assert "localhost" in error.message

    def test_plain_endpoint_of_a_member_with_tls(self, shared_cluster: LocalCluster) -> None:
        """http:// where https:// is served is told from a member that is down."""
        endpoint = shared_cluster.endpoints[0].replace("https://", "http://")

        assert refusal(access_to(shared_cluster), endpoint).context["reason"] == "plain-against-tls"

    def test_snapshot_fails_with_the_same_explanation(self, shared_cluster: LocalCluster) -> None:
        """The cause is found for streams as well, in the iteration."""
        access = replace(access_to(shared_cluster), cert_file=None, key_file=None)
        member = GrpcEtcdConnector(access, clock=SystemClock()).connect(shared_cluster.endpoints[0])

        with member.snapshot(stall_deadline=SECONDS, total_deadline=30) as stream, pytest.raises(TlsRefused) as caught:
            list(stream)
        member.close()

        assert caught.value.context["reason"] == "client-missing"


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestRefusalsOfEveryVersion(TestRefusals):
    """Versions differ in their TLS alerts; the explanations do not."""


def test_expected_name_may_differ_from_the_endpoint(shared_cluster: LocalCluster) -> None:
    """server_name is looked for instead of the endpoint's host."""
    access = replace(access_to(shared_cluster), server_name="localhost")

    assert ask(access, shared_cluster.endpoints[0]).member_id


def test_dns_name_as_endpoint(shared_cluster: LocalCluster) -> None:
    """A name is resolved, connected to and checked against the certificate, as etcd-0.etcd.svc would be."""
    port = shared_cluster.members[0].settings.client_port

    assert ask(access_to(shared_cluster), f"https://localhost:{port}").member_id


def test_rotated_client_certificate_is_used_by_the_next_connection(shared_cluster: LocalCluster) -> None:
    """One connector outlives its certificates: what lies in the files now is what counts."""
    authority, now = shared_cluster.authority, datetime.now(UTC)
    old = authority.issue(
        "rotates", serves=False, valid_from=now - timedelta(days=9), valid_until=now - timedelta(days=1)
    )
    access = replace(access_to(shared_cluster), cert_file=old.certificate, key_file=old.key)
    refusal(access, shared_cluster.endpoints[0])

    authority.issue("rotates", serves=False)

    assert ask(access, shared_cluster.endpoints[0]).member_id


def test_unknown_host_name(shared_cluster: LocalCluster) -> None:
    """A name that does not resolve is named as such."""
    with pytest.raises(MemberUnreachable, match=r"etcd-9\.invalid"):
        ask(access_to(shared_cluster), "https://etcd-9.invalid:2379")
