"""What is known of one etcd database file: its status, its damage, its hashes.

Rules this module keeps:
- Values only. They are filled by `etcd_dr.boltdb` and read by everybody; nothing here opens a file.
- Two numbers that are easily mixed up have two names: `record_count` is what etcdutl 3.4 and 3.5 call total keys,
  `live_key_count` is what etcdutl 3.6 calls by the same words.
- Sizes are bytes, ids are the integers etcd uses (they are shown in hexadecimal elsewhere).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NEVER_COMPACTED = -1


@dataclass(frozen=True, slots=True)
class HashKv:
    """One answer of etcd's HashKV: comparable only with an answer at the same two revisions.

    `compact_revision` is -1 where the keyspace was never compacted. The hash is CRC-32C over the key-value records
    (mvcc/hash.go, kvstore.go in etcd).
    """

    hash: int
    revision: int
    compact_revision: int

    def is_comparable_with(self, other: HashKv) -> bool:
        """Say whether equal data must give equal hashes here."""
        return (self.revision, self.compact_revision) == (other.revision, other.compact_revision)


class DamageSeverity(StrEnum):
    """How much a finding counts: only an error makes a database not intact."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Damage:
    """One finding of the examination.

    `code` is a stable slug for programs (`page.self_id`, `key.order`), `where` says the place in words (page, byte
    offset, bucket, record), `detail` what was found against what was expected. Names and bytes from the file are
    shown escaped, never raw.
    """

    code: str
    where: str
    detail: str
    severity: DamageSeverity = DamageSeverity.ERROR

    @property
    def is_error(self) -> bool:
        """Say whether the finding makes the database not intact."""
        return self.severity is DamageSeverity.ERROR


@dataclass(frozen=True, slots=True)
class StoredMember:
    """A member as the bucket `members` has it; the live cluster may have moved on."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm that is raised in the file; it survives a restore, with the old member's id.

    `kind` is `NOSPACE`, `CORRUPT`, or `alarm-<number>` for one this version does not know.
    """

    member_id: int
    kind: str


@dataclass(frozen=True, slots=True)
class Trailer:
    """The SHA-256 that etcd appends to a snapshot stream (maintenance.go, Snapshot).

    `digest` is in hexadecimal, None without a trailer. `matches` is None when it was not computed.
    """

    present: bool
    digest: str | None = None
    matches: bool | None = None


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """The numbers of a database whose every record could be read.

    The first four are what `etcdutl snapshot status` prints, bit for bit (`record_count` for 3.4 and 3.5,
    `live_key_count` for 3.6 and later).
    """

    status_hash: int
    """CRC-32C over bucket names, keys and values of all buckets in order."""
    revision: int
    """Main revision of the last record of the bucket `key`; 0 in a database without one."""
    total_size_bytes: int
    """High-water page times page size: etcdutl's total size, which may differ from the file's."""
    record_count: int
    """Records of all buckets, members, leases and old revisions of keys included."""
    live_key_count: int | None
    """Keys that a Range over everything would return; None when it was not asked for."""
    key_record_count: int
    """Records of the bucket `key`: every stored revision of every key, deletions included."""
    compact_revision: int
    """The compact revision HashKV works with: the larger of scheduled and finished; -1 when never compacted."""
    scheduled_compact_revision: int | None
    finished_compact_revision: int | None
    hash_kv: HashKv | None
    """HashKV at the file's own (current revision, compact revision); None when it was not asked for, or cannot
    be stated (`etcd_dr.boltdb.hash_kv` says why)."""
    members: tuple[StoredMember, ...]
    removed_member_ids: tuple[int, ...]
    alarms: tuple[StoredAlarm, ...]
    auth_enabled: bool
    cluster_version: str | None
    storage_version: str | None
    """Written by etcd 3.6 and later; None means 3.5 or older."""
    consistent_index: int | None
    """Raft index applied last."""
    term: int | None
    """Raft term of that entry; etcd 3.5 and later write it."""
    lease_count: int
    page_size: int
    txid: int
    in_use_bytes: int
    """Pages that are reachable, metas and freelist included, times page size."""
    free_page_count: int
    """Pages below the high-water mark that nothing refers to."""
    freelist_synced: bool
    """False where the file has no freelist page; etcd writes none (NoFreelistSync)."""
    hash_before_bump: int | None = None
    """What a bump of the revision adds one record to (`boltdb.bumped`); None when it was not asked for."""

    @property
    def current_revision(self) -> int:
        """The revision etcd has after loading this file.

        It exceeds `revision` where a compaction removed the last record (a deletion, etcd before 3.5.16), and is 1
        for an empty keyspace (kvstore.go, restore).
        """
        return max(self.revision, self.compact_revision, 1)


@dataclass(frozen=True, slots=True)
class Examination:
    """The outcome of reading a whole database file.

    `status` is None when a part of the database could not be read, so that no number would be true. Findings come
    in the order they were met, at most `etcd_dr.boltdb.MAX_FINDINGS` of them; `suppressed_finding_count` says how
    many more there were.
    """

    status: DatabaseStatus | None
    findings: tuple[Damage, ...]
    trailer: Trailer
    file_size_bytes: int
    suppressed_finding_count: int = 0

    @property
    def is_intact(self) -> bool:
        """Say whether every page and record was read and nothing is wrong with them; warnings do not count."""
        return self.status is not None and not self.errors

    @property
    def errors(self) -> tuple[Damage, ...]:
        """The findings that make the database not intact."""
        return tuple(finding for finding in self.findings if finding.is_error)

    @property
    def warnings(self) -> tuple[Damage, ...]:
        """The findings that a person should know about although the data is whole."""
        return tuple(finding for finding in self.findings if not finding.is_error)
