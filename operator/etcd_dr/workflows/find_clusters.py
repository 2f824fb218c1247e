"""Find which clusters a store holds snapshots of, for those who have nothing but the store."""

from __future__ import annotations

from etcd_dr.domain.snapshot import FORMAT_VERSION, is_cluster_name
from etcd_dr.ports.object_store import ObjectStore


def find_clusters(store: ObjectStore, *, prefix: str) -> tuple[str, ...]:
    """Return the names of all clusters below `prefix`, in order; names that etcd-dr does not give are left out."""
    folder = f"{prefix}/{FORMAT_VERSION}/" if prefix else f"{FORMAT_VERSION}/"
    return tuple(sorted(name for name in store.list_folders(folder) if is_cluster_name(name)))
