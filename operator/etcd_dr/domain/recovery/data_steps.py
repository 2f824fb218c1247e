"""The steps that work here: look again, fetch and prove the source, build data directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.step import BuildData, FetchSnapshot, FetchSurvivor, Preflight


def preflight(
    draft: Draft,
    *,
    etcdutl_minor: str | None = None,
    local_bytes: int = 0,
    node_bytes: Mapping[str, int] | None = None,
) -> None:
    draft.begin_phase()
    draft.add(
        Preflight,
        etcdutl_minor=etcdutl_minor,
        local_bytes_needed=local_bytes,
        node_bytes_needed=dict(node_bytes or {}),
        title="look again before anything is touched",
        why="the plan is only as good as the facts it was made from",
        check="the facts still hold, every node lets us in, and there is room and the right tool",
    )


def fetch_snapshot(draft: Draft, snapshot_id: str) -> None:
    draft.begin_phase()
    draft.add(
        FetchSnapshot,
        snapshot_id=snapshot_id,
        title=f"fetch snapshot {snapshot_id} and prove it",
        why="it is downloaded and verified once, before any node is touched; every member is built from it",
        check="digests, trailer, every page, and the hash that its manifest names",
    )


def fetch_survivor(draft: Draft, *, member: str, node: str, endpoint: str) -> None:
    draft.begin_phase()
    way = f"over its API at {endpoint}" if endpoint else "its database file, from its node"
    draft.add(
        FetchSurvivor,
        about=member,
        node=node,
        member=member,
        endpoint=endpoint,
        title=f"take the data of {member} here and prove it",
        why=f"the new cluster is built from what this survivor has applied ({way})",
        check="every page and record was read, and the digests are in the journal",
    )


def build_data(
    draft: Draft,
    *,
    member: str,
    node: str,
    initial_cluster: Mapping[str, Sequence[str]],
    token: str,
    bump_revision: int,
    has_trailer: bool,
) -> None:
    told = f"its revision moves up by {bump_revision}" if bump_revision else "its revision stays, as was wished"
    draft.add(
        BuildData,
        about=member,
        node=node,
        member=member,
        peer_urls=tuple(initial_cluster[member]),
        initial_cluster={name: tuple(urls) for name, urls in initial_cluster.items()},
        token=token,
        bump_revision=bump_revision,
        has_trailer=has_trailer,
        title=f"build the data directory of {member} here",
        why=f"with the official etcdutl, for a new cluster with a token of its own; {told}",
        check="etcdutl ended well, and the directory names the expected member and cluster",
    )
