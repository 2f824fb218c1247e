"""Small etcd databases in memory, byte for byte as bbolt lays them out: what a fake member sends.

Rules this fake keeps:
- It writes what etcd writes: two metas, leaves filled in key order, one branch level above the leaves of `key`, no
  freelist (NoFreelistSync), the buckets and records of 3.5.
- It is a writer for tests only: whole databases, no changes in place.

    database = EtcdDatabase()
    database.put(b"/registry/pods/a", b"...")
    database.compact(database.revision)
    member.database = database.to_bytes()
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

PAGE_BYTES = 4096
_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, page
_META = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, high water, txid
_BRANCH, _LEAF, _META_FLAG, _BUCKET = 1, 2, 4, 1
_NO_FREELIST = (1 << 64) - 1

Pair = tuple[bytes, bytes]


@dataclass
class EtcdDatabase:
    """One keyspace with its history, as the bucket `key` has it."""

    revision: int = 1
    compact_revision: int = -1
    records: dict[bytes, bytes] = field(default_factory=dict)
    _history: list[tuple[int, bytes, bool]] = field(default_factory=list)
    _lives: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of_keys(cls, count: int, *, value_bytes: int = 100) -> EtcdDatabase:
        """Return a database with so many keys as Kubernetes has them; values do not compress too well."""
        database = cls()
        for number in range(count):
            database.put(b"/registry/pods/default/pod-%06d" % number, _value(number, value_bytes))
        return database

    def put(self, key: bytes, value: bytes) -> int:
        """Write a key and return the new revision."""
        self.revision += 1
        created, version = self._lives.get(key, (self.revision, 0))
        self._lives[key] = (created, version + 1)
        record = (
            _bytes_field(1, key)
            + _number_field(2, created)
            + _number_field(3, self.revision)
            + _number_field(4, version + 1)
            + _bytes_field(5, value)
        )
        self._append(_revision_key(self.revision), record, key, is_deletion=False)
        return self.revision

    @property
    def live_keys(self) -> int:
        """How many keys there are."""
        return len(self._lives)

    def delete(self, key: bytes) -> int:
        """Delete a key and return the new revision."""
        self.revision += 1
        self._lives.pop(key, None)
        self._append(_revision_key(self.revision) + b"t", _bytes_field(1, key), key, is_deletion=True)
        return self.revision

    def compact(self, revision: int) -> None:
        """Forget what was superseded at `revision`, as a finished compaction has done."""
        newest: dict[bytes, int] = {}
        for at, key, is_deletion in self._history:
            if at <= revision:
                newest[key] = -1 if is_deletion else at
        kept = [entry for entry in self._history if entry[0] > revision or newest[entry[1]] == entry[0]]
        gone = {entry[0] for entry in self._history} - {entry[0] for entry in kept}
        self.records = {k: v for k, v in self.records.items() if int.from_bytes(k[:8], "big") not in gone}
        self._history = kept
        self.compact_revision = revision

    def to_bytes(self) -> bytes:
        """Return the database as a snapshot stream carries it, without a trailer."""
        pages = _Pages()
        buckets = {
            b"alarm": [],
            b"auth": [(b"authRevision", bytes(7) + b"\x01")],
            b"authRoles": [],
            b"authUsers": [],
            b"cluster": [(b"clusterVersion", b"3.5.0")],
            b"key": sorted(self.records.items()),
            b"lease": [],
            b"members": [(b"8e9e05c52164694d", _member_json())],
            b"members_removed": [],
            b"meta": self._meta_records(),
        }
        roots = [(name, struct.pack("<QQ", pages.tree(pairs), 0)) for name, pairs in buckets.items()]
        root = pages.leaf(roots, flags=_BUCKET)
        return pages.whole(root)

    def _append(self, revision_key: bytes, record: bytes, key: bytes, *, is_deletion: bool) -> None:
        self.records[revision_key] = record
        self._history.append((self.revision, key, is_deletion))

    def _meta_records(self) -> list[Pair]:
        records = [(b"consistent_index", struct.pack(">Q", self.revision + 10)), (b"term", struct.pack(">Q", 3))]
        if self.compact_revision >= 0:
            at = _revision_key(self.compact_revision)
            records += [(b"finishedCompactRev", at), (b"scheduledCompactRev", at)]
        return sorted(records)


class _Pages:
    """Pages in the making, from page 2 on."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._next = 2

    def tree(self, pairs: Sequence[Pair]) -> int:
        """Write pairs as leaves, with a branch above them where there are several; return the root page."""
        leaves = [(group[0][0] if group else b"", self.leaf(group)) for group in _groups(pairs)]
        return leaves[0][1] if len(leaves) == 1 else self._branch(leaves)

    def leaf(self, pairs: Sequence[Pair], *, flags: int = 0) -> int:
        elements, data = [], b""
        for index, (key, value) in enumerate(pairs):
            position = _LEAF_ELEMENT.size * (len(pairs) - index) + len(data)
            elements.append(_LEAF_ELEMENT.pack(flags, position, len(key), len(value)))
            data += key + value
        return self._add(_LEAF, len(pairs), b"".join(elements) + data)

    def _branch(self, children: Sequence[tuple[bytes, int]]) -> int:
        elements, data = [], b""
        for index, (key, page) in enumerate(children):
            position = _BRANCH_ELEMENT.size * (len(children) - index) + len(data)
            elements.append(_BRANCH_ELEMENT.pack(position, len(key), page))
            data += key
        return self._add(_BRANCH, len(children), b"".join(elements) + data)

    def _add(self, flags: int, count: int, body: bytes) -> int:
        page, span = self._next, -(-(_PAGE.size + len(body)) // PAGE_BYTES)
        image = _PAGE.pack(page, flags, count, span - 1) + body
        self._bodies.append(image.ljust(span * PAGE_BYTES, b"\0"))
        self._next += span
        return page

    def whole(self, root: int) -> bytes:
        return b"".join([self._meta(0, root), self._meta(1, root), *self._bodies])

    def _meta(self, page: int, root: int) -> bytes:
        body = _META.pack(0xED0CDAED, 2, PAGE_BYTES, 0, root, 0, _NO_FREELIST, self._next, 40 - page)
        image = _PAGE.pack(page, _META_FLAG, 0, 0) + body + struct.pack("<Q", _fnv1a(body))
        return image.ljust(PAGE_BYTES, b"\0")


def _groups(pairs: Sequence[Pair]) -> Iterable[Sequence[Pair]]:
    """Fill leaves to nine tenths; a large record gets one of its own."""
    room = PAGE_BYTES * 9 // 10
    group: list[Pair] = []
    used = _PAGE.size
    for key, value in pairs:
        size = _LEAF_ELEMENT.size + len(key) + len(value)
        if group and used + size > room:
            yield group
            group, used = [], _PAGE.size
        group.append((key, value))
        used += size
    yield group


def _member_json() -> bytes:
    member = {
        "id": 0x8E9E05C52164694D,
        "peerURLs": ["https://m1.example:2380"],
        "name": "m1",
        "clientURLs": ["https://m1.example:2379"],
    }
    return json.dumps(member).encode()


def _revision_key(revision: int) -> bytes:
    return struct.pack(">Q", revision) + b"_" + bytes(8)


def _value(number: int, size_bytes: int) -> bytes:
    seed = b"value-%d-" % number
    return (seed * (size_bytes // len(seed) + 1))[:size_bytes]


def _fnv1a(body: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in body:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def _number_field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
