"""The identity that a member's WAL file begins with: which member of which cluster it was written by.

A WAL file is a sequence of frames: a little-endian length whose top byte tells the padding, then a walpb.Record
(type = 1, crc = 2, data = 3), padded to eight bytes (wal/encoder.go, encodeFrameSize). Every file, the first and each
that follows it, begins with a checksum record (type 4) and the metadata record (type 1), whose data are a
etcdserverpb.Metadata with NodeID = 1 and ClusterID = 2 (wal/wal.go, Create and cut). Checksums are CRC-32C, each
carried on from the one before.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD_BYTES = 4096
"""So much of the file is enough."""

_METADATA, _CHECKSUM = 1, 4
_LENGTH = struct.Struct("<Q")


class WalUnreadable(ValueError):
    """The head of the file is not that of a WAL; the text says why."""


@dataclass(frozen=True, slots=True)
class WalIdentity:
    member_id: int
    cluster_id: int


def is_first_wal(name: str) -> bool:
    """Tell whether a file is the first WAL of a directory that was just restored: sequence 0, index 0."""
    return name == "0000000000000000-0000000000000000.wal"


def read_wal_identity(head: bytes) -> WalIdentity:
    """Return the ids from the first HEAD_BYTES of a WAL file. Raises WalUnreadable, also for a wrong checksum."""
    from crc32c import crc32c  # noqa: PLC0415 - slow to load, and most commands read no WAL

    at, checksum = 0, 0
    while at + _LENGTH.size <= len(head):
        (frame,) = _LENGTH.unpack_from(head, at)
        size = frame & ((1 << 56) - 1)
        padding = (frame >> 56) & 7 if frame >> 63 else 0
        if size == 0:
            break  # the rest of the file was allocated and not written
        at += _LENGTH.size
        record = _message(head[at : at + size])
        at += size + padding
        kind, data = record.get(1, 0), record.get(3, b"")
        said = record.get(2, 0)
        if not isinstance(data, bytes) or not isinstance(said, int):
            raise WalUnreadable("a record has fields of other types")
        if kind == _CHECKSUM:
            checksum = said
            continue
        checksum = crc32c(data, checksum)
        if said != checksum:
            raise WalUnreadable(f"a record's checksum is {said:#010x}, its content gives {checksum:#010x}")
        if kind == _METADATA:
            return _identity(data)
    raise WalUnreadable("no metadata record at its head")


def _identity(data: bytes) -> WalIdentity:
    fields = _message(data)
    member, cluster = fields.get(1, 0), fields.get(2, 0)
    if not isinstance(member, int) or not isinstance(cluster, int):
        raise WalUnreadable("the metadata record has fields of other types")
    if not member or not cluster:
        raise WalUnreadable("the metadata record has no ids")
    return WalIdentity(member_id=member, cluster_id=cluster)


def _message(raw: bytes) -> dict[int, int | bytes]:
    """Return the fields of a protobuf message that has varints and bytes only."""
    fields: dict[int, int | bytes] = {}
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, kind = tag >> 3, tag & 7
        value, at = _varint(raw, at)
        if kind == 0:
            fields[number] = value
        elif kind == 2 and at + value <= len(raw):
            fields[number] = raw[at : at + value]
            at += value
        else:
            raise WalUnreadable("a record is cut off or not one")
    return fields


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            raise WalUnreadable("a record is cut off")
        value |= (raw[at] & 0x7F) << shift
        at += 1
        if not raw[at - 1] & 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WalUnreadable("a number in a record has no end")
