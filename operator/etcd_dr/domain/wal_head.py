"""The identity at the head of a member's first WAL file: which member of which cluster it was written by.

A WAL is a row of frames: a 64-bit length (its upper byte says how much padding follows), then a record {1: type,
2: crc, 3: data} in protobuf, padded to 8 bytes (server/storage/wal/encoder.go, walpb/record.proto). The first record
is a checksum, the second the metadata: data is {1: node id, 2: cluster id} (etcdserverpb/raft_internal.proto).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD_BYTES = 4096
"""So much of the file is enough."""

_METADATA = 1
_MOST_RECORDS = 4


@dataclass(frozen=True, slots=True)
class WalIdentity:
    member_id: int
    cluster_id: int


def is_first_wal(name: str) -> bool:
    """Tell whether a file is the first WAL of a directory that was just restored: sequence 0, index 0."""
    return name == "0000000000000000-0000000000000000.wal"


def read_wal_identity(head: bytes) -> WalIdentity | None:
    """Return the identity, None where these bytes are not the head of a WAL."""
    at = 0
    for _ in range(_MOST_RECORDS):
        if at + 8 > len(head):
            return None
        [length] = struct.unpack_from("<Q", head, at)
        size, padding = length & ~(0xFF << 56), (length >> 56) & 0x7 if length >> 63 else 0
        body = head[at + 8 : at + 8 + size]
        if not size or len(body) < size:
            return None
        record = _fields(body)
        if record is None:
            return None
        if record.get(1) == _METADATA:
            return _identity(record.get(3))
        at += 8 + size + padding
    return None


def _identity(data: int | bytes | None) -> WalIdentity | None:
    fields = _fields(data) if isinstance(data, bytes) else None
    member, cluster = (fields.get(1), fields.get(2)) if fields is not None else (None, None)
    return WalIdentity(member, cluster) if isinstance(member, int) and isinstance(cluster, int) else None


def _fields(body: bytes) -> dict[int, int | bytes] | None:
    """Return varint and bytes fields by number, None for what is no protobuf message of these two kinds."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        if tag is None:
            return None
        value, at = _varint(body, at)
        if value is None or tag & 7 not in (0, 2):
            return None
        if tag & 7 == 0:
            found[tag >> 3] = value
            continue
        if at + value > len(body):
            return None
        found[tag >> 3] = body[at : at + value]
        at += value
    return found


def _varint(body: bytes, at: int) -> tuple[int | None, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            return None, at
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value & ((1 << 64) - 1), at
    return None, at
