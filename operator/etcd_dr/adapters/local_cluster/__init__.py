"""A real etcd cluster of this machine's own: processes on loopback ports, mutual TLS, everything under one directory.

What `etcd-dr demo` shows its story on, what a drill boots (`throwaway`), and what is tested against. The parts live together because a member is all of
them at once: programs (`binaries`), certificates (`pki`), a process (`process`) and its place among the others
(`cluster`). `gateway` is how it is spoken to: etcd's JSON over HTTPS, from the standard library, so that no other
adapter is needed.

- Nothing outlives its owner: children die with the process that started them (`child`), even when that is killed.
- Nothing leaves the machine: only 127.0.0.1 is listened on.
- Not for data that anyone wants to keep: by default nothing waits for the disk.
"""

from __future__ import annotations

from etcd_dr.adapters.local_cluster.binaries import (
    EtcdBinaries,
    find_etcd_binaries,
    preferred_etcd_binaries,
)
from etcd_dr.adapters.local_cluster.cluster import ClusterSettings, LocalCluster
from etcd_dr.adapters.local_cluster.gateway import EtcdGateway
from etcd_dr.adapters.local_cluster.pki import LocalAuthority, TlsFiles
from etcd_dr.adapters.local_cluster.process import EtcdProcess, MemberSettings

__all__ = [
    "ClusterSettings",
    "EtcdBinaries",
    "EtcdGateway",
    "EtcdProcess",
    "LocalAuthority",
    "LocalCluster",
    "MemberSettings",
    "TlsFiles",
    "find_etcd_binaries",
    "preferred_etcd_binaries",
]
