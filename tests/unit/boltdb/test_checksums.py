"""Checksums of neighbours are joined without their bytes."""

from __future__ import annotations

import crc32c as package
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.boltdb.checksums import crc32c, joined


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_joined_checksums_are_those_of_the_whole(first: bytes, second: bytes) -> None:
    """crc(A) and crc(B) give crc(A + B), for any lengths, empty ones included."""
    assert joined(crc32c(first), crc32c(second), len(second)) == crc32c(first + second)


@given(st.integers(0, 1 << 24), st.integers(0, 0xFFFFFFFF))
def test_lengths_add_up(length: int, checksum: int) -> None:
    """Shifting by two lengths in turn is shifting by their sum, beyond any length that could be tried with bytes."""
    step = joined(joined(checksum, 0, length), 0, 1 << 33)

    assert step == joined(checksum, 0, length + (1 << 33))


def test_function_is_the_packages_own() -> None:
    """The extension that is loaded directly computes what the package's function does."""
    assert crc32c(b"123456789") == package.crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"789", crc32c(b"123456")) == 0xE3069283
