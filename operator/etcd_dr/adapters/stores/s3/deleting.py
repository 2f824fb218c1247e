"""Deleting, as Object Lock and versions allow it; a locked object is reported as refused, never hidden.

- Under retention or a legal hold nothing is sent to the store at all: in a bucket with versions S3 would answer a plain
  delete with success and put a delete marker before the object, which hides it from everybody and frees nothing.
- In a bucket with Object Lock the version itself is deleted, and older ones after it. The store has the last word on
  retention that way, also where these credentials may not see it, and space is freed when retention has ended.
- In a bucket with versions and no lock a plain delete leaves a marker: whoever switched versions on wants to be able
  to go back, and a lifecycle rule (NoncurrentVersionExpiration) decides for how long.
"""

from __future__ import annotations

import threading

from etcd_dr.adapters.stores.s3.bucket import Answer, Bucket
from etcd_dr.adapters.stores.s3.object_headers import ObjectHeaders
from etcd_dr.errors import ObjectLocked, ObjectMissing, StoreDenied, StoreError, StoreUnreachable

_MOST_VERSIONS = 1000
_WORDS_OF_A_LOCK = ("object lock", "worm", "retention", "legal hold", "locked")


class ObjectDeleter:
    """Deletes objects of one bucket; asks once whether it has Object Lock."""

    def __init__(self, bucket: Bucket, headers: ObjectHeaders) -> None:
        self._bucket, self._headers = bucket, headers
        self._mutex = threading.Lock()
        self._has_lock: bool | None = None

    def has_object_lock(self) -> bool:
        """Tell whether the bucket was made with Object Lock. Without the right to ask, whether settings rely on it."""
        with self._mutex:
            if self._has_lock is None:
                self._has_lock = self._ask_for_lock()
            return self._has_lock

    def delete(self, key: str) -> None:
        """Remove an object; missing is success. Raises ObjectLocked."""
        for _ in range(_MOST_VERSIONS):
            try:
                facts = self._bucket.head(key, **self._headers.for_access())
            except ObjectMissing:
                return
            self._need_unlocked(key, facts)
            version = facts.get("VersionId")
            if not version or version == "null" or not self.has_object_lock():
                self._bucket.call("delete_object", key=key)
                return
            self._delete_version(key, str(version), has_retention="ObjectLockMode" in facts)
        raise StoreError(
            f"has more than {_MOST_VERSIONS} versions",
            subject=self._bucket.url(key),
            next_step="Something else writes this object over and over: find out what, with the store's access log.",
        )

    def _need_unlocked(self, key: str, facts: Answer) -> None:
        until = facts.get("ObjectLockRetainUntilDate")
        if facts.get("ObjectLockLegalHoldStatus") == "ON":
            raise ObjectLocked(
                "is under a legal hold",
                subject=self._bucket.url(key),
                next_step="Whoever put the hold can lift it: aws s3api put-object-legal-hold --bucket "
                f"{self._bucket.settings.bucket} --key … --legal-hold Status=OFF",
                context={"legal_hold": True},
            )
        if until is not None and until > self._bucket.now():
            raise ObjectLocked(
                f"is locked until {until:%Y-%m-%d %H:%M} UTC ({facts.get('ObjectLockMode')})",
                subject=self._bucket.url(key),
                next_step="Nothing is to be done: retention removes it at the first run after that time.",
                context={"locked_until": until.isoformat(), "mode": str(facts.get("ObjectLockMode"))},
            )

    def _delete_version(self, key: str, version: str, *, has_retention: bool) -> None:
        """`has_retention` is what HEAD showed, and by our clock has ended: the store's clock may think otherwise."""
        try:
            self._bucket.call("delete_object", key=key, VersionId=version)
        except StoreDenied as refusal:
            if not has_retention and not any(word in refusal.message.lower() for word in _WORDS_OF_A_LOCK):
                raise
            raise ObjectLocked(
                f"the store forbids it ({refusal.message})",
                subject=refusal.subject,
                next_step="Wait for the retention to end; to see it, allow s3:GetObjectRetention and "
                "s3:GetObjectLegalHold for these credentials.",
                context=refusal.context,
            ) from refusal

    def _ask_for_lock(self) -> bool:
        try:
            answer = self._bucket.call("get_object_lock_configuration")
        except StoreUnreachable:
            raise
        except StoreDenied:
            return self._bucket.settings.object_lock is not None
        except StoreError:  # 404 or 501: no lock configured, or a store that has never heard of it
            return False
        return bool(answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")
