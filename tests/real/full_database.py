"""Fills an etcd up to its quota, and takes nothing else for a full quota."""

from __future__ import annotations

from etcd_dr.adapters.local_cluster import EtcdGateway
from etcd_dr.errors import EtcdError


def has_room(gateway: EtcdGateway, key: bytes, value: bytes) -> bool:
    """Write one key; tell whether there was room for it (rpctypes, error.go: "database space exceeded")."""
    try:
        gateway.put_through(key, value)
    except EtcdError as refusal:
        if "space exceeded" not in refusal.message:
            raise
        return False
    return True
