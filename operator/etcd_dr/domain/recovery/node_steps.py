"""The steps that touch a node, with their sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.step import (
    CopyData,
    FenceWriters,
    LiftFence,
    PlaceData,
    PutCompanions,
    SetDataAside,
    StartEtcd,
    StopEtcd,
)


def fence_writers(draft: Draft, node: str, writers: Sequence[str]) -> None:
    draft.add(
        FenceWriters,
        node=node,
        title=f"stop {' and '.join(writers) or 'what writes to etcd'} on {node}",
        why="nobody may read old state from a half-made cluster, or write to it",
        check="none of them runs, and none is started again",
        undo="those that ran before are started again",
    )


def lift_fence(draft: Draft, node: str, writers: Sequence[str]) -> None:
    draft.add(
        LiftFence,
        node=node,
        title=f"start {' and '.join(writers) or 'what was stopped'} on {node} again",
        why="etcd was verified; the writers come back one node after the other",
        check="those that ran before the recovery run",
        undo="they are stopped again",
    )


def stop_etcd(draft: Draft, node: str, *, why: str) -> None:
    draft.add(
        StopEtcd,
        node=node,
        title=f"stop etcd on {node}",
        why=why,
        check="its process is gone and stays away",
        undo="etcd is started as it was before, if it ran",
    )


def put_companions(draft: Draft, node: str, paths: Sequence[str]) -> None:
    count = f"{len(paths)} files" if len(paths) > 1 else paths[0]
    draft.add(
        PutCompanions,
        node=node,
        paths=tuple(paths),
        title=f"put {count} back on {node}",
        why="the snapshot has them beside the database, and the node has lost them",
        check="each is there; one that exists already is left as it is",
    )


def copy_data(draft: Draft, node: str) -> None:
    draft.add(
        CopyData,
        node=node,
        title=f"copy the data directory of {node} here",
        why="a survivor's data is kept in a second place before anything on the node is touched",
        check="the archive is whole, and its digest is in the journal",
    )


def set_data_aside(draft: Draft, node: str) -> None:
    draft.add(
        SetDataAside,
        node=node,
        title=f"move the old data directory of {node} aside",
        why="nothing is deleted: it is renamed on its own file system",
        check="its name is free, and the old data lies beside it",
        undo="the old data gets its name back",
    )


def place_data(draft: Draft, node: str, *, member: str) -> None:
    draft.add(
        PlaceData,
        node=node,
        member=member,
        title=f"bring the data of {member} to {node}",
        why="etcd starts from it",
        check="the data directory is there whole, with the owner and the mode of the old one",
        undo="it is renamed to …-abandoned; nothing is deleted",
    )


def start_etcd(draft: Draft, node: str, *, why: str, joins: Mapping[str, Sequence[str]] | None = None) -> None:
    told = None if joins is None else {name: tuple(urls) for name, urls in joins.items()}
    draft.add(
        StartEtcd,
        node=node,
        joins=told,
        title=f"start etcd on {node}" + (" as a member that joins" if joins else ""),
        why=why,
        check="its process runs; whether it serves is asked afterwards",
        undo="it is stopped, and starts the way it did before the recovery from then on",
    )
