"""What a real server cannot be made to answer on demand: told by botocore's own stub, below our code.

Everything that a server for tests does by itself is shown on that server (tests/real/test_store_*).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from etcd_dr.adapters.stores import S3Settings
from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.settings import KeyFiles, ObjectLock
from etcd_dr.errors import (
    ConfigError,
    ObjectExists,
    ObjectLocked,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreMisconfigured,
)

NOW = datetime(2026, 8, 20, 3, 0, tzinfo=UTC)
HEAD = {"ContentLength": 1, "LastModified": NOW, "ETag": '"e"'}


class StoppedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class OneToken:
    def token(self) -> str:
        return "0123456789ab"


@pytest.fixture
def settings(tmp_path: Path) -> S3Settings:
    (tmp_path / "a").write_text("access")
    (tmp_path / "s").write_text("secret")
    return S3Settings(
        bucket="bucket",
        endpoint="http://127.0.0.1:9",
        credentials=KeyFiles(tmp_path / "a", tmp_path / "s"),
        read_timeout_seconds=10.0,  # no more than other requests have: then one client serves both, and can be stubbed
    )


@pytest.fixture
def store(settings: S3Settings) -> Iterator[S3ObjectStore]:
    opened = S3ObjectStore(settings, clock=StoppedClock(), tokens=OneToken())
    yield opened
    opened.close()


@pytest.fixture
def server(store: S3ObjectStore) -> Iterator[Stubber]:
    """Answers in order; a request that was not foretold fails the test."""
    with Stubber(store._bucket._client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def ok(**headers: str) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": headers}}


def probe(server: Stubber, *second: Any) -> None:
    """Foretell the probe: one accepted put, then what the store makes of the second, then the removal."""
    server.add_response("put_object", ok())
    if second:
        server.add_client_error("put_object", *second)
    else:
        server.add_response("put_object", ok())
        server.add_response("delete_object", ok())
    server.add_response("delete_object", ok())


def test_store_that_does_not_know_the_header_is_asked_without_it(store: S3ObjectStore, server: Stubber) -> None:
    """501 to the header: put-if-absent looks first and sends a plain put."""
    server.add_client_error("put_object", "NotImplemented", http_status_code=501)
    server.add_response("put_object", ok())
    server.add_response("delete_object", ok())
    server.add_client_error("head_object", "404", http_status_code=404)
    server.add_response("head_bucket", ok())
    plain = {"Bucket": "bucket", "Key": "v1/a", "Body": b"x", "Metadata": ANY, "ChecksumCRC32C": ANY}
    server.add_response("put_object", ok(), expected_params=plain)

    store.put("v1/a", b"x", if_absent=True)


def test_request_that_is_refused_with_and_without_the_header_is_no_verdict(
    store: S3ObjectStore, server: Stubber
) -> None:
    """Then something else is wrong, and it is raised instead of being taken for a missing feature."""
    server.add_client_error("put_object", "InvalidRequest", http_status_code=400)
    server.add_client_error("put_object", "InvalidRequest", http_status_code=400)

    with pytest.raises(StoreMisconfigured):
        store.guarantees()


def test_probe_that_fails_by_accident_is_repeated(store: S3ObjectStore, server: Stubber) -> None:
    """A store that is down for a moment is not remembered as one without guarantees."""
    server.add_client_error("put_object", "SlowDown", http_status_code=503)
    with pytest.raises(StoreError):
        store.guarantees()

    probe(server, "PreconditionFailed", "", 412)
    server.add_client_error("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError", "", 404)

    assert store.guarantees().put_if_absent


def test_conflicting_conditional_write_is_tried_again(store: S3ObjectStore, server: Stubber) -> None:
    """409 asks for another try, whose 412 is the answer."""
    probe(server, "PreconditionFailed", "", 412)
    server.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    server.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    server.add_response("head_object", HEAD | {"Metadata": {"etcd-dr-write": "another's"}})

    with pytest.raises(ObjectExists):
        store.put("v1/a", b"x", if_absent=True)


def test_lock_that_may_not_be_seen_is_still_a_lock(store: S3ObjectStore, server: Stubber) -> None:
    """Without s3:GetObjectRetention HEAD shows nothing; the refusal to delete the version tells."""
    server.add_response("head_object", HEAD | {"VersionId": "v1"})
    server.add_response("get_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}})
    server.add_client_error(
        "delete_object", "AccessDenied", "Access Denied because object protected by object lock.", 403
    )

    with pytest.raises(ObjectLocked) as raised:
        store.delete("v1/a")

    assert "s3:GetObjectRetention" in raised.value.next_step


def test_missing_right_to_delete_is_not_taken_for_a_lock(store: S3ObjectStore, server: Stubber) -> None:
    """A plain AccessDenied on an object without retention is a matter of rights."""
    server.add_response("head_object", HEAD | {"VersionId": "v1"})
    server.add_response("get_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}})
    server.add_client_error("delete_object", "AccessDenied", "Access Denied", 403)

    with pytest.raises(StoreDenied):
        store.delete("v1/a")


def test_bucket_that_may_not_be_asked_for_its_lock_is_believed_to_have_what_settings_say(
    settings: S3Settings,
) -> None:
    """Settings with Object Lock delete versions, so that the store can refuse."""
    locked = S3Settings(
        bucket="bucket",
        endpoint=settings.endpoint,
        credentials=settings.credentials,
        object_lock=ObjectLock(mode="GOVERNANCE", retain_days=1),
    )
    store = S3ObjectStore(locked, clock=StoppedClock(), tokens=OneToken())
    with Stubber(store._bucket._client) as server:
        past = HEAD | {"VersionId": "v1", "ObjectLockRetainUntilDate": NOW - timedelta(days=1)}
        server.add_response("head_object", past)
        server.add_client_error("get_object_lock_configuration", "AccessDenied", "", 403)
        server.add_response("delete_object", ok(), {"Bucket": "bucket", "Key": "v1/a", "VersionId": "v1"})
        server.add_client_error("head_object", "404", "", 404)
        server.add_response("head_bucket", ok())

        store.delete("v1/a")

        server.assert_no_pending_responses()


def test_missing_object_is_missing_where_the_bucket_may_not_be_asked(store: S3ObjectStore, server: Stubber) -> None:
    """HEAD says 404 for a missing bucket too; 403 from the bucket itself proves that it is there. It is asked once."""
    server.add_client_error("head_object", "404", http_status_code=404)
    server.add_client_error("head_bucket", "403", http_status_code=403)
    server.add_client_error("head_object", "404", http_status_code=404)

    for _ in range(2):
        with pytest.raises(ObjectMissing):
            store.head("v1/a")


def test_list_goes_on_from_page_to_page(store: S3ObjectStore, server: Stubber) -> None:
    """Every page is asked for with the token of the one before."""
    entry = {"Size": 1, "LastModified": NOW}
    first = {"Contents": [{"Key": "v1/a", **entry}], "IsTruncated": True, "NextContinuationToken": "t"}
    server.add_response("list_objects_v2", first, {"Bucket": "bucket", "Prefix": "v1/"})
    server.add_response(
        "list_objects_v2",
        {"Contents": [{"Key": "v1/b", **entry}], "IsTruncated": False},
        {"Bucket": "bucket", "Prefix": "v1/", "ContinuationToken": "t"},
    )

    assert [found.key for found in store.list("v1/")] == ["v1/a", "v1/b"]


def test_list_that_goes_round_in_circles_ends_with_an_error(store: S3ObjectStore, server: Stubber) -> None:
    """A broken store must not keep a sweep busy for ever, and half a list is not a list."""
    again = {"IsTruncated": True, "NextContinuationToken": "same"}
    server.add_response("list_objects_v2", again)
    server.add_response("list_objects_v2", again)

    with pytest.raises(StoreError):
        list(store.list("v1/"))


def test_unfinished_uploads_go_on_from_page_to_page(store: S3ObjectStore, server: Stubber) -> None:
    """Both markers are handed on."""
    first = {
        "Uploads": [{"Key": "v1/a", "UploadId": "1", "Initiated": NOW}],
        "IsTruncated": True,
        "NextKeyMarker": "v1/a",
        "NextUploadIdMarker": "1",
    }
    server.add_response("list_multipart_uploads", first, {"Bucket": "bucket", "Prefix": "v1/"})
    server.add_response(
        "list_multipart_uploads",
        {"Uploads": [{"Key": "v1/b", "UploadId": "2", "Initiated": NOW}], "IsTruncated": False},
        {"Bucket": "bucket", "Prefix": "v1/", "KeyMarker": "v1/a", "UploadIdMarker": "1"},
    )

    assert [(found.key, found.token) for found in store.unfinished_uploads("v1/")] == [("v1/a", "1"), ("v1/b", "2")]


def test_store_that_ignores_a_range_is_not_resumed(store: S3ObjectStore, server: Stubber) -> None:
    """The whole object again, from its beginning, would be joined to the half that was read."""

    def body(raw: bytes, announced: int) -> StreamingBody:
        return StreamingBody(BytesIO(raw), announced)

    size = 3_000_000
    head = {"ContentLength": size, "ETag": '"e"'}
    server.add_response("get_object", head | {"Body": body(bytes(1_500_000), size)})
    server.add_response("get_object", head | {"Body": body(bytes(size), size)})

    with pytest.raises(StoreError, match="cannot resume"), store.read("v1/a") as chunks:
        list(chunks)


def test_lock_without_any_checksum_is_a_setting_to_correct(settings: S3Settings) -> None:
    """S3 refuses such requests; better said when the store is opened than in the night."""
    wrong = S3Settings(bucket="b", object_lock=ObjectLock(legal_hold=True), checksum="none")

    with pytest.raises(ConfigError):
        S3ObjectStore(wrong, clock=StoppedClock(), tokens=OneToken())
