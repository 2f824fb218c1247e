"""The store of one cluster, opened for the length of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from etcd_dr.bootstrap.stores import layout_of, open_store
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import UsageError
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.find_clusters import find_clusters

NAME_FOR_THE_FIRST = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works: the cluster's corner of an open store, and what is shared by its workflows."""

    target: Target
    cluster: str
    store: ObjectStore
    layout: ClusterLayout
    surroundings: Surroundings


@contextmanager
def open_place(run: Run, surroundings: Surroundings | None = None) -> Iterator[Place]:
    """Open the store that the command names and close it afterwards.

    Raises UsageError where the store holds several clusters and none was named.
    """
    target = run.target()
    section = target.need_store()
    shared = surroundings or run.surroundings()
    with closing(open_store(section, shared)) as store:
        cluster = target.name or name_by_store(store, prefix=section.prefix)
        yield Place(target, cluster, store, layout_of(section, cluster), shared)


def name_by_store(store: ObjectStore, *, prefix: str) -> str:
    """Return the only cluster of the store, or the name for the first one of an empty store."""
    names = find_clusters(store, prefix=prefix)
    if len(names) > 1:
        raise UsageError(
            f"holds {len(names)} clusters: {', '.join(names)}",
            subject=store.url(prefix),
            next_step=f"Say which one, such as: --cluster {names[0]}",
        )
    return names[0] if names else NAME_FOR_THE_FIRST
