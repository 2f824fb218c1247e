"""Where snapshots are kept: a directory, or a bucket of any store that speaks S3.

- `settings` are the values that say which store and how; `open_store` makes the store of that kind.
- `keys` is the one rule for names, the same in every store.
- `directory` and `s3` know nothing of each other. boto3 is imported when a bucket is opened, not before.
"""

from __future__ import annotations

from etcd_dr.adapters.stores.directory import DirectoryObjectStore
from etcd_dr.adapters.stores.settings import DirectorySettings, S3Settings, StoreSettings
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.object_store import ObjectStore

__all__ = ["DirectorySettings", "S3Settings", "StoreSettings", "open_store"]


def open_store(settings: StoreSettings, *, clock: Clock, tokens: TokenSource) -> ObjectStore:
    """Return the store that `settings` describe, without speaking to it. Raises ConfigError for files that cannot be
    used (CA bundle, credentials, SSE-C key). The caller closes it."""
    if isinstance(settings, S3Settings):
        from etcd_dr.adapters.stores.s3 import S3ObjectStore  # noqa: PLC0415 - boto3 costs a quarter of a second

        return S3ObjectStore(settings, clock=clock, tokens=tokens)
    return DirectoryObjectStore(settings, clock=clock, tokens=tokens)
