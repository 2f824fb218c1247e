"""One bucket, and the only place that calls boto3: every call goes through `call`, so every error is translated."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from etcd_dr.adapters.stores.s3.client import Patience, build_client, open_session
from etcd_dr.adapters.stores.s3.failures import LIBRARY_ERRORS, Place, translated
from etcd_dr.adapters.stores.settings import S3Settings
from etcd_dr.errors import ObjectMissing, StoreDenied
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.object_store import StoredObject

Answer = Mapping[str, Any]


_CARRIES_BYTES = frozenset({"upload_part", "complete_multipart_upload"})
"""Requests that take long on a slow line or, for completing, in a busy store."""


class Bucket:
    """Calls for one bucket. May be used from several threads, as boto3's clients may."""

    def __init__(self, settings: S3Settings, *, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._is_known_to_exist = False
        with self.translating("create_client"):
            self._session = open_session(settings)
            self._client = build_client(
                self._session, settings, Patience.for_calls(settings), monotonic=clock.monotonic
            )
        self._mutex = threading.Lock()
        self._patient_client: Any = None

    def url(self, key: str = "") -> str:
        return f"s3://{self.settings.bucket}/{key}"

    def now(self) -> datetime:
        return self._clock.now()

    def call(self, operation: str, *, key: str = "", **parameters: Any) -> Answer:
        """Return the answer of a method of boto3's client; `key` becomes its Key where there is one."""
        if operation in _CARRIES_BYTES:
            return self.call_patiently(operation, key=key, **parameters)
        with self.translating(operation, key=key):
            return self._ask(self._client, operation, key, parameters)

    def call_patiently(self, operation: str, *, key: str = "", **parameters: Any) -> Answer:
        """Do the same for a request whose bytes, or whose answer's body, are a snapshot's and may take long."""
        with self.translating(operation, key=key):
            return self._ask(self._patient(), operation, key, parameters)

    def _ask(self, client: Any, operation: str, key: str, parameters: dict[str, Any]) -> Answer:
        where = {"Key": key} if key else {}
        answer: Answer = getattr(client, operation)(Bucket=self.settings.bucket, **where, **parameters)
        return answer

    def _patient(self) -> Any:
        """Return the client for bytes, made at the first need: listing does without."""
        patience = Patience.for_bytes(self.settings)
        if patience.read_timeout <= Patience.for_calls(self.settings).read_timeout:
            return self._client
        with self._mutex:
            if self._patient_client is None:
                self._patient_client = build_client(
                    self._session, self.settings, patience, monotonic=self._clock.monotonic
                )
            return self._patient_client

    @contextmanager
    def translating(self, operation: str, *, key: str = "") -> Iterator[None]:
        """Translate what the libraries raise in the block, for `operation` on `key`."""
        try:
            yield
        except LIBRARY_ERRORS as error:
            raise translated(error, place=self._place(operation, key)) from error

    def head(self, key: str, **access: object) -> Answer:
        """Return HeadObject's answer. HEAD answers 404 for a missing bucket too, so the bucket is asked once."""
        try:
            return self.call("head_object", key=key, **access)
        except ObjectMissing:
            self._need_existence()
            raise

    def close(self) -> None:
        self._client.close()
        if self._patient_client is not None:
            self._patient_client.close()

    def _need_existence(self) -> None:
        if not self._is_known_to_exist:
            with contextlib.suppress(StoreDenied):  # 403 is what an existing bucket says to those without the right
                self.call("head_bucket")
            self._is_known_to_exist = True

    def _place(self, operation: str, key: str) -> Place:
        return Place(
            operation=operation,
            bucket=self.settings.bucket,
            key=key,
            endpoint=self.settings.endpoint or "",
            region=self.settings.region or "",
            now=self.now(),
        )


def stored_object(key: str, answer: Answer) -> StoredObject:
    """Return what HeadObject told of an object; retention is told to those who may see it."""
    return StoredObject(
        key=key,
        size_bytes=answer["ContentLength"],
        modified_at=answer["LastModified"],
        locked_until=answer.get("ObjectLockRetainUntilDate"),
    )
