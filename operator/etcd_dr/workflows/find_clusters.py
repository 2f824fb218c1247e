"""Find which clusters a store holds snapshots of, and which of them is the one that somebody talks to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.snapshot import FORMAT_VERSION, ClusterLayout, is_cluster_name
from etcd_dr.errors import EtcdError
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.claim_prefix import look_at_marker


def find_clusters(store: ObjectStore, *, prefix: str) -> tuple[str, ...]:
    """Return the names of all clusters below `prefix`, in order; names that etcd-dr does not give are left out."""
    folder = f"{prefix}/{FORMAT_VERSION}/" if prefix else f"{FORMAT_VERSION}/"
    return tuple(sorted(name for name in store.list_folders(folder) if is_cluster_name(name)))


def find_owned(store: ObjectStore, *, prefix: str, names: tuple[str, ...], etcd_cluster_id: int) -> tuple[str, ...]:
    """Return those of the clusters whose `cluster.json` holds this etcd cluster id; one that cannot be read holds none.

    Raises StoreError when the store cannot be asked.
    """

    def owns(name: str) -> bool:
        marker = look_at_marker(store, ClusterLayout(prefix=prefix, cluster=name)).value
        return marker is not None and id_text(etcd_cluster_id) in marker.etcd_cluster_ids

    with ThreadPoolExecutor(8, thread_name_prefix="marker") as pool:
        return tuple(name for name, is_owner in zip(names, pool.map(owns, names), strict=True) if is_owner)


def ask_cluster_id(connector: EtcdConnector, *, deadline: float) -> int | None:
    """Return the etcd cluster id that the endpoints lead to, or None where nobody answers or they disagree.

    `deadline` is seconds for each endpoint; all are asked at once.
    """

    def ask(endpoint: str) -> int | None:
        member = connector.connect(endpoint)
        try:
            return member.status(deadline=deadline).cluster_id
        except EtcdError:
            return None
        finally:
            member.close()

    with ThreadPoolExecutor(8, thread_name_prefix="cluster-id") as pool:
        found = {answer for answer in pool.map(ask, connector.endpoints) if answer is not None}
    return found.pop() if len(found) == 1 else None
