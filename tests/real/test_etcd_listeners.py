"""Endpoints of every kind on one real member: plain, TLS, IPv6."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import EtcdBinaries, EtcdProcess, LocalAuthority, MemberSettings
from etcd_dr.adapters.local_cluster.child import free_ports
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.cluster import MemberStatus
from etcd_dr.errors import TlsRefused

SECONDS = 20.0


class Listeners:
    """A member of one, that listens at `tls`, `plain` and `six` (IPv6 with TLS)."""

    def __init__(self, directory: Path, binaries: EtcdBinaries) -> None:
        now = datetime.now(UTC)
        authority = LocalAuthority(
            directory / "pki", valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=1)
        )
        tls_port, plain_port, peer_port = free_ports(3)
        self.tls = f"https://127.0.0.1:{tls_port}"
        self.plain = f"http://127.0.0.1:{plain_port}"
        self.six = f"https://[::1]:{tls_port}"
        self.client = authority.issue("client", serves=False)
        settings = MemberSettings(
            name="m1",
            data_dir=directory / "data",
            client_port=tls_port,
            peer_port=peer_port,
            server_tls=authority.issue("server"),
            peer_tls=authority.issue("peer"),
            initial_cluster={},
            cluster_token="listeners",
            flags=(f"--listen-client-urls={self.tls},{self.plain}" + (f",{self.six}" if has_ipv6() else ""),),
        )
        settings = replace(settings, initial_cluster={"m1": settings.peer_url})
        self.process = EtcdProcess(settings, binaries=binaries, log=directory / "log", client_tls=self.client)

    def ask(self, endpoint: str) -> MemberStatus:
        access = EtcdAccess(
            (endpoint,), ca_file=self.client.ca, cert_file=self.client.certificate, key_file=self.client.key
        )
        member = GrpcEtcdConnector(access, clock=SystemClock()).connect(endpoint)
        try:
            return member.status(deadline=SECONDS)
        finally:
            member.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def listeners(etcd_binaries: EtcdBinaries) -> Iterator[Listeners]:
    with tempfile.TemporaryDirectory(prefix="etcd-dr-test-", ignore_cleanup_errors=True) as directory:
        listeners = Listeners(Path(directory), etcd_binaries)
        listeners.process.start()
        try:
            listeners.process.wait_until_healthy()
            yield listeners
        finally:
            listeners.process.kill()


def test_plain_endpoint_needs_no_certificates(listeners: Listeners) -> None:
    """http:// is spoken without TLS, whatever certificates are configured for others."""
    assert listeners.ask(listeners.plain).member_id == listeners.ask(listeners.tls).member_id


def test_tls_endpoint_of_a_plain_member(listeners: Listeners) -> None:
    """https:// where nothing but plain HTTP is served is told from a member that is down."""
    with pytest.raises(TlsRefused) as caught:
        listeners.ask(listeners.plain.replace("http://", "https://"))

    assert caught.value.context["reason"] == "tls-against-plain"


def test_ipv6_endpoint(listeners: Listeners) -> None:
    """An address in brackets is connected to and found in the certificate."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")

    assert listeners.ask(listeners.six).member_id
