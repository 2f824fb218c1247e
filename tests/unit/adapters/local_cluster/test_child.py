"""Ports for child processes: from this process' share, and none twice as long as there are others."""

from __future__ import annotations

from etcd_dr.adapters.local_cluster.child import free_ports

SHARE = {"ETCD_DR_TEST_PORTS": "20000-20399"}
"""Far more than some other program of this machine may have taken."""


def test_ports_are_of_the_share() -> None:
    """Two processes with shares of their own never start a server on the same port."""
    ports = free_ports(20, environ=SHARE)

    assert len(set(ports)) == 20
    assert all(20000 <= port <= 20399 for port in ports)


def test_port_is_handed_out_again_only_when_all_were() -> None:
    """A server that is down finds its port as it left it."""
    handed_out = [free_ports(60, environ=SHARE) for _ in range(5)]
    again = free_ports(200, environ=SHARE)

    assert len({port for ports in handed_out for port in ports}) == 5 * 60
    assert len(set(again)) == 200
