"""The ids that etcd will give to a cluster and its members, computed beforehand.

etcd derives them at bootstrap from the peer URLs and the token (server/etcdserver/api/membership: NewMember and
computeMemberId in member.go, genID in cluster.go), and `etcdutl snapshot restore` does the same. A member that is
*added* to a living cluster gets an id with a time stamp in it, which nobody can predict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence


def member_id(peer_urls: Iterable[str], token: str) -> int:
    """Return the id of a member with these peer URLs, in any order, in a cluster with this token."""
    return _first_eight("".join(sorted(peer_urls)).encode() + token.encode())


def cluster_id(member_ids: Iterable[int]) -> int:
    """Return the id of the cluster of these members."""
    return _first_eight(b"".join(member.to_bytes(8, "big") for member in sorted(member_ids)))


def expected_ids(initial_cluster: Mapping[str, Sequence[str]], token: str) -> tuple[int, dict[str, int]]:
    """Return the cluster's id and each member's by name."""
    members = {name: member_id(urls, token) for name, urls in initial_cluster.items()}
    return cluster_id(members.values()), members


def _first_eight(text: bytes) -> int:
    return int.from_bytes(hashlib.sha1(text, usedforsecurity=False).digest()[:8], "big")
