"""The object store in a bucket: the port, put together from its parts. Rules are theirs; see the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from etcd_dr.adapters.stores.keys import checked_folder, checked_key, checked_prefix
from etcd_dr.adapters.stores.s3 import listing
from etcd_dr.adapters.stores.s3.bucket import Bucket, stored_object
from etcd_dr.adapters.stores.s3.conditional import ConditionalPolicy, ConditionalWrites
from etcd_dr.adapters.stores.s3.deleting import ObjectDeleter
from etcd_dr.adapters.stores.s3.object_headers import ObjectHeaders
from etcd_dr.adapters.stores.s3.reading import ObjectReader
from etcd_dr.adapters.stores.s3.upload import S3Upload
from etcd_dr.adapters.stores.s3.writing import ObjectWriter, OpenParts
from etcd_dr.adapters.stores.settings import S3Settings
from etcd_dr.errors import StoreError
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.object_store import StoredObject, StoreGuarantees, UnfinishedUpload


class S3ObjectStore:
    """Keys are keys of the bucket. Opening it reads the files that settings name (ConfigError) and connects to nobody;
    the store is met at the first call."""

    def __init__(self, settings: S3Settings, *, clock: Clock, tokens: TokenSource) -> None:
        self._settings = settings
        self._headers = ObjectHeaders(settings)
        self._bucket = Bucket(settings, clock=clock)
        self._conditional = ConditionalPolicy(self._bucket, self._headers, tokens=tokens)
        self._writer = ObjectWriter(self._bucket, self._headers, self._conditional, tokens=tokens)
        self._deleter = ObjectDeleter(self._bucket, self._headers)

    def url(self, key: str = "") -> str:
        return self._bucket.url(key)

    def guarantees(self) -> StoreGuarantees:
        seen, has_lock = self._conditional.seen(), self._deleter.has_object_lock()
        lock = "the bucket has Object Lock" if has_lock else "no Object Lock is to be seen on the bucket"
        return StoreGuarantees(
            put_if_absent=seen is ConditionalWrites.HONOURED, object_lock=has_lock, detail=f"{seen.value}; {lock}"
        )

    def put(self, key: str, body: bytes, *, if_absent: bool) -> StoredObject:
        return self._writer.put(self._checked(key), body, if_absent=if_absent)

    def begin_upload(self, key: str) -> S3Upload:
        return S3Upload(self._writer, self._settings, key=self._checked(key), url=self.url(key))

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        reader = ObjectReader(self._bucket, self._checked(key), is_large=False, **self._headers.for_access())
        try:
            if reader.size_bytes > limit_bytes:
                raise StoreError(
                    f"holds {reader.size_bytes} bytes where at most {limit_bytes} are expected",
                    subject=self.url(key),
                    next_step="etcd-dr did not write this; look at it with the store's own tools.",
                )
            return b"".join(reader.chunks())
        finally:
            reader.close()

    @contextmanager
    def read(self, key: str) -> Iterator[Iterator[bytes]]:
        reader = ObjectReader(self._bucket, self._checked(key), is_large=True, **self._headers.for_access())
        try:
            yield reader.chunks()
        finally:
            reader.close()

    def head(self, key: str) -> StoredObject:
        return stored_object(key, self._bucket.head(self._checked(key), **self._headers.for_access()))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return listing.objects(self._bucket, checked_prefix(prefix, store=self.url()))

    def list_folders(self, prefix: str) -> Iterator[str]:
        return listing.folders(self._bucket, checked_folder(prefix, store=self.url()))

    def delete(self, key: str) -> None:
        self._deleter.delete(self._checked(key))

    def unfinished_uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        return listing.unfinished_uploads(self._bucket, checked_prefix(prefix, store=self.url()))

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        opened = OpenParts(self._bucket, self._headers, key=self._checked(upload.key), upload_id=upload.token, mark="")
        try:
            opened.abort()
        except StoreError as error:
            if error.context.get("code") != "NoSuchUpload":
                raise

    def close(self) -> None:
        self._bucket.close()

    def _checked(self, key: str) -> str:
        return checked_key(key, store=self.url())
