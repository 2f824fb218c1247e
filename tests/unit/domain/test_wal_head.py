"""The identity at the head of a WAL, and everything that is none."""

from __future__ import annotations

import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.wal_head import HEAD_BYTES, WalIdentity, WalUnreadable, is_first_wal, read_wal_identity
from scenarios.recovery_world import wal_head

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


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1))
def test_ids_of_any_size_are_read(member_id: int, cluster_id: int) -> None:
    """Ids are unsigned 64-bit integers, and most of them use all their bits."""
    head = wal_head(member_id, cluster_id).ljust(HEAD_BYTES, b"\0")

    assert read_wal_identity(head) == WalIdentity(member_id, cluster_id)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_wal_have_no_identity(head: bytes) -> None:
    """Whatever lies there ends in words, never in an identity and never in another exception."""
    with pytest.raises(WalUnreadable):
        read_wal_identity(head)


@given(st.integers(0, 60))
def test_a_head_that_was_cut_off_has_no_identity(kept: int) -> None:
    """Half a record is none."""
    whole = wal_head(2**63 + 5, 2**63 + 7)
    cut = whole[: min(kept, len(whole) - 9)]

    with pytest.raises(WalUnreadable):
        read_wal_identity(cut)


@pytest.mark.parametrize(
    ("name", "is_first"),
    [
        ("0000000000000000-0000000000000000.wal", True),
        ("0000000000000001-00000000000003e8.wal", False),
        ("0.tmp", False),
    ],
)
def test_only_the_first_file_of_a_fresh_directory_is_asked(name: str, is_first: bool) -> None:
    """A later WAL repeats the metadata, but a restored directory has exactly this one."""
    assert is_first_wal(name) is is_first


@pytest.mark.parametrize("seed", [0, 0xDEADBEEF], ids=["first-file", "later-file"])
def test_ids_are_read_from_every_file(seed: int) -> None:
    """A file that follows another one begins with the checksum that it carries on."""
    assert read_wal_identity(head(seed=seed)) == WalIdentity(MEMBER, CLUSTER)


def test_checksum_that_is_wrong_is_damage() -> None:
    """An id from a damaged record would be taken for another cluster's."""
    with pytest.raises(WalUnreadable, match="checksum"):
        read_wal_identity(head(spoil=1))


@pytest.mark.parametrize("raw", [b"", bytes(4096), b"\xff" * 4096, b"text, not a log" * 50], ids=range(4))
def test_other_files_are_refused(raw: bytes) -> None:
    """With words, never with an id."""
    with pytest.raises(WalUnreadable):
        read_wal_identity(raw)


def test_every_byte_may_be_wrong_or_missing() -> None:
    """The right ids or WalUnreadable, and never wrong ids."""
    whole = head()
    for place in range(120):
        for raw in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]):
            try:
                found = read_wal_identity(raw)
            except WalUnreadable:
                continue
            assert found == WalIdentity(MEMBER, CLUSTER)
