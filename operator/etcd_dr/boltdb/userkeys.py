"""The user's key inside each record, and a 64-bit hash of it under a secret salt.

Rules this module keeps:
- Two records speak of the same key when their hashes are equal: keys are counted and matched by the million without
  being stored. With 3 million keys two different ones collide once in four million runs.
- The salt is drawn anew for each run, and each word of a key is multiplied twice by secret numbers: nobody can write
  a file whose keys collide.
- The hash of a key depends on the key and the salt alone, not on its neighbours, so that two processes agree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb.image import Bytes, Flags, Image, Ints, Words
from etcd_dr.boltdb.protobuf import Malformed, message_of

KEY_TAG = 0x0A
LONG_KEY_BYTES = 1024
"""Longer keys are hashed one by one; etcd's users hardly have them."""
_ROWS_AT_ONCE = 8192
_LOW_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class UserKeys:
    """Where the key of each record lies; not known for the odd ones, whose size is 0 here."""

    start: Ints
    size: Ints
    is_odd: Flags
    """The record does not begin with a key of at most 16383 bytes: it must be parsed."""


def located(heads: Bytes, records: Ints, value: Ints, end: Ints) -> UserKeys:
    """Find the key in each record from its value's first bytes: a tag, a length, the key.

    `heads` hold the first `HEAD_BYTES` bytes of records that begin at `records`, and whose values begin at `value`.
    """
    tag, low, high = _value_heads(heads, value - records)
    has_two_bytes = low >= 0x80
    start = value + 2
    size = low.astype(np.int64)
    is_odd = tag != KEY_TAG
    if has_two_bytes.any():
        start += has_two_bytes
        size = np.where(has_two_bytes, (size & 0x7F) | (high.astype(np.int64) << 7), size)
        is_odd |= has_two_bytes & (high >= 0x80)
    is_odd |= (size == 0) | (start + size > end)
    if is_odd.any():
        size[is_odd] = 0
    return UserKeys(start, size, is_odd)


def _value_heads(heads: Bytes, key_size: Ints) -> tuple[Bytes, Bytes, Bytes]:
    """Return the first three bytes of each value; nearly all follow a key of the same size."""
    usual = int(key_size[0]) if len(key_size) else 0
    first, second, third = (heads[:, usual + index] for index in range(3))
    others = np.flatnonzero(key_size != usual)
    if len(others) == 0:
        return first, second, third
    columns = np.stack([first, second, third])
    for index in range(3):
        columns[index, others] = heads[others, key_size[others] + index]
    return columns[0], columns[1], columns[2]


class KeyHasher:
    """Hashes keys under one salt."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        # Drawn from the salt so that a second process draws the same; odd, so that no product loses anything.
        drawn = hashlib.shake_256(salt).digest(8 * (2 * (LONG_KEY_BYTES // 8) + 1))
        self._odd = np.frombuffer(drawn, dtype="<u8").astype(np.uint64) | np.uint64(1)

    @property
    def of_empty_key(self) -> int:
        """Return the hash that `Keyspace.key_hashes` gives a put of the empty key, which only a bump writes."""
        return self._of(b"") & ~1

    def hashes(self, image: Image, keys: UserKeys, value: Ints, end: Ints) -> Words:
        """Return the hash of each record's key."""
        if len(keys.start) == 0:
            return np.zeros(0, dtype=np.uint64)
        words = (keys.size + 7) >> 3
        usual = int(words[0])
        if 0 < usual <= LONG_KEY_BYTES // 8 and not keys.is_odd.any() and (words == usual).all():
            return self._short(image, keys.start, keys.size, usual)
        result = np.zeros(len(keys.start), dtype=np.uint64)
        words[keys.is_odd | (keys.size > LONG_KEY_BYTES)] = 0
        counts = np.flatnonzero(np.bincount(words)).tolist()
        for count in counts:
            rows = np.flatnonzero(words == count)
            if count == 0:
                for row in rows.tolist():
                    result[row] = self._alone(image, keys, row, int(value[row]), int(end[row]))
                continue
            for begin in range(0, len(rows), _ROWS_AT_ONCE):
                part = rows[begin : begin + _ROWS_AT_ONCE]
                result[part] = self._short(image, keys.start[part], keys.size[part], count)
        return result

    def _short(self, image: Image, start: Ints, size: Ints, words: int) -> Words:
        """Hash keys that take the same number of 8-byte words."""
        table = image.pieces(start, 8 * words).view("<u8")
        digest: Words = size.astype(np.uint64) * self._odd[0]
        for index in range(words):
            word = table[:, index]
            if index == words - 1:
                word = word & _LOW_BYTES[size - 8 * index]  # what lies behind the key is not its own
            # A product carries a difference upwards only: turned round, the second one carries it everywhere.
            digest ^= word
            digest *= self._odd[2 * index + 1]
            digest.byteswap(inplace=True)
            digest *= self._odd[2 * index + 2]
        digest ^= digest >> np.uint64(29)
        return digest

    def _alone(self, image: Image, keys: UserKeys, row: int, value: int, end: int) -> int:
        if keys.is_odd[row]:
            return self._of(_parsed_key(image.view[value:end]))
        start = int(keys.start[row])
        return self._of(bytes(image.view[start : start + int(keys.size[row])]))

    def _of(self, key: bytes) -> int:
        """Hash one key exactly as its neighbours would be."""
        if not 0 < len(key) <= LONG_KEY_BYTES:
            return int.from_bytes(hashlib.blake2b(key, digest_size=8, key=self._salt).digest(), "little")
        padded = Image(memoryview(key + bytes(8)), data_size=len(key))
        at, size = np.zeros(1, dtype=np.int64), np.array([len(key)], dtype=np.int64)
        return int(self._short(padded, at, size, (len(key) + 7) >> 3)[0])


def _parsed_key(value: memoryview) -> bytes:
    """Return the key of a record that begins with something else; empty when there is none."""
    try:
        return message_of(value).texts.get(1, b"")
    except Malformed:
        return b""
