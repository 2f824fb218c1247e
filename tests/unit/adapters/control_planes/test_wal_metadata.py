"""The ids at the head of a WAL file, and every way in which a head is not one."""

from __future__ import annotations

import struct

import pytest
from crc32c import crc32c

from etcd_dr.adapters.control_planes.wal_metadata import WalMetadata, WalUnreadable, read_wal_metadata

MEMBER, CLUSTER = 0x8E9E05C52164694D, 0xCDF818194E3A8C32


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def frame(kind: int, checksum: int, data: bytes | None) -> bytes:
    """Encode a record as etcd's WAL encoder does: length with the padding in its top byte, record, padding."""
    record = b"\x08" + varint(kind) + b"\x10" + varint(checksum)
    if data is not None:
        record += b"\x1a" + varint(len(data)) + data
    padding = -len(record) % 8
    length = len(record) | ((0x80 | padding) << 56 if padding else 0)
    return struct.pack("<Q", length) + record + bytes(padding)


def head(*, seed: int = 0, spoil: int = 0) -> bytes:
    metadata = b"\x08" + varint(MEMBER) + b"\x10" + varint(CLUSTER)
    checksum = crc32c(metadata, seed)
    return frame(4, seed, None) + frame(1, checksum ^ spoil, metadata) + bytes(400)


@pytest.mark.parametrize("seed", [0, 0xDEADBEEF], ids=["first-file", "later-file"])
def test_ids_are_read_from_every_file(seed: int) -> None:
    """A file that follows another one begins with the checksum that it carries on."""
    assert read_wal_metadata(head(seed=seed)) == WalMetadata(cluster_id=CLUSTER, member_id=MEMBER)


def test_checksum_that_is_wrong_is_damage() -> None:
    """An id from a damaged record would be taken for another cluster's."""
    with pytest.raises(WalUnreadable, match="checksum"):
        read_wal_metadata(head(spoil=1))


@pytest.mark.parametrize("raw", [b"", bytes(4096), b"\xff" * 4096, b"text, not a log" * 50], ids=range(4))
def test_other_files_are_refused(raw: bytes) -> None:
    """With words, never with an id."""
    with pytest.raises(WalUnreadable):
        read_wal_metadata(raw)


def test_every_byte_may_be_wrong_or_missing() -> None:
    """The right ids or WalUnreadable, and never wrong ids."""
    whole = head()
    for place in range(120):
        for raw in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]):
            try:
                found = read_wal_metadata(raw)
            except WalUnreadable:
                continue
            assert found == WalMetadata(cluster_id=CLUSTER, member_id=MEMBER)
