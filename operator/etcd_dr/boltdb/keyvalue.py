"""What a record of the bucket `key` must look like: mvccpb.KeyValue, one record and a million at a time.

Rules this module keeps:
- Every record that etcd writes has one layout: key, create revision, mod revision, version, value, lease, ascending
  and each at most once (kv.proto; zero fields are left out). That layout is checked by the million, in steps that
  each look at the next field of all records.
- A record that does not fit the steps is not damaged for that: it is judged alone, by `judged`, which decides.
- A record that was put has mod revision = its own revision, create revision and version of at least 1, and is not
  younger than it was created. A deletion has the key alone.
- An empty value is what `etcdutl snapshot restore --bump-revision` writes (v3_snapshot.go); its key is empty.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb.image import Flags, Image, Ints, Words
from etcd_dr.boltdb.protobuf import Malformed, Message, message_of, signed
from etcd_dr.boltdb.userkeys import UserKeys

_CREATE, _MOD, _VERSION, _VALUE, _LEASE = 0x10, 0x18, 0x20, 0x2A, 0x30
_FIRST_BYTE = 0 if sys.byteorder == "little" else 7
_INTEGER_FIELDS = (2, 3, 4, 6)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one record."""

    code: str
    detail: str


def judged(value: memoryview, *, main: int, is_tombstone: bool) -> Complaint | None:
    """Say what is wrong with one record, None when it is right."""
    if len(value) == 0 and not is_tombstone:
        return None
    try:
        found = _fields_once(value)
    except Malformed as error:
        return Complaint("record.malformed", str(error))
    if is_tombstone:
        return None
    create, mod, version = (signed(found.integers.get(number, 0)) for number in (2, 3, 4))
    if mod != main or not 1 <= create <= mod or version < 1:
        return Complaint(
            "record.implausible", f"create revision {create}, mod revision {mod}, version {version} at revision {main}"
        )
    return None


def _fields_once(value: memoryview) -> Message:
    message = message_of(value)
    if message.repeated is not None:
        raise Malformed(f"field {message.repeated} appears twice")
    if 1 not in message.texts:
        raise Malformed("no key")
    if 5 in message.integers or any(number in message.texts for number in _INTEGER_FIELDS):
        raise Malformed("a field has the wrong type")
    return message


def fits_layout(image: Image, keys: UserKeys, end: Ints, *, main: Words, is_tombstone: Flags) -> Flags:
    """Say for each record whether it is beyond doubt as etcd writes it; the others need `judged`."""
    after_key = keys.start + keys.size
    if not is_tombstone.any():
        return ~keys.is_odd & _puts_fit(image, after_key, end, main)
    fits: Flags = ~keys.is_odd & (after_key == end)
    puts = np.flatnonzero(~is_tombstone)
    fits[puts] = ~keys.is_odd[puts] & _puts_fit(image, after_key[puts], end[puts], main[puts])
    return fits


def _puts_fit(image: Image, at: Ints, end: Ints, main: Words) -> Flags:
    """Check what follows the key of records that were put."""
    # The fewer bytes are looked at the better; 16 hold the numbers of nearly all records up to revision 2^28.
    words = 2 if int(main.max(initial=0)) < 1 << 28 else 3
    fits = _fit_into(words, image, at, end, main)
    others = np.flatnonzero(~fits)
    if len(others):
        fits[others] = _fit_into(4, image, at[others], end[others], main[others])
    return fits


def _fit_into(words: int, image: Image, at: Ints, end: Ints, main: Words) -> Flags:
    """Check three numbers, the value and the lease; only numbers within so many 8-byte words are seen."""
    table = image.pieces(at, 8 * words).view("<u8")
    window = [np.ascontiguousarray(table[:, column], dtype=np.uint64) for column in range(words)]
    create, create_bits, fits = _groups(window[0], _CREATE)
    window = _shifted(window, create_bits)
    mod, mod_bits, is_there = _groups(window[0], _MOD)
    fits &= is_there
    # Groups of equal weight stand at equal places, so they compare as the numbers do; 0 wraps to the largest.
    create -= np.uint64(1)
    fits &= create < mod
    fits &= _number(mod, mod_bits) == main
    window = _shifted(window, mod_bits)
    version, version_bits, is_there = _groups(window[0], _VERSION)
    fits &= is_there
    fits &= version > 0
    size, size_bits, has_value = _groups(_shifted(window, version_bits)[0], _VALUE)
    before_value = create_bits + mod_bits + version_bits
    fits &= before_value + size_bits <= np.uint64(64 * words)
    value_bytes = _number(size, size_bits)
    value_bytes += size_bits >> np.uint64(3)
    value_bytes *= has_value
    after = at + ((before_value >> np.uint64(3)) + value_bytes).view(np.int64)
    ends_there: Flags = after == end
    leased = np.flatnonzero(fits & ~ends_there)
    if len(leased):
        ends_there[leased] = _lease_fits(image, after[leased], end[leased])
    return fits & ends_there


def _groups(word: Words, tag: int) -> tuple[Words, Words, Flags]:
    """Read a tag byte and a varint of at most seven bytes.

    Returns the varint's groups of seven bits, each in a byte of its own; the bits of tag and varint; whether they are
    there.
    """
    terminators = ~word
    terminators &= np.uint64(0x8080_8080_8080_8000)
    is_there: Flags = word.view(np.uint8)[_FIRST_BYTE::8] == tag
    is_there &= terminators != 0
    groups = terminators - np.uint64(1)
    groups ^= terminators  # all bits through the terminator
    bits = np.bitwise_count(groups).astype(np.uint64)
    groups &= word
    groups >>= np.uint64(8)
    groups &= np.uint64(0x007F_7F7F_7F7F_7F7F)
    return groups, bits, is_there


def _number(groups: Words, bits: Words) -> Words:
    """Return the numbers that groups of seven bits stand for."""
    longest = int(bits.max(initial=0))
    # The groups close ranks: to 14 bits, to 28, to 49; short numbers are there sooner.
    if longest > 16:
        groups = _closed(groups, 0x007F_007F_007F_007F, 0x0000_7F00_7F00_7F00, 1)
    if longest > 24:
        groups = _closed(groups, 0x0000_3FFF_0000_3FFF, 0x3FFF_0000_3FFF_0000, 2)
    if longest > 40:
        groups = _closed(groups, 0x0000_0000_0FFF_FFFF, 0x0FFF_FFFF_0000_0000, 4)
    return groups


def _closed(groups: Words, low: int, high: int, gap: int) -> Words:
    """Move every second group of bits down to its neighbour."""
    upper = groups & np.uint64(high)
    upper >>= np.uint64(gap)
    upper |= groups & np.uint64(low)
    return upper


def _shifted(window: list[Words], bits: Words) -> list[Words]:
    """Move the words of the records forward by some bits each (16 to 64); zeros come after the last."""
    back = np.uint64(64) - bits
    moved = [word >> bits for word in window]
    for index, following in enumerate(window[1:]):
        moved[index] |= following << back
    return moved


def _lease_fits(image: Image, at: Ints, end: Ints) -> Flags:
    """Check a tag and a varint of at most nine bytes that must end with the record."""
    rows = image.pieces(at, 16)
    word = np.ascontiguousarray(rows[:, 1:9]).view("<u8").reshape(-1)
    terminators = ~word & np.uint64(0x8080_8080_8080_8080)
    bits = np.bitwise_count(terminators ^ (terminators - np.uint64(1))).astype(np.int64)
    size = end - at - 1
    ends_in_word = (terminators != 0) & (bits == 8 * size)
    ends_behind = (terminators == 0) & (size == 9) & (rows[:, 9] < 0x80)
    fits: Flags = ends_in_word | ends_behind
    fits &= rows[:, 0] == _LEASE
    return fits
