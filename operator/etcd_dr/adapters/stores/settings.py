"""What a store must be told, as plain values: the configuration model is mapped to these by the composition root.

No secret is ever a field here: keys and credentials are named by the file that holds them, so that a settings value
may be printed, compared and logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MIB = 1024 * 1024
SMALLEST_PART_BYTES = 5 * MIB
"""S3 refuses smaller parts, but for the last one (EntityTooSmall)."""


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """`root` exists already: a mount that is missing must never be mistaken for an empty store."""

    root: Path


@dataclass(frozen=True, slots=True)
class ChainCredentials:
    """boto3's usual chain: environment, shared files, SSO, web identity (IRSA), container and instance roles."""

    profile: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialsFile:
    """One file, in the format of `~/.aws/credentials` or as KEY=value lines; read again whenever it changes."""

    path: Path
    profile: str = "default"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """One file per value, as a Kubernetes Secret is mounted; read again whenever one changes."""

    access_key_file: Path
    secret_key_file: Path
    session_token_file: Path | None = None


Credentials = ChainCredentials | CredentialsFile | KeyFiles


@dataclass(frozen=True, slots=True)
class SseS3:
    """Encryption at rest with keys that the store holds (`AES256`)."""


@dataclass(frozen=True, slots=True)
class SseKms:
    """Encryption at rest with a key of the store's key service; without `key_id`, the bucket's own."""

    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class SseCustomer:
    """Encryption at rest with our key (SSE-C): 32 bytes, raw or base64. Without the file nothing can be read back."""

    key_file: Path


Encryption = SseS3 | SseKms | SseCustomer


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """Retention put on every object at the moment it is written. `mode` and `retain_days` go together."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None = None
    retain_days: int = 0
    legal_hold: bool = False


@dataclass(frozen=True, slots=True)
class S3Settings:
    """One bucket. `endpoint` is None for AWS itself; `path_style` None means: exactly when there is an endpoint.

    - `part_bytes` and `upload_threads` bound the memory of an upload: (threads + 1) parts.
    - `attempts` counts the first try. `connect_timeout_seconds` is for one try, `read_timeout_seconds` the longest
      silence while an object's bytes travel.
    - `call_timeout_seconds` is for everything else (listing, small objects, deleting), all tries together: a store
      that takes connections and never answers must not hold a person up.
    - `checksum` is sent with every object and part and checked by the store; `md5` and `none` are for stores that
      do not know CRC32C.
    - `probe_below` is the folder for the probe object; it matters where a policy allows one prefix only.
    """

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None
    ca_bundle: Path | None = None
    credentials: Credentials = field(default_factory=ChainCredentials)
    encryption: Encryption | None = None
    object_lock: ObjectLock | None = None
    storage_class: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    checksum: Literal["crc32c", "md5", "none"] = "crc32c"
    part_bytes: int = 8 * MIB
    upload_threads: int = 3
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0
    call_timeout_seconds: float = 30.0
    attempts: int = 5
    probe_below: str = ""

    @property
    def uses_path_style(self) -> bool:
        return self.endpoint is not None if self.path_style is None else self.path_style


StoreSettings = DirectorySettings | S3Settings
