"""The manifest: what is known about one snapshot, written once, last, as the commit point.

Rules:
- Canonical JSON (sorted keys, no spaces, UTF-8), so that its digest means something (`canonical_json`).
- `version` is checked before anything else is read: a manifest from a newer etcd-dr is named as such, not guessed at.
- Unknown fields of the same version are ignored, so that a field can be added without a new version.
- Ids are lowercase hex text (JSON numbers lose bits past 2^53); times are aware UTC; sizes are bytes.
- No key material, ever: stages carry recipients (public) and parameters only.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from etcd_dr.domain.digest import DigestText
from etcd_dr.domain.mistakes import mistakes
from etcd_dr.domain.snapshot import SnapshotId
from etcd_dr.errors import ManifestInvalid, ManifestVersionUnknown

MANIFEST_VERSION = 1
MAX_MANIFEST_BYTES = 1 << 20  # a manifest has a few KB; a larger object is not one, and is not read


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredHashKv(_Record):
    """HashKV at the file's own revision and compact revision (-1: never compacted)."""

    hash: int
    revision: int
    compact_revision: int


class DatabaseFacts(_Record):
    """What the reader found in the plain database. `revision` is read from the file, never asked separately."""

    revision: int
    compact_revision: int
    status_hash: int
    hash_kv: StoredHashKv | None
    live_keys: int
    all_records: int
    size_bytes: int = Field(description="the plain snapshot, trailer included")
    total_size_bytes: int = Field(description="high-water page times page size, as etcdutl says it")
    storage_version: str | None = None
    cluster_version: str | None = None
    auth_enabled: bool = False
    alarms: tuple[str, ...] = ()


class StageFacts(_Record):
    """One transformation, in the order in which it was applied: `zstd` {level} or `age` {recipients}."""

    name: str
    parameters: dict[str, str | int | tuple[str, ...]] = Field(default_factory=dict)


class CompanionEntry(_Record):
    """One file beside the database, without its content. `mode` is its permission bits as an integer."""

    name: str = Field(description="`<origin>/<path>`: see domain.companions")
    size_bytes: int = Field(ge=0)
    mode: int = Field(default=0o600, ge=0, le=0o777)


class MissingCompanion(_Record):
    """A file that was asked for and could not be read."""

    name: str
    reason: str


class CompanionsFacts(_Record):
    """What is known of the object `companions`. Its plain form is a tar archive."""

    plain_digest: DigestText
    plain_size_bytes: int = Field(ge=0)
    stored_digest: DigestText
    stored_size_bytes: int = Field(ge=0)
    stages: tuple[StageFacts, ...]
    files: tuple[CompanionEntry, ...]
    missing: tuple[MissingCompanion, ...] = ()

    @property
    def is_encrypted(self) -> bool:
        return any(stage.name == "age" for stage in self.stages)


class TopologyMember(_Record):
    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool = False


class SourceFacts(_Record):
    """Where the snapshot came from. Unknown for an imported file: then `kind` is `import` and ids may be None."""

    kind: Literal["etcd", "talos", "import"]
    cluster_id: str | None = None
    member_id: str | None = None
    member_name: str | None = None
    endpoint: str | None = None
    etcd_version: str | None = None
    platform: str = "etcd"
    original_name: str | None = None


class Manifest(_Record):
    """Everything about one committed snapshot that recovery and retention need without reading its data."""

    version: Literal[1] = 1
    id: str
    cluster: str
    taken_at: AwareDatetime
    finished_at: AwareDatetime
    taken_by: str
    tool_version: str
    reason: str = Field(description="scheduled, on-demand, import, …")
    duration_seconds: float
    source: SourceFacts
    topology: tuple[TopologyMember, ...]
    database: DatabaseFacts
    plain_digest: DigestText = Field(description="sha256 of the plain snapshot file, trailer included")
    trailer_digest: DigestText | None = Field(description="etcd's own sha256 of the database; None: file had none")
    stored_digest: DigestText
    stored_size_bytes: int
    stages: tuple[StageFacts, ...]
    commit: Literal["conditional", "unconditional"] = Field(
        description="whether the store guaranteed put-if-absent for this manifest"
    )
    fencing: int | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    companions: CompanionsFacts | None = Field(default=None, description="files beside the database; None: none kept")

    @property
    def snapshot_id(self) -> SnapshotId:
        return SnapshotId.parse(self.id)

    @property
    def is_encrypted(self) -> bool:
        return any(stage.name == "age" for stage in self.stages)


def canonical_json(record: BaseModel) -> bytes:
    """Return the record as canonical JSON: sorted keys, no insignificant space, UTF-8."""
    document = record.model_dump(mode="json")
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse_manifest(body: bytes, *, subject: str) -> Manifest:
    """Return the manifest in `body`; `subject` names the object for errors.

    Raises ManifestVersionUnknown for a newer format and ManifestInvalid for anything else that does not parse.
    """
    document = parse_versioned(body, subject=subject, known=MANIFEST_VERSION)
    try:
        manifest = Manifest.model_validate(document)
        _ = manifest.snapshot_id
    except (ValidationError, ValueError) as error:
        raise invalid_record(subject, error) from error
    return manifest


def parse_versioned(body: bytes, *, subject: str, known: int) -> dict[str, Any]:
    """Return the JSON object in `body` once its `version` is `known`. Raises ManifestInvalid and its subclass."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid_record(subject, error) from error
    if not isinstance(document, dict) or not isinstance(document.get("version"), int):
        raise ManifestInvalid("is not a JSON object with a version", subject=subject, next_step=_NOT_OURS)
    if document["version"] != known:
        raise ManifestVersionUnknown(
            f"has format version {document['version']}, this etcd-dr reads version {known}",
            subject=subject,
            next_step="It was written by another etcd-dr. Use a version at least as new: etcd-dr version",
        )
    return document


_NOT_OURS = "If another program writes below this prefix, give etcd-dr a prefix of its own (store.prefix)."


def invalid_record(subject: str, cause: Exception) -> ManifestInvalid:
    """Return the error for a stored record that does not parse, with the first reason and no payload."""
    reason = _first_reason(cause)
    return ManifestInvalid(f"does not parse: {reason}", subject=subject, next_step=_NOT_OURS)


def _first_reason(cause: Exception) -> str:
    if isinstance(cause, ValidationError):
        place, mistake = next(mistakes(cause))
        return f"{place or 'the record'} {mistake}"
    if isinstance(cause, json.JSONDecodeError):
        return f"it is not JSON (line {cause.lineno}, column {cause.colno})"
    return str(cause)[:200]
