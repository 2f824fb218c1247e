"""The shape of `etcd-dr.yaml`. Field descriptions are the reference (docs/configuration.md is made from them)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from etcd_dr.config.duration import Duration
from etcd_dr.domain.snapshot import is_cluster_name


def _cluster_name(text: str) -> str:
    if not is_cluster_name(text):
        raise ValueError("use 1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit")
    return text


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{text!r} is not a time zone name such as UTC or Europe/Berlin") from error
    return text


def _prefix(text: str) -> str:
    parts = text.strip("/").split("/")
    if text.strip("/") and any(part in ("", ".", "..") for part in parts):
        raise ValueError("must not hold empty, '.' or '..' parts")
    return text.strip("/")


ClusterName = Annotated[str, AfterValidator(_cluster_name)]
TimeZoneName = Annotated[str, AfterValidator(_time_zone)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EtcdSection(_Section):
    """How to reach the members of one cluster; names are etcdctl's."""

    endpoints: tuple[str, ...] = Field(min_length=1)
    """Client URLs of every member, such as https://10.0.0.1:2379."""
    cacert: Path | None = None
    """CA bundle that signed the members' serving certificates."""
    cert: Path | None = None
    """Client certificate; re-read for every connection, so it may rotate."""
    key: Path | None = None
    """Key of the client certificate."""
    server_name: str | None = None
    """Name to expect in the members' certificates where it differs from the endpoint's host."""
    username: str | None = None
    """etcd user, where authentication is on (a snapshot needs root)."""
    password_file: Path | None = None
    """File with the password of that user."""
    request_timeout: Duration = timedelta(seconds=5)
    """Deadline of a single small call."""

    @field_validator("endpoints", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together: give both or neither")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file is given without username")
        for endpoint in self.endpoints:
            _check_endpoint(endpoint)
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("an endpoint is listed twice")
        return self


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"endpoint {endpoint!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
        raise ValueError(f"endpoint {endpoint!r}: write it as https://host:port")


class ScheduleSection(_Section):
    """When snapshots are taken by the operator."""

    cron: str
    """Five cron fields, or @hourly, @daily, @weekly, @monthly; as Debian's cron reads them."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which the fields are read."""
    jitter: Duration = timedelta(0)
    """Each run starts up to this much later, so that many clusters do not start together."""

    @field_validator("cron")
    @classmethod
    def _valid(cls, text: str) -> str:
        return check_cron(text)


CRON_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def check_cron(text: str) -> str:
    """Return the five cron fields that `text` means. Raises ValueError for what never runs or does not parse."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only when a schedule is configured

    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only when a schedule is configured

    fields = CRON_ALIASES.get(text.strip(), text.strip())
    if len(fields.split()) != 5:
        raise ValueError(f"{text!r} must have five fields (minute hour day-of-month month day-of-week) or an alias")
    try:
        next(CronSim(fields, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron expression: {error}") from error
    except StopIteration as error:
        raise ValueError(f"{text!r} never runs") from error
    return fields


class SnapshotSection(_Section):
    """How a snapshot is taken and proven."""

    stall_timeout: Duration = timedelta(seconds=30)
    """Longest silence within the stream before it is given up."""
    total_timeout: Duration | None = None
    """Longest time for the whole stream; unset: 5 minutes and 5 minutes more for each GB of the database."""
    endpoint: str | None = None
    """Take it from this endpoint instead of the best member."""
    attempts: int = Field(default=3, ge=1, le=10)
    """How many members are tried in one run."""
    hash_live_members: bool = True
    """Ask members for HashKV for the `consistent` proof; it holds up a member for 1-4 s per GB."""
    hash_max_bytes: int = Field(default=4 << 30, ge=0)
    """Above this database size only one follower is asked."""


class RetentionSection(_Section):
    """What is kept. Nothing set: everything is kept."""

    keep_last: Count = 0
    keep_hourly: Count = 0
    keep_daily: Count = 0
    keep_weekly: Count = 0
    keep_monthly: Count = 0
    keep_yearly: Count = 0
    keep_within: Duration | None = None
    """Everything younger than this is kept."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which hours, days, weeks and months are counted."""


class HealthSection(_Section):
    """Health rounds of the operator and of `etcd-dr health`."""

    interval: Duration = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=3)
    """Deadline for each member; a round never takes much longer."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Limits of single rules by name (docs/health.md)."""


class VerifySection(_Section):
    """Re-verification of stored snapshots by the operator."""

    cron: str = "17 3 * * *"
    time_zone: TimeZoneName = "UTC"
    fraction: float = Field(default=0.1, gt=0, le=1)
    """Share of all snapshots that one run verifies, oldest proof first."""

    @field_validator("cron")
    @classmethod
    def _valid(cls, text: str) -> str:
        return check_cron(text)


class ClusterSection(_Section):
    """One protected cluster."""

    name: ClusterName
    etcd: EtcdSection
    store: str
    """Name of the store under `stores`."""
    schedule: ScheduleSection | None = None
    """Unset: snapshots on demand only."""
    snapshot: SnapshotSection = SnapshotSection()
    retention: RetentionSection = RetentionSection()
    health: HealthSection = HealthSection()
    verify: VerifySection | None = VerifySection()
    labels: dict[str, str] = Field(default_factory=dict)
    """Copied into every manifest."""


class S3Section(_Section):
    """An S3-compatible bucket."""

    bucket: str = Field(min_length=3, max_length=255)
    region: str | None = None
    endpoint: str | None = None
    """URL of the server; unset: AWS."""
    path_style: bool | None = None
    """Put the bucket into the path; unset: on for an explicit endpoint."""
    ca_file: Path | None = None
    """CA bundle for the endpoint's certificate."""
    profile: str | None = None
    """Profile of the shared AWS files."""
    credentials_file: Path | None = None
    """File in the AWS shared-credentials format; re-read when it changes."""
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    """Two files with one value each, as a mounted Secret has them; re-read when they change."""
    storage_class: str | None = None
    sse: Literal["AES256", "aws:kms", "customer"] | None = None
    sse_kms_key_id: str | None = None
    sse_customer_key_file: Path | None = None
    """File with the 32 raw bytes, or their base64, for `sse: customer`."""
    object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] | None = None
    object_lock_for: Duration | None = None
    """Retention of every object written with `object_lock_mode`."""
    checksums: Literal["crc32c", "none"] = "crc32c"
    """CRC32C with every part; `none` for servers that refuse it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.object_lock_mode is None) != (self.object_lock_for is None):
            raise ValueError("object_lock_mode and object_lock_for go together")
        if (self.access_key_file is None) != (self.secret_key_file is None):
            raise ValueError("access_key_file and secret_key_file go together")
        if (self.sse == "customer") != (self.sse_customer_key_file is not None):
            raise ValueError("sse: customer and sse_customer_key_file go together")
        if self.sse_kms_key_id is not None and self.sse != "aws:kms":
            raise ValueError("sse_kms_key_id needs sse: aws:kms")
        return self


class DirectorySection(_Section):
    """A directory, for one machine or a mounted share."""

    path: Path


class StoreSection(_Section):
    """Where snapshots are kept: exactly one of `s3` and `directory`."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    prefix: Prefix = ""
    """Everything of etcd-dr lies below this prefix."""
    s3: S3Section | None = None
    directory: DirectorySection | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.s3 is None) == (self.directory is None):
            raise ValueError("give exactly one of s3 and directory")
        return self


class EncryptionSection(_Section):
    """age recipients (public) and, only where something is opened, identities (secret, by file)."""

    enabled: bool = True
    """Encryption is on; to store snapshots readable by anyone with the bucket, this must be said: false."""
    recipients: tuple[str, ...] = ()
    recipients_files: tuple[Path, ...] = ()
    identity_files: tuple[Path, ...] = ()
    """Needed by verify, fetch, recover and drill; the operator normally has none."""


class CompressionSection(_Section):
    algorithm: Literal["zstd", "none"] = "zstd"
    level: int = Field(default=1, ge=1, le=19)
    threads: int = Field(default=0, ge=0, le=16)
    """Extra threads for compression; 0 compresses in the calling thread."""


class OperatorSection(_Section):
    """The long-running process."""

    listen: str = "127.0.0.1:9379"
    """Address for /metrics, /healthz and /readyz; in a pod: 0.0.0.0:9379."""
    shutdown_grace: Duration = timedelta(seconds=25)
    """How long a stop waits for work to end cleanly; below the pod's grace period."""
    upload_grace: Duration = timedelta(hours=24)
    """Interrupted uploads older than this are swept."""


class LogSection(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Config(_Section):
    """The whole file."""

    clusters: tuple[ClusterSection, ...] = ()
    stores: tuple[StoreSection, ...] = ()
    encryption: EncryptionSection = EncryptionSection()
    compression: CompressionSection = CompressionSection()
    scratch_dir: Path | None = None
    """Directory for scratch copies of the database; unset: the system's temporary directory."""
    scratch: bool = True
    """Keep a scratch copy while streaming, from which a snapshot is proven; false proves from the store only."""
    operator: OperatorSection = OperatorSection()
    log: LogSection = LogSection()

    @model_validator(mode="after")
    def _check(self) -> Self:
        _no_twins("cluster", [c.name for c in self.clusters])
        _no_twins("store", [s.name for s in self.stores])
        known = {s.name for s in self.stores}
        for cluster in self.clusters:
            if cluster.store not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise ValueError(f"cluster {cluster.name!r}: store {cluster.store!r} is not under stores ({listed})")
        return self


def _no_twins(kind: str, names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"{kind} name used twice: {', '.join(twins)}")
