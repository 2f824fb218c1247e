"""Making an object visible: whole puts and the completion of a multipart upload, both replacing nothing on request.

An answer can be lost after the store has acted, and botocore then asks again: the second request meets the first one's
object. So every object carries a random mark, and before a refusal is believed the object is asked whose mark it has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count

from etcd_dr.adapters.stores.s3.bucket import Answer, Bucket, stored_object
from etcd_dr.adapters.stores.s3.conditional import ConditionalPolicy
from etcd_dr.adapters.stores.s3.object_headers import WRITE_MARK, ObjectHeaders, Parameters
from etcd_dr.adapters.stores.s3.parts import SentPart
from etcd_dr.errors import ObjectExists, StoreDenied, StoreError, StoreUnreachable
from etcd_dr.ports.clock import TokenSource
from etcd_dr.ports.object_store import StoredObject

_TRIES_AT_A_CONFLICT = 3


class ObjectWriter:
    """Writes objects with what the settings put on each of them."""

    def __init__(
        self, bucket: Bucket, headers: ObjectHeaders, conditional: ConditionalPolicy, *, tokens: TokenSource
    ) -> None:
        self._bucket, self._headers, self._conditional, self._tokens = bucket, headers, conditional, tokens

    def put(self, key: str, body: bytes | bytearray, *, if_absent: bool) -> StoredObject:
        """Write a whole object in one request. Raises ObjectExists with `if_absent` when the key is taken."""
        mark = self._tokens.token()
        condition = self._conditional.prepare(key) if if_absent else {}
        parameters = self._headers.for_creation(now=self._bucket.now(), mark=mark) | self._headers.for_body(body)
        try:
            answer = self._put_past_conflicts(key, Body=body, **parameters, **condition)
        except ObjectExists:
            if not self._has_mark(key, mark):
                raise
            return self._head(key)
        return StoredObject(key, len(body), self._answered_at(answer), locked_until=_retention(parameters))

    def begin_parts(self, key: str) -> OpenParts:
        """Begin a multipart upload."""
        mark = self._tokens.token()
        parameters = self._headers.for_creation(now=self._bucket.now(), mark=mark)
        if self._bucket.settings.checksum == "crc32c":
            parameters["ChecksumAlgorithm"] = "CRC32C"
        answer = self._bucket.call("create_multipart_upload", key=key, **parameters)
        return OpenParts(self._bucket, self._headers, key=key, upload_id=str(answer["UploadId"]), mark=mark)

    def complete(self, opened: OpenParts, parts: Sequence[SentPart], *, size_bytes: int) -> StoredObject:
        """Make the object visible, replacing nothing, and check that the store has all of it."""
        condition = self._conditional.prepare(opened.key)
        try:
            opened.complete(parts, **condition)
        except StoreError as refusal:
            if not self._was_completed_all_the_same(opened, parts, size_bytes=size_bytes, refusal=refusal):
                raise
        return self._checked(opened.key, size_bytes=size_bytes)

    def _put_past_conflicts(self, key: str, **parameters: object) -> Answer:
        """S3 answers 409 while another conditional write of the key is under way, and wants to be asked again."""
        for attempt in count(1):
            try:
                return self._bucket.call("put_object", key=key, **parameters)
            except StoreUnreachable as error:
                if error.context.get("status") != 409 or attempt == _TRIES_AT_A_CONFLICT:
                    raise
        raise AssertionError("the loop ends by return or raise")

    def _was_completed_all_the_same(
        self, opened: OpenParts, parts: Sequence[SentPart], *, size_bytes: int, refusal: StoreError
    ) -> bool:
        """Tell whether the object is ours although completing it was refused: the answer to an earlier try was lost.

        A store that drops metadata is judged by size and ETag, which for parts is the MD5 of their MD5s.
        """
        if not isinstance(refusal, ObjectExists | StoreUnreachable) and refusal.context.get("code") != "NoSuchUpload":
            return False
        try:
            answer = self._bucket.head(opened.key, **self._headers.for_access())
        except StoreError:
            return False
        mark = answer.get("Metadata", {}).get(WRITE_MARK)
        if mark is not None:
            return bool(mark == opened.mark)
        etag = str(answer.get("ETag", "")).strip('"')
        return int(answer["ContentLength"]) == size_bytes and etag == _etag_of_parts(parts)

    def _has_mark(self, key: str, mark: str) -> bool:
        try:
            answer = self._bucket.head(key, **self._headers.for_access())
        except StoreError:
            return False
        return bool(answer.get("Metadata", {}).get(WRITE_MARK) == mark)

    def _checked(self, key: str, *, size_bytes: int) -> StoredObject:
        try:
            stored = self._head(key)
        except StoreDenied:  # credentials that may write and nothing else are a sensible thing to have
            return StoredObject(key, size_bytes, self._bucket.now())
        if stored.size_bytes != size_bytes:
            raise StoreError(
                f"holds {stored.size_bytes} bytes after {size_bytes} were acknowledged",
                subject=self._bucket.url(key),
                next_step="The store lost data, or another writer replaced the object: look into the store's log.",
            )
        return stored

    def _head(self, key: str) -> StoredObject:
        return stored_object(key, self._bucket.head(key, **self._headers.for_access()))

    def _answered_at(self, answer: Answer) -> datetime:
        """Return the store's time, which PutObject tells only in the Date of its answer."""
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(date).astimezone(UTC)
        except ValueError:
            return self._bucket.now()


class OpenParts:
    """A multipart upload that the store knows. `send` may be called from several threads."""

    def __init__(self, bucket: Bucket, headers: ObjectHeaders, *, key: str, upload_id: str, mark: str) -> None:
        self._bucket, self._headers = bucket, headers
        self.key, self.upload_id, self.mark = key, upload_id, mark

    def send(self, number: int, body: bytearray) -> SentPart:
        checksum = self._headers.for_body(body)
        parameters = self._headers.for_access() | checksum
        answer = self._call("upload_part", PartNumber=number, Body=body, **parameters)
        crc32c = checksum.get("ChecksumCRC32C")
        return SentPart(number=number, etag=str(answer["ETag"]), crc32c=str(crc32c) if crc32c else None)

    def complete(self, parts: Sequence[SentPart], **condition: object) -> None:
        listed = [_listed(part) for part in parts]
        self._call(
            "complete_multipart_upload", MultipartUpload={"Parts": listed}, **self._headers.for_access(), **condition
        )

    def abort(self) -> None:
        self._call("abort_multipart_upload")

    def _call(self, operation: str, **parameters: object) -> Answer:
        return self._bucket.call(operation, key=self.key, UploadId=self.upload_id, **parameters)


def _listed(part: SentPart) -> Parameters:
    listed: Parameters = {"PartNumber": part.number, "ETag": part.etag}
    return listed | ({"ChecksumCRC32C": part.crc32c} if part.crc32c else {})


def _etag_of_parts(parts: Sequence[SentPart]) -> str:
    try:
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    except ValueError:
        return "not made of MD5s"
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _retention(parameters: Parameters) -> datetime | None:
    until = parameters.get("ObjectLockRetainUntilDate")
    return until if isinstance(until, datetime) else None
