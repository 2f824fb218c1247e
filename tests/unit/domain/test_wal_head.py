"""The identity at the head of a WAL, and everything that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.wal_head import HEAD_BYTES, WalIdentity, is_first_wal, read_wal_identity
from scenarios.recovery_world import wal_head


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1))
def test_ids_of_any_size_are_read(member_id: int, cluster_id: int) -> None:
    """Ids are unsigned 64-bit integers, and most of them use all their bits."""
    head = wal_head(member_id, cluster_id).ljust(HEAD_BYTES, b"\0")

    assert read_wal_identity(head) == WalIdentity(member_id, cluster_id)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_wal_have_no_identity(head: bytes) -> None:
    """Whatever lies there ends in an answer, never in an exception."""
    found = read_wal_identity(head)

    assert found is None or isinstance(found, WalIdentity)


@given(st.integers(0, 60))
def test_a_head_that_was_cut_off_has_no_identity(kept: int) -> None:
    """Half a record is none."""
    whole = wal_head(2**63 + 5, 2**63 + 7)
    cut = whole[: min(kept, len(whole) - 9)]

    assert read_wal_identity(cut) is None


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
