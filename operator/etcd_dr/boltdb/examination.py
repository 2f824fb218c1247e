"""Examine a whole file: every page, every record, every number.

The order of the work:
1. meta, freelist, root bucket, and the walk to the leaves of the bucket `key`;
2. the chunks of that bucket, shared with the helpers; meanwhile the other buckets are read here;
3. what can only be said at the end: pages accounted for, order of the checksums, live keys, HashKV.

Rules this module keeps:
- A number is stated only when every record it depends on was read; otherwise there is no status at all.
- Live keys and HashKV are stated only when nothing in any bucket is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from etcd_dr.boltdb.buckets import Bucket, check_nested, entries, leaves_of
from etcd_dr.boltdb.checksums import crc32c, joined
from etcd_dr.boltdb.contents import Contents
from etcd_dr.boltdb.crew import Crew
from etcd_dr.boltdb.database import KEY_BUCKET, Database, open_database
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.freelist import check_freelist
from etcd_dr.boltdb.hashing import Inconclusive, compute_hash_kv
from etcd_dr.boltdb.keys import ByteKeys
from etcd_dr.boltdb.source import OpenedSource
from etcd_dr.boltdb.team import Team
from etcd_dr.boltdb.work import CountLive
from etcd_dr.domain.database import DatabaseStatus, HashKv


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be computed besides the check."""

    live_keys: bool
    hash_kv: bool
    before_bump: bool = False


@dataclass(slots=True)
class _Sum:
    """CRC-32C, size and number of the records of one bucket."""

    checksum: int = 0
    byte_count: int = 0
    record_count: int = 0

    def add(self, raw: bytes | memoryview) -> None:
        self.checksum = crc32c(raw, self.checksum)
        self.byte_count += len(raw)

    def append(self, checksum: int, byte_count: int, record_count: int) -> None:
        self.checksum = joined(self.checksum, checksum, byte_count)
        self.byte_count += byte_count
        self.record_count += record_count


@dataclass(slots=True)
class _Reading:
    """What the work has come to so far."""

    contents: Contents
    sums: dict[bytes, _Sum] = field(default_factory=dict)
    revision: int = 0
    live_key_count: int | None = None
    hash_kv: HashKv | None = None
    hash_before_bump: int | None = None


def examination(
    source: OpenedSource, crew: Crew, *, wanted: Wanted, findings: Findings, stop: Callable[[], object] | None = None
) -> DatabaseStatus | None:
    """Check everything and return the numbers, None when some of the records could not be read.

    `stop` is called between pieces of work; what it raises passes through.
    """
    database = open_database(source, findings)
    if database is None:
        return None
    reading = _Reading(Contents(findings))
    key_bucket = database.bucket(KEY_BUCKET)
    if key_bucket is None:
        crew.dismiss()
        if not findings.is_incomplete:
            findings.error("bucket.missing", "root bucket", "no bucket `key`: not a database of etcd")
        _read_small_buckets(database, reading)
    else:
        _read_all_buckets(database, Team(database.pages, key_bucket, crew, stop=stop), reading, wanted)
        crew.dismiss()
    if database.free is not None:
        check_freelist(database.pages, database.free)
    return None if findings.is_incomplete else _status(database, reading)


def _read_all_buckets(database: Database, team: Team, reading: _Reading, wanted: Wanted) -> None:
    findings = database.pages.findings
    total = reading.sums[KEY_BUCKET] = _Sum()
    results = team.check(
        values=True,
        hashes=wanted.live_keys or wanted.hash_kv or wanted.before_bump,
        findings=findings,
        meanwhile=partial(_read_small_buckets, database, reading),
    )
    for result in results:
        total.append(result.checksum, result.byte_count, result.record_count)
    reading.revision = max((result.last_revision for result in results), default=0)
    if findings.error_count:
        return
    if wanted.hash_kv:
        _compute_hash_kv(team, reading, findings)
    if wanted.before_bump:
        _compute_before_bump(team, reading)
    if not wanted.live_keys:
        reading.live_key_count = None
    elif reading.live_key_count is None:
        reading.live_key_count = sum(result.live_count for result in team.perform(CountLive()))


def _compute_hash_kv(team: Team, reading: _Reading, findings: Findings) -> None:
    contents = reading.contents
    try:
        computed = compute_hash_kv(
            team,
            revision=_current_revision(reading),
            compact_revision=contents.compact_revision,
            finished_compaction=contents.finished_compact_revision,
        )
    except Inconclusive as reason:
        findings.warning("hashkv.inconclusive", "bucket key", str(reason))
        return
    reading.hash_kv, reading.live_key_count = computed.hash_kv, computed.live_key_count


def _compute_before_bump(team: Team, reading: _Reading) -> None:
    """Marks of the pass before stay: a record that was dropped there, at the same revision, is dropped here too."""
    at = _current_revision(reading)
    finished = reading.contents.finished_compact_revision
    computed = compute_hash_kv(team, revision=at, compact_revision=at, finished_compaction=finished, before_bump=True)
    reading.hash_before_bump = computed.hash_kv.hash


def _current_revision(reading: _Reading) -> int:
    return max(reading.revision, reading.contents.compact_revision, 1)


def _read_small_buckets(database: Database, reading: _Reading) -> None:
    for bucket in database.buckets:
        if bucket.name != KEY_BUCKET:
            reading.sums[bucket.name] = _read_small_bucket(database, bucket, reading.contents)


def _read_small_bucket(database: Database, bucket: Bucket, contents: Contents) -> _Sum:
    total = _Sum()
    pages = database.pages
    for entry in entries(pages, leaves_of(pages, bucket, order=ByteKeys), where=bucket.where):
        total.add(entry.key)
        total.add(entry.value)
        total.record_count += 1
        if entry.bucket is not None:
            check_nested(pages, entry.bucket)
        else:
            contents.take(bucket.name, entry.key, entry.value)
    return total


def _status(database: Database, reading: _Reading) -> DatabaseStatus:
    contents, meta, pages = reading.contents, database.meta, database.pages
    total = _Sum()
    for bucket in database.buckets:
        part = reading.sums[bucket.name]
        total.add(bucket.name)
        total.append(part.checksum, part.byte_count, part.record_count)
    in_use = int(np.count_nonzero(pages.claimed))
    return DatabaseStatus(
        status_hash=total.checksum,
        revision=reading.revision,
        total_size_bytes=meta.high_water * meta.page_size,
        record_count=total.record_count,
        live_key_count=reading.live_key_count,
        key_record_count=reading.sums[KEY_BUCKET].record_count if KEY_BUCKET in reading.sums else 0,
        compact_revision=contents.compact_revision,
        scheduled_compact_revision=contents.scheduled_compact_revision,
        finished_compact_revision=contents.finished_compact_revision,
        hash_kv=reading.hash_kv,
        members=tuple(contents.members),
        removed_member_ids=tuple(contents.removed_member_ids),
        alarms=tuple(contents.alarms),
        auth_enabled=contents.auth_enabled,
        cluster_version=contents.cluster_version,
        storage_version=contents.storage_version,
        consistent_index=contents.consistent_index,
        term=contents.term,
        lease_count=contents.lease_count,
        page_size=meta.page_size,
        txid=meta.txid,
        in_use_bytes=in_use * meta.page_size,
        free_page_count=meta.high_water - in_use,
        freelist_synced=meta.freelist_synced,
        hash_before_bump=reading.hash_before_bump,
    )
