"""What a snapshot is called, and where its parts lie in a store (docs/stored-format.md).

    <prefix>/v1/<cluster>/cluster.json
    <prefix>/v1/<cluster>/snapshots/<snapshot id>/data
                                                 /manifest.json
                                                 /proofs/<level>-<time>-<token>.json
                                                 /pin.json
                                                 /companions          what recovery needs beside the database
    <prefix>/v1/<cluster>/recoveries/<recovery id>/plan.json          docs/recovery.md
                                                  /journal/<number>.json
                          recoveries/lock.json
    <prefix>/v1/<cluster>/claims/<slot>/<number>.json                 docs/high-availability.md
                                       /decision.json

A snapshot id is `<taken_at>-<token>`: `20260820T030000Z-9f2c41d07b6a`. The revision is *not* part of it: the only
trustworthy revision is the one inside the file, which is known when the last byte has arrived, while the upload needs
its key with the first one (docs/adr/0003). Names that come back from a bucket are hostile input: `parse` accepts
exactly what `create` makes, so no stored name can climb out of its prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

FORMAT_VERSION = "v1"
MANIFEST_NAME = "manifest.json"
DATA_NAME = "data"
PIN_NAME = "pin.json"
COMPANIONS_NAME = "companions"

_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"(?P<time>\d{8}T\d{6}Z)-(?P<token>[0-9a-f]{12})", re.ASCII)
_CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


def time_text(moment: datetime) -> str:
    """Return an aware moment as UTC without colons: `20260820T030000Z`."""
    return moment.astimezone(UTC).strftime(_TIME_FORMAT)


def parse_time_text(text: str) -> datetime:
    """Return the aware UTC moment of `time_text`. Raises ValueError."""
    return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)


def is_cluster_name(text: str) -> bool:
    """Tell whether `text` may name a cluster: 1-63 of a-z 0-9 . _ -, beginning and ending with a letter or digit."""
    return bool(_CLUSTER_NAME.fullmatch(text)) and ".." not in text


@dataclass(frozen=True, slots=True, order=True)
class SnapshotId:
    """The name of one snapshot; sorts by time. `token` is 48 random bits as hex."""

    taken_at: datetime
    token: str

    def __str__(self) -> str:
        return f"{time_text(self.taken_at)}-{self.token}"

    @classmethod
    def create(cls, taken_at: datetime, token: str) -> SnapshotId:
        """Return an id for a snapshot begun at `taken_at` (aware; seconds are kept). Raises ValueError."""
        return cls.parse(f"{time_text(taken_at)}-{token}")

    @classmethod
    def parse(cls, text: str) -> SnapshotId:
        """Return the id that `text` spells. Raises ValueError for anything that `create` would not make."""
        match = _ID.fullmatch(text)
        if match is None:
            raise ValueError(f"not a snapshot id: {text[:80]!r}")
        return cls(taken_at=parse_time_text(match["time"]), token=match["token"])


@dataclass(frozen=True, slots=True)
class ClusterLayout:
    """The keys of one cluster's objects below a store's root. `prefix` has no leading or trailing slash."""

    prefix: str
    cluster: str

    @property
    def root(self) -> str:
        """The folder of the cluster, with a trailing slash."""
        parts = [p for p in (self.prefix, FORMAT_VERSION, self.cluster) if p]
        return "/".join(parts) + "/"

    @property
    def marker(self) -> str:
        """The ownership marker that keeps two clusters from sharing a prefix."""
        return f"{self.root}cluster.json"

    @property
    def snapshots(self) -> str:
        return f"{self.root}snapshots/"

    def folder(self, snapshot_id: SnapshotId) -> str:
        return f"{self.snapshots}{snapshot_id}/"

    def data(self, snapshot_id: SnapshotId) -> str:
        return self.folder(snapshot_id) + DATA_NAME

    def manifest(self, snapshot_id: SnapshotId) -> str:
        return self.folder(snapshot_id) + MANIFEST_NAME

    def proofs(self, snapshot_id: SnapshotId) -> str:
        return f"{self.folder(snapshot_id)}proofs/"

    def pin(self, snapshot_id: SnapshotId) -> str:
        return self.folder(snapshot_id) + PIN_NAME

    def companions(self, snapshot_id: SnapshotId) -> str:
        return self.folder(snapshot_id) + COMPANIONS_NAME

    @property
    def claims(self) -> str:
        """Where replicas say which slots of the schedule they work on, and which snapshot is a slot's."""
        return f"{self.root}claims/"

    def claims_of(self, slot: datetime) -> str:
        return f"{self.claims}{time_text(slot)}/"

    def decision(self, slot: datetime) -> str:
        return f"{self.claims_of(slot)}decision.json"

    @property
    def recoveries(self) -> str:
        return f"{self.root}recoveries/"
