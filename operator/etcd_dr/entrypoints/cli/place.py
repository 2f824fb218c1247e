"""The store of one cluster, opened for the length of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from etcd_dr.bootstrap.stores import layout_of, open_store
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import UsageError
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.find_clusters import ask_cluster_id, find_clusters, find_owned

NAME_FOR_THE_FIRST = "default"
_ID_DEADLINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works: the cluster's corner of an open store, and what is shared by its workflows."""

    target: Target
    cluster: str
    store: ObjectStore
    layout: ClusterLayout
    surroundings: Surroundings


@contextmanager
def open_place(run: Run, surroundings: Surroundings | None = None, *, by_members: bool = False) -> Iterator[Place]:
    """Open the store that the command names and close it afterwards.

    `by_members`: where no cluster was named and the store holds several, it is the one that the endpoints lead to.
    Raises UsageError where it is not clear which cluster is meant.
    """
    target = run.target()
    section = target.need_store()
    shared = surroundings or run.surroundings()
    with closing(open_store(section, shared)) as store:
        name_it = name_by_members if by_members else name_by_store
        cluster = target.name or name_it(target, store, shared)
        yield Place(target, cluster, store, layout_of(section, cluster), shared)


def name_by_store(target: Target, store: ObjectStore, _shared: Surroundings) -> str:
    """Return the only cluster of the store, or the name for the first one of an empty store."""
    prefix = target.need_store().prefix
    names = find_clusters(store, prefix=prefix)
    if len(names) > 1:
        raise _several(store, prefix, names)
    return names[0] if names else NAME_FOR_THE_FIRST


def name_by_members(target: Target, store: ObjectStore, shared: Surroundings) -> str:
    """Return the same, and of several clusters the one whose marker holds the id that the endpoints answer with."""
    prefix = target.need_store().prefix
    names = find_clusters(store, prefix=prefix)
    if len(names) < 2:
        return names[0] if names else NAME_FOR_THE_FIRST
    from etcd_dr.bootstrap.members import connect_members  # noqa: PLC0415 - gRPC only where members are asked

    cluster_id = ask_cluster_id(connect_members(target, shared), deadline=_ID_DEADLINE_SECONDS)
    if cluster_id is None:
        raise _several(store, prefix, names, "no member says which one is meant")
    owned = find_owned(store, prefix=prefix, names=names, etcd_cluster_id=cluster_id)
    if len(owned) != 1:
        which = f"{' and '.join(owned)} belong" if owned else "none of them belongs"
        raise _several(store, prefix, names, f"{which} to etcd cluster {id_text(cluster_id)}")
    return owned[0]


def _several(store: ObjectStore, prefix: str, names: tuple[str, ...], why: str = "") -> UsageError:
    told = f"holds {len(names)} clusters: {', '.join(names)}"
    return UsageError(
        f"{told}; {why}" if why else told,
        subject=store.url(prefix),
        next_step=f"Say which one, such as: --cluster {names[0]}"
        + (" (or give a new one a name of its own)" if why else ""),
    )
