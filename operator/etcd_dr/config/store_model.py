"""Where snapshots are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from etcd_dr.config.duration import Duration, PositiveDuration
from etcd_dr.config.fields import FilePath, Prefix, Section

_MIB = 1 << 20


class S3Section(Section):
    """An S3-compatible bucket. Without any of the credential fields boto3's usual chain is asked: environment, shared
    files, web identity, instance role."""

    bucket: str = Field(min_length=3, max_length=255)
    """Name of the bucket; it must exist."""
    region: str | None = None
    """Unset: what the AWS environment says."""
    endpoint: str | None = None
    """URL of the server; unset: AWS."""
    path_style: bool | None = None
    """Put the bucket into the path instead of the host; unset: on for an explicit endpoint."""
    ca_file: FilePath | None = None
    """CA bundle for the endpoint's certificate."""
    profile: str | None = None
    """Profile of the shared AWS files, or of `credentials_file`."""
    credentials_file: FilePath | None = None
    """File in the AWS shared-credentials format, or with KEY=value lines; read again when it changes."""
    access_key_file: FilePath | None = None
    """File with the access key id alone, as a mounted Secret has it; read again when it changes."""
    secret_key_file: FilePath | None = None
    """File with the secret key alone."""
    session_token_file: FilePath | None = None
    """File with the session token alone, for temporary credentials."""
    storage_class: str | None = None
    """Such as STANDARD_IA; unset: the bucket's own."""
    sse: Literal["AES256", "aws:kms", "customer"] | None = None
    """Encryption at rest by the store, beside our own."""
    sse_kms_key_id: str | None = None
    """Key for `aws:kms`; unset: the bucket's own."""
    sse_customer_key_file: FilePath | None = None
    """File with the 32 raw bytes, or their base64, for `customer`. Without it nothing can be read back."""
    object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] | None = None
    """Lock every object that is written, so that nobody can delete it before its time."""
    object_lock_for: Duration | None = None
    """How long; whole days."""
    object_lock_legal_hold: bool = False
    """Put a legal hold on every object: it stays until somebody lifts it."""
    tags: dict[str, str] = Field(default_factory=dict, max_length=10)
    """Object tags, for lifecycle and cost rules of the bucket."""
    checksums: Literal["crc32c", "md5", "none"] = "crc32c"
    """Checksum sent with every object and part; the others are for servers that do not know CRC32C."""
    part_size_bytes: int = Field(default=8 * _MIB, ge=5 * _MIB, le=1 << 30)
    """Size of an upload's parts; a bucket takes 10 000 of them, so this also bounds the size of an object."""
    upload_threads: int = Field(default=3, ge=1, le=16)
    """Parts under way at once; an upload holds one more than this in memory."""
    connect_timeout: PositiveDuration = timedelta(seconds=5)
    """Longest wait for a connection."""
    read_timeout: PositiveDuration = timedelta(seconds=30)
    """Longest silence of the server while the bytes of a snapshot travel."""
    call_timeout: PositiveDuration = timedelta(seconds=30)
    """Longest time of any other request (listing, small objects, deleting), all its tries together."""
    attempts: int = Field(default=5, ge=1, le=20)
    """Tries of one request, the first one included."""

    @field_validator("endpoint")
    @classmethod
    def _url(cls, text: str | None) -> str | None:
        if text is not None and (not text.startswith(("http://", "https://")) or "@" in text):
            raise ValueError("write it as https://host or https://host:port")
        return text

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.object_lock_mode is None) != (self.object_lock_for is None):
            raise ValueError("object_lock_mode and object_lock_for go together")
        if self.object_lock_for is not None and (not self.object_lock_for or self.object_lock_for % timedelta(days=1)):
            raise ValueError("object_lock_for counts in whole days, such as 30d")
        if (self.access_key_file is None) != (self.secret_key_file is None):
            raise ValueError("access_key_file and secret_key_file go together")
        if self.session_token_file is not None and self.access_key_file is None:
            raise ValueError("session_token_file needs access_key_file and secret_key_file")
        if self.credentials_file is not None and self.access_key_file is not None:
            raise ValueError("give credentials_file or access_key_file and secret_key_file, not both")
        if (self.sse == "customer") != (self.sse_customer_key_file is not None):
            raise ValueError("sse: customer and sse_customer_key_file go together")
        if self.sse_kms_key_id is not None and self.sse != "aws:kms":
            raise ValueError("sse_kms_key_id needs sse: aws:kms")
        return self


class DirectorySection(Section):
    """A directory, for one machine or a mounted share. It must exist: a mount that is missing is no empty store."""

    path: FilePath
    """The directory itself; owner-only permissions are enough."""


class StoreSection(Section):
    """Where snapshots are kept: exactly one of `s3` and `directory`."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """What clusters call it."""
    prefix: Prefix = ""
    """Everything of etcd-dr lies below this prefix."""
    s3: S3Section | None = None
    directory: DirectorySection | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.s3 is None) == (self.directory is None):
            raise ValueError("give exactly one of s3 and directory")
        return self
