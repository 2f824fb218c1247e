"""Settings for stores on the test servers, with keys in files and parts of the smallest size that S3 allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from etcd_dr.adapters.stores import S3Settings, open_store
from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.settings import KeyFiles
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.ports.clock import Clock
from real.peers.s3_server import ADMIN, S3Credentials, S3Server

MIB = 1024 * 1024
PART_BYTES = 5 * MIB


def key_files(directory: Path, credentials: S3Credentials) -> KeyFiles:
    """Write one file per value, as a mounted Secret has them, and with the newline that editors leave."""
    directory.mkdir(parents=True, exist_ok=True)
    files = KeyFiles(directory / "access-key", directory / "secret-key")
    files.access_key_file.write_text(credentials.access_key)
    files.secret_key_file.write_text(credentials.secret_key + "\n")
    return files


def s3_settings(
    server: S3Server, bucket: str, directory: Path, *, identity: S3Credentials = ADMIN, **more: Any
) -> S3Settings:
    """Return settings for one identity of a server, whose key files are written into `directory`; `more` are fields."""
    fields: dict[str, Any] = {"endpoint": server.endpoint, "part_bytes": PART_BYTES, "attempts": 3}
    return S3Settings(bucket=bucket, credentials=key_files(directory, identity), **(fields | more))


def open_bucket(settings: S3Settings, *, clock: Clock | None = None) -> S3ObjectStore:
    """Open a store with the machine's clock, or another one; the caller closes it."""
    store = open_store(settings, clock=clock or SystemClock(), tokens=SystemTokens())
    assert isinstance(store, S3ObjectStore)
    return store
