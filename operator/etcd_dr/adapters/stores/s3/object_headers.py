"""What every object carries (encryption, lock, class, tags), and what every access to one must say again (SSE-C)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import crc32c

from etcd_dr.adapters.stores.settings import S3Settings, SseCustomer, SseKms, SseS3
from etcd_dr.errors import ConfigError

Parameters = dict[str, object]
WRITE_MARK = "etcd-dr-write"
"""Metadata with a random word per write: it tells our own object from another's when an answer was lost."""


class ObjectHeaders:
    """Parameters for boto3's calls; the customer's key is read once, when the store is opened."""

    def __init__(self, settings: S3Settings) -> None:
        if settings.object_lock is not None and settings.checksum == "none":
            raise ConfigError(
                "objects with Object Lock need a checksum, and checksums are switched off",
                subject=f"s3://{settings.bucket}/",
                next_step="Set checksums to crc32c, or to md5 for stores that do not know CRC32C.",
            )
        self._settings = settings
        self._customer_key = _customer_key(settings)

    def for_creation(self, *, now: datetime, mark: str) -> Parameters:
        """What a new object is made with; retention counts from `now`."""
        parameters: Parameters = {"Metadata": {WRITE_MARK: mark}, **self._encryption(), **self._lock(now)}
        if self._settings.storage_class:
            parameters["StorageClass"] = self._settings.storage_class
        if self._settings.tags:
            parameters["Tagging"] = urlencode(self._settings.tags)
        return parameters

    def for_probe(self) -> Parameters:
        """What a throw-away object needs: a policy may insist on encryption, and nothing else is asked of it."""
        return self._encryption()

    def for_access(self) -> Parameters:
        """What reading an object, or adding a part to it, must say."""
        return dict(self._customer_key)

    def for_body(self, body: bytes | bytearray) -> Parameters:
        """The checksum that the store compares with what arrived."""
        match self._settings.checksum:
            case "crc32c":
                return {"ChecksumCRC32C": base64.b64encode(crc32c.crc32c(body).to_bytes(4, "big")).decode()}
            case "md5":
                digest = hashlib.md5(body, usedforsecurity=False).digest()
                return {"ContentMD5": base64.b64encode(digest).decode()}
            case "none":
                return {}

    def _encryption(self) -> Parameters:
        match self._settings.encryption:
            case SseS3():
                return {"ServerSideEncryption": "AES256"}
            case SseKms(key_id=None):
                return {"ServerSideEncryption": "aws:kms"}
            case SseKms(key_id=key_id):
                return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
            case _:
                return dict(self._customer_key)

    def _lock(self, now: datetime) -> Parameters:
        lock = self._settings.object_lock
        if lock is None:
            return {}
        parameters: Parameters = {"ObjectLockLegalHoldStatus": "ON"} if lock.legal_hold else {}
        if lock.mode:
            parameters["ObjectLockMode"] = lock.mode
            parameters["ObjectLockRetainUntilDate"] = now + timedelta(days=lock.retain_days)
        return parameters


def _customer_key(settings: S3Settings) -> Parameters:
    if not isinstance(settings.encryption, SseCustomer):
        return {}
    key = _read_key(settings.encryption.key_file)
    # botocore adds the MD5 of the key and encodes both (handlers.py, sse_md5).
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


def _read_key(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the SSE-C key cannot be read ({error.strerror})",
            subject=str(path),
            next_step=f"Check that the Secret is mounted and readable: ls -lL {path}",
        ) from error
    if len(raw) == 32:
        return raw
    try:
        key = base64.b64decode(raw.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ConfigError(
            "does not hold 32 bytes, raw or as base64",
            subject=str(path),
            next_step=f"Make a new key, and keep a copy outside the cluster: openssl rand -base64 32 > {path}",
        )
    return key
