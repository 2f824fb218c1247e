"""Compare single keys of a database file with what a live member says of them, byte for byte.

A hash over everything says whether; a sampled key says it in a way that nobody can mistake. Two passes over the
records of the file, with memory for the sample alone: one to choose keys by chance, one to see what became of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.boltdb.protobuf import Malformed, varint

_KEY_BUCKET = b"key"
_KEY_TAG = 0x0A  # kv.proto: field 1, and etcd writes it first
_TOMBSTONE_BYTES = 18  # revision.go: 8 bytes main, '_', 8 bytes sub, and 't' for a deletion
_LOOK_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """How many keys were compared, and those that differ.

    `has_marker`: the file holds the record without a key that a bumped revision leaves. It counts among the live keys,
    as etcdutl counts them, and no Range ever shows it.
    """

    compared: int
    different: tuple[bytes, ...]
    has_marker: bool = False


def choose_keys(path: Path, *, count: int, chance: random.Random, look_up: Callable[[], object]) -> tuple[bytes, ...]:
    """Return up to `count` user keys, each record of the file being as likely as any other; in order.

    `look_up` is called now and then and may raise, to stop. Raises SnapshotDamaged and FileUnreadable.
    """
    chosen: list[bytes] = []
    for number, (_, value) in enumerate(boltdb.iter_records(path, _KEY_BUCKET)):
        if number % _LOOK_EVERY == 0:
            look_up()
        place = number if number < count else chance.randrange(number + 1)
        if place < count:
            key = key_of(value)
            if place == len(chosen):
                chosen.append(key)
            else:
                chosen[place] = key
    return tuple(sorted({key for key in chosen if key}))


def compare_keys(
    path: Path, keys: Sequence[bytes], found: Mapping[bytes, bytes], *, look_up: Callable[[], object]
) -> SampleAnswer:
    """Return which of these keys are not in the member as the file has them last.

    `found` is what the member said; a key that is not in it must have been deleted last in the file.
    """
    last: dict[bytes, bytes | None] = dict.fromkeys(keys)
    has_marker = False
    for number, (name, value) in enumerate(boltdb.iter_records(path, _KEY_BUCKET)):
        if number % _LOOK_EVERY == 0:
            look_up()
        has_marker |= not value
        if (key := key_of(value)) in last:
            last[key] = None if len(name) == _TOMBSTONE_BYTES else value
    different = tuple(key for key in last if found.get(key) != last[key])
    return SampleAnswer(len(last), different, has_marker)


def key_of(value: bytes) -> bytes:
    """Return the user's key in a stored record, empty for a record without one. The examination judged it before."""
    if not value or value[0] != _KEY_TAG:
        return b""
    try:
        size, at = varint(value, 1)
    except Malformed:
        return b""
    return value[at : at + size]
