"""What is in a bucket, page by page. Names that are no keys of ours (see `keys`) belong to others and are left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etcd_dr.adapters.stores.keys import is_key, is_segment
from etcd_dr.adapters.stores.s3.bucket import Answer, Bucket
from etcd_dr.errors import StoreError
from etcd_dr.ports.object_store import StoredObject, UnfinishedUpload


def objects(bucket: Bucket, prefix: str) -> Iterator[StoredObject]:
    """Yield the objects below `prefix`, in the store's order, which S3 promises to be that of the keys' UTF-8."""
    for page in _pages(bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            if is_key(entry["Key"]):
                yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"])


def folders(bucket: Bucket, prefix: str) -> Iterator[str]:
    """Yield the names directly below `prefix` that have objects below them."""
    for page in _pages(bucket, Prefix=prefix, Delimiter="/"):
        for entry in page.get("CommonPrefixes", ()):
            name = entry["Prefix"][len(prefix) :].removesuffix("/")
            if is_segment(name):
                yield name


def unfinished_uploads(bucket: Bucket, prefix: str) -> Iterator[UnfinishedUpload]:
    """Yield the multipart uploads below `prefix` that were begun and not ended."""
    marker: dict[str, Any] = {}
    while True:
        try:
            page = bucket.call("list_multipart_uploads", Prefix=prefix, **marker)
        except StoreError as error:
            if error.context.get("code") != "NoSuchUpload":  # how rclone says that there are none
                raise
            return
        for entry in page.get("Uploads", ()):
            if entry["Key"].startswith(prefix) and is_key(entry["Key"]):
                yield UnfinishedUpload(key=entry["Key"], token=entry["UploadId"], begun_at=entry["Initiated"])
        if not page.get("IsTruncated"):
            return
        following: dict[str, Any] = {
            "KeyMarker": page.get("NextKeyMarker", ""),
            "UploadIdMarker": page.get("NextUploadIdMarker", ""),
        }
        if following == marker:
            raise _going_round(bucket, prefix)
        marker = following


def _pages(bucket: Bucket, **parameters: Any) -> Iterator[Answer]:
    token: str | None = None
    while True:
        more: dict[str, Any] = {"ContinuationToken": token} if token else {}
        page = bucket.call("list_objects_v2", **parameters, **more)
        yield page
        if not page.get("IsTruncated"):
            return
        following = page.get("NextContinuationToken")
        if not following or following == token:
            raise _going_round(bucket, str(parameters["Prefix"]))
        token = following


def _going_round(bucket: Bucket, prefix: str) -> StoreError:
    return StoreError(
        "the store says that its list goes on, and does not say where",
        subject=bucket.url(prefix),
        next_step="This is a defect of the store; compare with: aws s3api list-objects-v2 --bucket "
        f"{bucket.settings.bucket} --max-items 2000",
    )
