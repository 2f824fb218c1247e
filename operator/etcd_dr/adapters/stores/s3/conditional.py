"""Whether this store honours If-None-Match: asked of the store itself, because some accept the header and ignore it.

The probe puts one object twice below `.etcd-dr-probe/` with `If-None-Match: *`. Exactly a 412 to the second put means
that the header is honoured (docs/adr/0002). Where the right to probe is missing, nothing is known: then the header is
sent all the same, because it can only help, and whether a key is taken is looked up beforehand as well.
"""

from __future__ import annotations

import contextlib
import threading
from enum import Enum

from etcd_dr.adapters.stores.s3.bucket import Bucket
from etcd_dr.adapters.stores.s3.object_headers import ObjectHeaders, Parameters
from etcd_dr.errors import ObjectExists, ObjectMissing, StoreDenied, StoreError, StoreMisconfigured
from etcd_dr.ports.clock import TokenSource

PROBE_FOLDER = ".etcd-dr-probe"
_STATUSES_OF_REFUSAL = {400, 405, 501}


class ConditionalWrites(Enum):
    """What was seen. The value is a sentence for people."""

    HONOURED = "a second put of one key was refused with 412, so of several writers one wins"
    IGNORED = (
        "a second put of one key was accepted although If-None-Match forbade it: whether a key is taken is looked up "
        "before writing, which a racing writer can slip through"
    )
    REFUSED = (
        "the store does not take If-None-Match: whether a key is taken is looked up before writing, which a racing "
        "writer can slip through"
    )
    UNKNOWN = (
        "these credentials may not write the probe object, so nothing is known of If-None-Match: it is sent, and "
        "whether a key is taken is also looked up before writing"
    )


class ConditionalPolicy:
    """Decides what a put-if-absent sends. Probes once, at the first need; one that failed by accident is repeated."""

    def __init__(self, bucket: Bucket, headers: ObjectHeaders, *, tokens: TokenSource) -> None:
        self._bucket, self._headers, self._tokens = bucket, headers, tokens
        self._mutex = threading.Lock()
        self._seen: ConditionalWrites | None = None

    def seen(self) -> ConditionalWrites:
        """Return what the probe showed. Raises the port's errors when the store cannot be asked at all."""
        with self._mutex:
            if self._seen is None:
                self._seen = self._probe()
            return self._seen

    def prepare(self, key: str) -> Parameters:
        """Return what a put-if-absent of `key` must send. Raises ObjectExists where a look is needed and finds it."""
        seen = self.seen()
        if seen is not ConditionalWrites.HONOURED:
            self._look(key)
        return {"IfNoneMatch": "*"} if seen in {ConditionalWrites.HONOURED, ConditionalWrites.UNKNOWN} else {}

    def _look(self, key: str) -> None:
        try:
            self._bucket.head(key, **self._headers.for_access())
        except ObjectMissing:
            return
        raise ObjectExists(
            "exists already, and nothing was replaced",
            subject=self._bucket.url(key),
            next_step="Find out who wrote it before anything else: the names that etcd-dr chooses are unique.",
        )

    def _probe(self) -> ConditionalWrites:
        folder = self._bucket.settings.probe_below.strip("/")
        key = f"{folder}/" * bool(folder) + f"{PROBE_FOLDER}/{self._tokens.token()}"
        versions: list[str | None] = []
        try:
            versions.append(self._put(key, IfNoneMatch="*"))
            versions.append(self._put(key, IfNoneMatch="*"))
        except ObjectExists:
            # Even at the first put: nobody else has this name, so it is our own put whose answer was lost.
            versions = versions or [None]
            return ConditionalWrites.HONOURED
        except StoreDenied as error:
            if error.context.get("code") != "AccessDenied":
                raise
            return ConditionalWrites.UNKNOWN
        except StoreMisconfigured as error:
            if error.context.get("status") not in _STATUSES_OF_REFUSAL:
                raise
            versions.append(self._put(key))  # if this fails as well, the header was not the reason
            return ConditionalWrites.REFUSED
        finally:
            self._remove(key, versions)
        return ConditionalWrites.IGNORED

    def _put(self, key: str, **condition: object) -> str | None:
        """Put without lock, class or tags, but encrypted: a bucket policy may insist on that."""
        body = b"etcd-dr asks whether this store honours If-None-Match\n"
        parameters = self._headers.for_probe() | self._headers.for_body(body)
        version = self._bucket.call("put_object", key=key, Body=body, **parameters, **condition).get("VersionId")
        return str(version) if version else None

    def _remove(self, key: str, versions: list[str | None]) -> None:
        """Leave nothing behind where that is allowed; default retention and missing rights are no reason to fail."""
        for version in versions:
            with contextlib.suppress(StoreError):
                self._bucket.call("delete_object", key=key, **({"VersionId": version} if version else {}))
