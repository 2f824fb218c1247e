"""The connections to etcd that the configuration describes."""

from __future__ import annotations

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.etcd_model import EtcdSection


def etcd_access(section: EtcdSection) -> EtcdAccess:
    """Return the adapter's settings for one cluster."""
    return EtcdAccess(
        endpoints=section.endpoints,
        ca_file=section.cacert,
        cert_file=section.cert,
        key_file=section.key,
        server_name=section.server_name,
        username=section.username,
        password_file=section.password_file,
    )


def connect_etcd(section: EtcdSection, surroundings: Surroundings) -> GrpcEtcdConnector:
    """Return a connector to the cluster's members; nothing is connected yet."""
    return GrpcEtcdConnector(etcd_access(section), clock=surroundings.clock)
