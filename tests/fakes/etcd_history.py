"""A keyspace with its history, and etcd's answers about it worked out the slow and obvious way.

Rules this fake keeps:
- It is a model of mvcc, not of the reader: revisions, compactions and HashKV are written down here as etcd's sources
  have them (mvcc/kvstore.go, mvcc/key_index.go, mvcc/hash.go), one record at a time.
- `buckets` gives the content that `fakes.bolt_file` lays out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import crc32c

MEMBER_ID = 0xA56A0106E4626082


@dataclass(frozen=True, slots=True)
class Record:
    """One stored revision of one key."""

    main: int
    sub: int
    key: bytes
    is_deletion: bool
    stored: bytes

    @property
    def revision_key(self) -> bytes:
        return revision_key(self.main, self.sub) + (b"t" if self.is_deletion else b"")


@dataclass
class EtcdHistory:
    """What was written, in order. A compaction removes at once, unless it is left unfinished."""

    revision: int = 1
    scheduled: int | None = None
    finished: int | None = None
    records: list[Record] = field(default_factory=list)
    _lives: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def put(self, key: bytes, value: bytes = b"", *, lease: int = 0) -> int:
        """Write one key in a transaction of its own; return the revision."""
        return self.transact([(key, value)], lease=lease)

    def delete(self, key: bytes) -> int:
        """Delete one key, if it is there; return the revision."""
        return self.transact([(key, None)])

    def transact(self, operations: list[tuple[bytes, bytes | None]], *, lease: int = 0) -> int:
        """Write (or with None delete) several keys at one revision."""
        done = [(key, value) for key, value in operations if value is not None or key in self._lives]
        if not done:
            return self.revision
        self.revision += 1
        for sub, (key, value) in enumerate(done):
            if value is None:
                del self._lives[key]
                stored = key_value(key)
            else:
                created, version = self._lives.get(key, (self.revision, 0))
                self._lives[key] = (created, version + 1)
                stored = key_value(
                    key, create=created, mod=self.revision, version=version + 1, value=value, lease=lease
                )
            self.records.append(Record(self.revision, sub, key, value is None, stored))
        return self.revision

    def compact(self, revision: int, *, keeps_deletions: bool = True, removes: int | None = None) -> None:
        """Compact as etcd does; `removes` stops after so many records, as a crash or a snapshot in between would.

        `keeps_deletions` is 3.5.16 and later: a deletion at the compact revision itself stays.
        """
        self.scheduled = revision
        last = self._last_up_to(revision)
        doomed = [
            record
            for record in self.records
            if record.main <= revision
            and (
                last[record.key] is not record
                or (record.is_deletion and not (keeps_deletions and record.main == revision))
            )
        ]
        for record in doomed if removes is None else doomed[:removes]:
            self.records.remove(record)
        if removes is None:
            self.finished = revision

    def live_keys(self) -> set[bytes]:
        """Return the keys that a Range over everything has."""
        return set(self._lives)

    @property
    def compact_revision(self) -> int:
        return max(-1 if self.scheduled is None else self.scheduled, -1 if self.finished is None else self.finished)

    def hash_kv(self, revision: int, compact_revision: int) -> int:
        """Return etcd's HashKV: kvHasher.WriteKeyValue over every record, with `keep` as the index gives it."""
        keep = {(record.main, record.sub) for record in self._last_up_to(revision).values() if not record.is_deletion}
        checksum = crc32c.crc32c(b"key")
        for record in self.records:
            if record.main > revision:
                continue
            if record.main <= compact_revision and keep and (record.main, record.sub) not in keep:
                continue
            if record.main == compact_revision and record.is_deletion:
                continue
            checksum = crc32c.crc32c(record.revision_key + record.stored, checksum)
        return checksum

    def buckets(self) -> dict[bytes, dict[bytes, bytes]]:
        """Return the content of the database file."""
        meta = {b"consistent_index": (self.revision + 3).to_bytes(8), b"term": (2).to_bytes(8)}
        if self.scheduled is not None:
            meta[b"scheduledCompactRev"] = revision_key(self.scheduled, 0)
        if self.finished is not None:
            meta[b"finishedCompactRev"] = revision_key(self.finished, 0)
        member = {
            "id": MEMBER_ID,
            "peerURLs": ["https://10.0.0.1:2380"],
            "name": "m1",
            "clientURLs": ["https://10.0.0.1:2379"],
        }
        names = (b"alarm", b"auth", b"authRoles", b"authUsers", b"lease", b"members_removed")
        return {
            **{name: {} for name in names},
            b"cluster": {b"clusterVersion": b"3.5.0"},
            b"members": {b"%x" % MEMBER_ID: json.dumps(member).encode()},
            b"meta": meta,
            b"key": {record.revision_key: record.stored for record in self.records},
        }

    def _last_up_to(self, revision: int) -> dict[bytes, Record]:
        return {record.key: record for record in self.records if record.main <= revision}


def revision_key(main: int, sub: int) -> bytes:
    """Return a revision as a key of the bucket `key`."""
    return main.to_bytes(8) + b"_" + sub.to_bytes(8)


def key_value(
    key: bytes, *, create: int = 0, mod: int = 0, version: int = 0, value: bytes = b"", lease: int = 0
) -> bytes:
    """Return a mvccpb.KeyValue: ascending fields, those that are zero left out."""
    out = _text(1, key) + _number(2, create) + _number(3, mod) + _number(4, version) + _text(5, value)
    return out + _number(6, lease)


def varint(value: int) -> bytes:
    """Return a protobuf varint of an int64."""
    value %= 1 << 64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def status_hash(buckets: dict[bytes, dict[bytes, bytes]]) -> int:
    """Return etcdutl's hash: names, keys and values of all buckets in order (v3_snapshot.go, Status)."""
    checksum = 0
    for name in sorted(buckets):
        checksum = crc32c.crc32c(name, checksum)
        for key in sorted(buckets[name]):
            checksum = crc32c.crc32c(key + buckets[name][key], checksum)
    return checksum


def _text(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(value)) + value if value else b""


def _number(number: int, value: int) -> bytes:
    return bytes([number << 3]) + varint(value) if value else b""
