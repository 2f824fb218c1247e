"""Records are judged by the million and one by one, with the same verdict."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from etcd_dr.boltdb.image import Image
from etcd_dr.boltdb.keys import HEAD_BYTES, RevisionKeys
from etcd_dr.boltdb.keyvalue import fits_layout, judged
from etcd_dr.boltdb.userkeys import KeyHasher, located
from fakes.etcd_history import key_value, revision_key

numbers = st.one_of(
    st.integers(1, 300), st.integers(1, (1 << 63) - 1), st.sampled_from([127, 128, 16383, 16384, 1 << 28])
)
keys = st.binary(min_size=1, max_size=40) | st.integers(1, 2000).map(lambda size: b"k" * size)
Stored = tuple[int, bool, bytes]


@st.composite
def stored_records(draw: st.DrawFn) -> Stored:
    """A right record, or one with a few bytes bent."""
    main, is_tombstone = draw(numbers), draw(st.booleans())
    key = draw(keys)
    if is_tombstone:
        stored = key_value(key)
    else:
        stored = key_value(
            key,
            create=draw(st.integers(1, main)),
            mod=main,
            version=draw(numbers),
            value=draw(st.binary(max_size=200)),
            lease=draw(st.sampled_from([0, 1, 1 << 55, 1 << 56, (1 << 63) - 1, -1])),
        )
    if draw(st.booleans()):
        bent = bytearray(stored)
        for _ in range(draw(st.integers(1, 3))):
            bent[draw(st.integers(0, len(bent) - 1))] = draw(st.integers(0, 255))
        stored = bytes(bent[: draw(st.integers(1, len(bent)))])
    return main, is_tombstone, stored


class Table:
    """Records one after the other, as a leaf page has them."""

    def __init__(self, records: list[Stored]) -> None:
        raw, starts, key_sizes, ends = b"\0" * 5, [], [], []
        for main, is_tombstone, stored in records:
            name = revision_key(main, 0) + b"t" * is_tombstone
            starts.append(len(raw))
            key_sizes.append(len(name))
            raw += name + stored
            ends.append(len(raw))
        self.image = Image(memoryview(raw), data_size=len(raw))
        self.start, self.key_size, self.end = (np.array(column, dtype=np.int64) for column in (starts, key_sizes, ends))
        heads = self.image.pieces(self.start, HEAD_BYTES)
        self.revisions = RevisionKeys.of_heads(heads, self.key_size)
        self.keys = located(heads, self.start, self.start + self.key_size, self.end)

    def hashes(self, hasher: KeyHasher) -> list[int]:
        value = self.start + self.key_size
        return [int(digest) for digest in hasher.hashes(self.image, self.keys, value, self.end)]


@given(st.lists(stored_records(), min_size=1, max_size=12))
@settings(max_examples=400)
def test_whatever_fits_the_layout_is_judged_right(records: list[Stored]) -> None:
    """The quick look never passes what the careful one complains about, and passes what etcd writes."""
    table = Table(records)

    fits = fits_layout(
        table.image, table.keys, table.end, main=table.revisions.main, is_tombstone=table.revisions.is_tombstone
    )

    for fit, (main, is_tombstone, stored) in zip(fits.tolist(), records, strict=True):
        complaint = judged(memoryview(stored), main=main, is_tombstone=is_tombstone)
        assert not (fit and complaint is not None), (complaint, stored)


@given(st.lists(st.tuples(numbers, keys, st.binary(max_size=50)), min_size=1, max_size=12))
@settings(max_examples=200)
def test_ordinary_records_need_only_the_quick_look(puts: list[tuple[int, bytes, bytes]]) -> None:
    """Records of any size with revisions below 2^49 fit the layout that is checked by the million."""
    revisions = [min(main, (1 << 49) - 1) for main, _, _ in puts]
    table = Table(
        [
            (main, False, key_value(key, create=main, mod=main, version=1, value=value))
            for main, (_, key, value) in zip(revisions, puts, strict=True)
        ]
    )

    fits = fits_layout(
        table.image, table.keys, table.end, main=table.revisions.main, is_tombstone=table.revisions.is_tombstone
    )

    assert fits.all()


@given(st.lists(keys, min_size=1, max_size=12), st.binary(min_size=16, max_size=16))
def test_hash_of_a_key_does_not_depend_on_its_neighbours(names: list[bytes], salt: bytes) -> None:
    """Alone or among others, put or deleted, first in its record or not: a key has one hash under one salt."""
    hasher = KeyHasher(salt)
    together = Table([(5, False, key_value(name, create=5, mod=5, version=1)) for name in names]).hashes(hasher)
    alone = [Table([(7, True, key_value(name))]).hashes(hasher)[0] for name in names]
    behind = [Table([(7, False, b"\x10\x07" + key_value(name))]).hashes(hasher)[0] for name in names]

    assert together == alone == behind
    assert len(set(together)) == len(set(names))


def test_salts_give_different_hashes() -> None:
    """Another run has another salt, and nobody can prepare keys that collide in it."""
    table = Table([(5, False, key_value(b"/registry/pods/a", create=5, mod=5, version=1))])

    assert table.hashes(KeyHasher(bytes(16))) != table.hashes(KeyHasher(b"\x01" * 16))


def test_keys_that_differ_anywhere_differ_in_their_hashes() -> None:
    """A single different bit in any byte of a key changes its hash."""
    base = bytes(range(40, 40 + 37))
    variants = {base}
    for index in range(len(base)):
        for bit in range(8):
            variants.add(base[:index] + bytes([base[index] ^ 1 << bit]) + base[index + 1 :])
    records = [(5, False, key_value(name, create=5, mod=5, version=1)) for name in sorted(variants)]

    assert len(set(Table(records).hashes(KeyHasher(b"salt of sixteen!")))) == len(variants) == 37 * 8 + 1
