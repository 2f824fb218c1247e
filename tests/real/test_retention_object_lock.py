"""Pruning in a real bucket with Object Lock: locked snapshots stay whole and listed, free ones are really gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.settings import ObjectLock
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.manifest import canonical_json
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.apply_retention import RetentionOutcome, apply_retention
from etcd_dr.workflows.commit_snapshot import commit_snapshot
from etcd_dr.workflows.read_catalogue import read_catalogue
from fakes.catalogue import moment, snapshot
from fakes.clock import CountingTokens
from fakes.events import RecordingEvents
from real.peers.weed import WeedS3
from real.store_settings import open_bucket, s3_settings

LAYOUT = ClusterLayout(prefix="", cluster="prod")
BODY = b"x" * 1000


@pytest.fixture
def bucket(s3_server: WeedS3, s3_bucket: str) -> str:
    return s3_server.make_bucket(f"prune-{s3_bucket}", object_lock=True)


@pytest.fixture
def opened(s3_server: WeedS3, bucket: str, tmp_path: Path) -> Iterator[Callable[..., S3ObjectStore]]:
    """Open the bucket: without a lock, or with retention for every object that is written."""
    stores: list[S3ObjectStore] = []

    def make(lock: ObjectLock | None = None) -> S3ObjectStore:
        stores.append(open_bucket(s3_settings(s3_server, bucket, tmp_path, object_lock=lock)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def put_snapshot(store: ObjectStore, day: str) -> Snapshot:
    made = snapshot(day, plain=BODY)
    upload = store.begin_upload(LAYOUT.data(made.id))
    upload.write(BODY)
    upload.commit()
    commit_snapshot(store, LAYOUT, made.manifest, made.proofs, tokens=CountingTokens())
    return made


def prune(store: ObjectStore) -> RetentionOutcome:
    return apply_retention(
        store,
        LAYOUT,
        read_catalogue(store, LAYOUT),
        policy=RetentionPolicy(keep_last=1),
        now=moment("2026-08-20 12:00"),
        events=RecordingEvents(),
    )


def test_a_locked_snapshot_survives_whole_while_a_free_one_goes(opened: Callable[..., S3ObjectStore]) -> None:
    """The retention's end is reported, and the run does not fail."""
    store = opened()
    locked = put_snapshot(opened(ObjectLock(mode="COMPLIANCE", retain_days=3)), "2026-08-17")
    free = put_snapshot(store, "2026-08-18")
    newest = put_snapshot(store, "2026-08-19")
    before = [stored.key for stored in store.list(LAYOUT.folder(locked.id))]

    outcome = prune(store)

    assert [decision.id for decision in outcome.removed] == [free.id]
    assert [spared.snapshot_id for spared in outcome.refused] == [locked.id]
    assert outcome.refused[0].lock.until > moment("2026-08-20")
    assert [stored.key for stored in store.list(LAYOUT.folder(locked.id))] == before
    assert list(store.list(LAYOUT.folder(free.id))) == []
    assert [s.id for s in read_catalogue(store, LAYOUT).snapshots] == [locked.id, newest.id]


def test_a_legal_hold_on_the_data_leaves_the_snapshot_listed(
    s3_server: WeedS3, bucket: str, opened: Callable[..., S3ObjectStore]
) -> None:
    """The hold shows only when the data refuses to go; then the manifest is there again, the same bytes."""
    store = opened()
    held, newest = put_snapshot(store, "2026-08-18"), put_snapshot(store, "2026-08-19")
    s3_server.client().put_object_legal_hold(Bucket=bucket, Key=LAYOUT.data(held.id), LegalHold={"Status": "ON"})

    outcome = prune(store)

    found = read_catalogue(store, LAYOUT)
    assert [spared.snapshot_id for spared in outcome.refused] == [held.id]
    assert [s.id for s in found.snapshots] == [held.id, newest.id]
    assert canonical_json(found.snapshots[0].manifest) == canonical_json(held.manifest)
    assert store.head(LAYOUT.data(held.id)).size_bytes == len(BODY)


def test_a_pruned_snapshot_leaves_no_version_behind(
    s3_server: WeedS3, bucket: str, opened: Callable[..., S3ObjectStore]
) -> None:
    """In a versioned bucket a deletion that only hides would pay for every snapshot for ever."""
    store = opened()
    old = put_snapshot(store, "2026-08-18")
    put_snapshot(store, "2026-08-19")

    outcome = prune(store)

    versions = s3_server.client().list_object_versions(Bucket=bucket, Prefix=LAYOUT.folder(old.id))
    assert [decision.id for decision in outcome.removed] == [old.id]
    assert outcome.freed_bytes >= len(BODY)
    assert not versions.get("Versions")
