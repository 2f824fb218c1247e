"""Object Lock on a real server: what is locked is refused and stays visible, what is free is really gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.settings import ObjectLock
from etcd_dr.errors import ObjectLocked, StoreMisconfigured
from real.peers.weed import WeedS3
from real.store_settings import PART_BYTES, open_bucket, s3_settings


@pytest.fixture
def locked_bucket(s3_server: WeedS3, s3_bucket: str) -> str:
    return s3_server.make_bucket(f"lock-{s3_bucket}", object_lock=True)


@pytest.fixture
def open_locked(s3_server: WeedS3, locked_bucket: str, tmp_path: Path) -> Iterator[Callable[..., S3ObjectStore]]:
    """Open the bucket with settings for Object Lock; closed at the end."""
    opened: list[S3ObjectStore] = []

    def make(lock: ObjectLock | None = None, **more: Any) -> S3ObjectStore:
        opened.append(open_bucket(s3_settings(s3_server, locked_bucket, tmp_path, object_lock=lock, **more)))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def versions(server: WeedS3, bucket: str) -> tuple[int, int]:
    """Return how many versions and delete markers there are."""
    answer = server.client().list_object_versions(Bucket=bucket)
    return len(answer.get("Versions", [])), len(answer.get("DeleteMarkers", []))


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
def test_locked_object_is_refused_and_stays_visible(
    s3_server: WeedS3, locked_bucket: str, open_locked: Callable[..., S3ObjectStore], mode: str, size: int
) -> None:
    """No delete marker appears, the error names the end of retention, and head tells it too."""
    store = open_locked(ObjectLock(mode=mode, retain_days=3))  # type: ignore[arg-type]  # one of two words
    upload = store.begin_upload("v1/prod/data")
    upload.write(bytes(size))
    stored = upload.commit()

    with pytest.raises(ObjectLocked) as raised:
        store.delete("v1/prod/data")

    until = store.head("v1/prod/data").locked_until
    assert until is not None
    assert abs(until - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=5)
    assert stored.locked_until is not None
    assert abs(stored.locked_until - until) < timedelta(seconds=1)
    assert raised.value.context["mode"] == mode
    assert [found.key for found in store.list("")] == ["v1/prod/data"]
    assert versions(s3_server, locked_bucket) == (1, 0)


def test_legal_hold_is_refused_until_it_is_lifted(
    s3_server: WeedS3, locked_bucket: str, open_locked: Callable[..., S3ObjectStore]
) -> None:
    """A hold has no end of its own; once lifted, the object goes, version and all."""
    store = open_locked(ObjectLock(legal_hold=True))
    store.put("v1/data", b"held", if_absent=True)

    with pytest.raises(ObjectLocked) as raised:
        store.delete("v1/data")
    s3_server.client().put_object_legal_hold(Bucket=locked_bucket, Key="v1/data", LegalHold={"Status": "OFF"})
    store.delete("v1/data")

    assert raised.value.context["legal_hold"] is True
    assert versions(s3_server, locked_bucket) == (0, 0)


def test_expired_retention_frees_the_space(
    s3_server: WeedS3, locked_bucket: str, open_locked: Callable[..., S3ObjectStore]
) -> None:
    """After retention, deletion removes the version itself: a marker would keep paying for it."""
    store = open_locked(ObjectLock(mode="GOVERNANCE", retain_days=1))
    store.put("v1/data", b"was locked", if_absent=True)
    with pytest.raises(ObjectLocked):
        store.delete("v1/data")

    s3_server.client().put_object_retention(
        Bucket=locked_bucket,
        Key="v1/data",
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=2)},
        BypassGovernanceRetention=True,
    )
    delete_once_the_store_lets_it(store, "v1/data")

    assert versions(s3_server, locked_bucket) == (0, 0)


def delete_once_the_store_lets_it(store: S3ObjectStore, key: str) -> None:
    """Ask the store again and again: its clock decides."""
    ends_at = time.monotonic() + 60
    while True:
        try:
            return store.delete(key)
        except ObjectLocked:
            if time.monotonic() > ends_at:
                raise


def test_all_versions_go_so_that_none_comes_back(
    s3_server: WeedS3, locked_bucket: str, open_locked: Callable[..., S3ObjectStore]
) -> None:
    """Removing only the newest version would bring the one before it to light."""
    store = open_locked()
    for body in (b"one", b"two", b"three"):
        store.put("v1/pin.json", body, if_absent=False)

    store.delete("v1/pin.json")

    assert list(store.list("")) == []
    assert versions(s3_server, locked_bucket) == (0, 0)


def test_store_itself_refuses_where_our_clock_is_ahead(
    s3_server: WeedS3, locked_bucket: str, open_locked: Callable[..., S3ObjectStore], tmp_path: Path
) -> None:
    """The lock is the store's: a machine that believes retention is over is refused all the same."""
    open_locked(ObjectLock(mode="GOVERNANCE", retain_days=1)).put("v1/data", b"x", if_absent=True)

    class NextYear:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(days=365)

        def monotonic(self) -> float:
            return 0.0

    with closing(open_bucket(s3_settings(s3_server, locked_bucket, tmp_path), clock=NextYear())) as store:
        with pytest.raises(ObjectLocked):
            store.delete("v1/data")

        assert store.head("v1/data").size_bytes == 1
    assert versions(s3_server, locked_bucket) == (1, 0)


def test_guarantees_tell_whether_the_bucket_has_object_lock(
    s3_server: WeedS3, s3_bucket: str, open_locked: Callable[..., S3ObjectStore], tmp_path: Path
) -> None:
    """Asked of the bucket, not of the settings."""
    with closing(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path))) as plain:
        assert not plain.guarantees().object_lock

    assert open_locked().guarantees().object_lock


def test_probe_leaves_no_version_behind(
    s3_server: WeedS3, locked_bucket: str, open_locked: Callable[..., S3ObjectStore]
) -> None:
    """The probe object is removed for good in a bucket with versions too."""
    open_locked(ObjectLock(mode="COMPLIANCE", retain_days=1)).guarantees()

    assert versions(s3_server, locked_bucket) == (0, 0)


def test_versions_without_lock_keep_what_was_deleted(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """Whoever switched versions on wants to go back: deletion leaves a marker and the version."""
    s3_server.client().put_bucket_versioning(Bucket=s3_bucket, VersioningConfiguration={"Status": "Enabled"})
    with closing(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path))) as store:
        store.put("v1/data", b"x", if_absent=True)

        store.delete("v1/data")

        assert list(store.list("")) == []
    assert versions(s3_server, s3_bucket) == (1, 1)


def test_lock_on_a_bucket_without_it_is_a_setting_to_correct(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """Nothing is stored without the protection that was asked for."""
    settings = s3_settings(s3_server, s3_bucket, tmp_path, object_lock=ObjectLock(mode="COMPLIANCE", retain_days=1))
    with closing(open_bucket(settings)) as store:
        with pytest.raises(StoreMisconfigured):
            store.put("v1/data", b"x", if_absent=True)

        assert list(store.list("")) == []
