"""Which of several clusters in a store is the one that the endpoints lead to."""

from __future__ import annotations

from datetime import UTC, datetime

from etcd_dr.domain.catalogue import ClusterMarker
from etcd_dr.domain.manifest import canonical_json
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.workflows.find_clusters import ask_cluster_id, find_owned
from fakes.etcd import FakeCluster, FakeEtcdConnector
from fakes.object_store import FakeObjectStore

NAMES = ("dev", "lab", "prod", "torn", "unmarked")


def store_of(**owners: tuple[str, ...]) -> FakeObjectStore:
    store = FakeObjectStore()
    for name, ids in owners.items():
        marker = ClusterMarker(
            cluster=name, etcd_cluster_ids=ids, created_at=datetime(2026, 8, 20, tzinfo=UTC), created_by="test"
        )
        store.plant(ClusterLayout(prefix="etcd", cluster=name).marker, canonical_json(marker))
    return store


def test_owner_is_whoever_has_the_id_in_its_marker() -> None:
    """A marker that is missing or broken owns nothing; ids from before a recovery count."""
    store = store_of(dev=("aa",), lab=("bb",), prod=("cc", "dd"))
    store.plant(ClusterLayout(prefix="etcd", cluster="torn").marker, b"{")

    owned = {
        number: find_owned(store, prefix="etcd", names=NAMES, etcd_cluster_id=number) for number in (0xAA, 0xCC, 1)
    }

    assert owned == {0xAA: ("dev",), 0xCC: ("prod",), 1: ()}


def test_cluster_id_is_asked_of_whoever_answers() -> None:
    """One dead member is no reason to ask a person."""
    cluster = FakeCluster.of_three()
    cluster["m1"].stop()
    connector = FakeEtcdConnector(cluster)

    assert ask_cluster_id(connector, deadline=1.0) == cluster.cluster_id
    assert not sum(cluster.open_connections.values())


def test_cluster_id_is_unknown_where_nobody_answers() -> None:
    """Then only a person can say."""
    cluster = FakeCluster.of_three()
    for name in ("m1", "m2", "m3"):
        cluster[name].stop()

    assert ask_cluster_id(FakeEtcdConnector(cluster), deadline=1.0) is None
