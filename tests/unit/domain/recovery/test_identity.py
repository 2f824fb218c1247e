"""The ids that etcd gives, computed beforehand."""

from __future__ import annotations

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.identity import cluster_id, expected_ids, member_id

THREE = {f"m{n}": (f"http://127.0.0.1:{n}2380",) for n in (1, 2, 3)}


def test_member_id_depends_on_urls_in_any_order_and_on_the_token() -> None:
    """etcd sorts the URLs before it hashes them."""
    one, two = "http://a:2380", "http://b:2380"

    assert member_id((one, two), "t") == member_id((two, one), "t")
    assert len({member_id((one,), "t"), member_id((two,), "t"), member_id((one,), "u")}) == 3


def test_cluster_id_depends_on_the_members_in_any_order() -> None:
    assert cluster_id([1, 2, 3]) == cluster_id([3, 2, 1])
    assert cluster_id([1, 2]) != cluster_id([1, 2, 3])


def test_known_ids_of_a_default_etcd() -> None:
    """A lone etcd with its defaults is member 8e9e05c52164694d of cluster cdf818194e3a8c32, as everybody knows it."""
    cluster, members = expected_ids({"default": ("http://localhost:2380",)}, "etcd-cluster")

    assert (id_text(cluster), id_text(members["default"])) == ("cdf818194e3a8c32", "8e9e05c52164694d")


def test_another_token_makes_other_ids_of_everything() -> None:
    """So that a straggler of the old cluster is never taken for a member of the new one."""
    old, new = expected_ids(THREE, "old"), expected_ids(THREE, "new")

    assert old[0] != new[0]
    assert not set(old[1].values()) & set(new[1].values())
