"""The way to the members of a cluster: etcd's own API, or Talos'."""

from __future__ import annotations

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.member_probe import MemberProbe

# ruff: noqa: PLC0415 - each way imports a gRPC library of its own, and one of them is enough


def connect_members(target: Target, surroundings: Surroundings, *, for_snapshots: bool = False) -> EtcdConnector:
    """Return a connector to the cluster's members; nothing is connected yet. Raises ConfigError where none is known.

    `for_snapshots`: a member whose state we may not ask still serves a snapshot; a health round wants to be told.
    """
    if target.talos is not None:
        from etcd_dr.bootstrap.talos import connect_talos

        return connect_talos(target, surroundings, for_snapshots=for_snapshots)
    from etcd_dr.bootstrap.etcd import connect_etcd

    return connect_etcd(target.need_etcd(), surroundings)


def make_probe(target: Target, surroundings: Surroundings) -> MemberProbe:
    """Return what members are asked with beside their API."""
    if target.talos is not None:
        from etcd_dr.adapters.talos.pages import TalosPages
        from etcd_dr.bootstrap.talos import talos_nodes

        return TalosPages(talos_nodes(target.talos, surroundings))
    from etcd_dr.adapters.member_probe import HttpMemberProbe
    from etcd_dr.bootstrap.health import probe_files

    return HttpMemberProbe(probe_files(target.need_etcd()), clock=surroundings.clock)


def check_members(target: Target, surroundings: Surroundings) -> None:
    """Raise ConfigError where no connection at all can come about: that is no matter of single members."""
    connector = connect_members(target, surroundings)
    connector.connect(connector.endpoints[0]).close()
