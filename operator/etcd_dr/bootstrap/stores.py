"""The store that the configuration describes."""

from __future__ import annotations

from etcd_dr.adapters import stores as adapters
from etcd_dr.adapters.stores.settings import (
    ChainCredentials,
    Credentials,
    CredentialsFile,
    DirectorySettings,
    Encryption,
    KeyFiles,
    ObjectLock,
    S3Settings,
    SseCustomer,
    SseKms,
    SseS3,
    StoreSettings,
)
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.store_model import S3Section, StoreSection
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.ports.object_store import ObjectStore


def open_store(section: StoreSection, surroundings: Surroundings) -> ObjectStore:
    """Return the store; no call is made yet. The caller closes it."""
    return adapters.open_store(store_settings(section), clock=surroundings.clock, tokens=surroundings.tokens)


def store_settings(section: StoreSection) -> StoreSettings:
    """Return the adapter's settings for a store of either kind."""
    if section.directory is not None:
        return DirectorySettings(root=section.directory.path)
    if section.s3 is not None:
        return s3_settings(section.s3, prefix=section.prefix)
    raise AssertionError("the model allows exactly one of the two")


def layout_of(section: StoreSection, cluster: str) -> ClusterLayout:
    """Return where this cluster's objects lie in the store."""
    return ClusterLayout(prefix=section.prefix, cluster=cluster)


def s3_settings(section: S3Section, *, prefix: str) -> S3Settings:
    """Return the adapter's settings for one bucket."""
    return S3Settings(
        bucket=section.bucket,
        endpoint=section.endpoint,
        region=section.region,
        path_style=section.path_style,
        ca_bundle=section.ca_file,
        credentials=_credentials(section),
        encryption=_encryption(section),
        object_lock=_object_lock(section),
        storage_class=section.storage_class,
        tags=tuple(sorted(section.tags.items())),
        checksum=section.checksums,
        part_bytes=section.part_size_bytes,
        upload_threads=section.upload_threads,
        connect_timeout_seconds=section.connect_timeout.total_seconds(),
        read_timeout_seconds=section.read_timeout.total_seconds(),
        call_timeout_seconds=section.call_timeout.total_seconds(),
        attempts=section.attempts,
        probe_below=prefix,
    )


def _credentials(section: S3Section) -> Credentials:
    if section.access_key_file is not None and section.secret_key_file is not None:
        return KeyFiles(section.access_key_file, section.secret_key_file, section.session_token_file)
    if section.credentials_file is not None:
        return CredentialsFile(section.credentials_file, section.profile or "default")
    return ChainCredentials(section.profile)


def _encryption(section: S3Section) -> Encryption | None:
    if section.sse == "AES256":
        return SseS3()
    if section.sse == "aws:kms":
        return SseKms(section.sse_kms_key_id)
    return SseCustomer(section.sse_customer_key_file) if section.sse_customer_key_file is not None else None


def _object_lock(section: S3Section) -> ObjectLock | None:
    if section.object_lock_for is not None:
        return ObjectLock(section.object_lock_mode, section.object_lock_for.days, section.object_lock_legal_hold)
    return ObjectLock(legal_hold=True) if section.object_lock_legal_hold else None
