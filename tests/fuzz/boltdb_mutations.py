"""Bend small database files in all the ways that matter to a reader, reproducibly.

- `seeds()` are whole files of different shapes; `mutant(n)` is the n-th bent one, the same on every machine.
- Mutations aim: headers, element tables and metas are hit far more often than values, and numbers are replaced by
  those that break arithmetic. A meta that was hit is mostly given a right checksum again, or nothing behind it would
  ever be read.
- `explore(bytes)` is the promise under test, shared by the deterministic loop and by atheris.
"""

from __future__ import annotations

import functools
import random
import struct

from etcd_dr.boltdb import examine, hash_kv, iter_records, read_trailer, verify_trailer
from etcd_dr.errors import RevisionUnavailable, SnapshotDamaged
from fakes.bolt_file import BoltFile, Shape, fnv1a
from fakes.etcd_history import EtcdHistory

INTERESTING = (
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 62,
    1 << 63,
    (1 << 64) - 1,
)
SHAPES = (
    Shape(),
    Shape(leaf_records=4, branch_children=3),
    Shape(page_size=1024, leaf_records=6, inline=False, synced_freelist=True, free_pages=4),
    Shape(leaf_records=3, branch_children=4, uneven=True, padding=3),
)


@functools.cache
def seeds() -> tuple[BoltFile, ...]:
    """Return whole files, one for each shape."""
    history = EtcdHistory()
    randomness = random.Random(11)
    for _ in range(60):
        key = b"/key/%02d" % randomness.randrange(20)
        if randomness.random() < 0.2:
            history.delete(key)
        else:
            history.put(key, randomness.randbytes(randomness.randrange(80)), lease=randomness.choice((0, 9, 1 << 62)))
    history.put(b"/large", bytes(6000))
    history.compact(30, removes=8)
    return tuple(BoltFile(history.buckets(), shape) for shape in SHAPES)


def mutant(number: int) -> bytes:
    """Return the n-th bent file."""
    randomness = random.Random(f"boltdb {number}")
    seed = randomness.choice(seeds())
    data = bytearray(seed.data)
    page_size = seed.shape.page_size
    for _ in range(randomness.choice((1, 1, 1, 2, 3, 8))):
        randomness.choice(_MUTATIONS)(data, page_size, randomness)
    if randomness.random() < 0.9:
        _reseal_metas(data, page_size)
    return bytes(data) + (bytes(32) if randomness.random() < 0.5 else b"")


def explore(data: bytes) -> None:
    """Read bytes in every way; anything but the documented errors is a bug."""
    examination = examine(data, with_hash_kv=True, check_trailer=True, workers=1)
    assert examination.status is not None or not examination.is_intact
    assert len(examination.findings) <= 200
    read_trailer(data)
    verify_trailer(data)
    for revision, compact_revision in ((None, None), (40, 35), (1 << 63, 0)):
        try:
            answer = hash_kv(data, revision=revision, compact_revision=compact_revision, workers=1)
        except (SnapshotDamaged, RevisionUnavailable):
            continue
        if examination.is_intact and revision is None and examination.status is not None:
            assert examination.status.hash_kv == answer
    for bucket in (b"key", b"members"):
        try:
            for _ in iter_records(data, bucket):
                pass
        except SnapshotDamaged:
            assert not examination.is_intact


def _number(data: bytearray, page_size: int, randomness: random.Random) -> None:
    """Put a number that breaks arithmetic where the reader expects one."""
    page = randomness.randrange(max(1, len(data) // page_size))
    width, code = randomness.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
    at = (
        page * page_size
        + randomness.choice((0, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64))
        + 16 * randomness.randrange(3)
    )
    if at + width <= len(data):
        value = randomness.choice((*INTERESTING, page, page + 1, len(data), len(data) // page_size))
        struct.pack_into(code, data, at, value % (1 << 8 * width))


def _bit(data: bytearray, page_size: int, randomness: random.Random) -> None:
    page = randomness.randrange(max(1, len(data) // page_size))
    at = min(page * page_size + int(page_size * randomness.random() ** 3), len(data) - 1)
    data[at] ^= 1 << randomness.randrange(8)


def _swap(data: bytearray, page_size: int, randomness: random.Random) -> None:
    pages = len(data) // page_size
    if pages > 3:
        first, second = (randomness.randrange(2, pages) * page_size for _ in range(2))
        data[first : first + page_size], data[second : second + page_size] = (
            data[second : second + page_size],
            data[first : first + page_size],
        )


def _repeat(data: bytearray, page_size: int, randomness: random.Random) -> None:
    """Copy a page over another and give it the right id: the copy is sound, its references are not."""
    pages = len(data) // page_size
    if pages > 3:
        source, target = (randomness.randrange(2, pages) for _ in range(2))
        data[target * page_size : (target + 1) * page_size] = data[source * page_size : (source + 1) * page_size]
        struct.pack_into("<Q", data, target * page_size, target)


def _cut(data: bytearray, page_size: int, randomness: random.Random) -> None:
    keep = randomness.choice((randomness.randrange(len(data)), len(data) - page_size, page_size * 2))
    del data[max(keep, 1) :]


def _noise(data: bytearray, _: int, randomness: random.Random) -> None:
    at = randomness.randrange(len(data))
    size = min(randomness.randrange(1, 40), len(data) - at)
    data[at : at + size] = randomness.randbytes(size)


_MUTATIONS = (_number, _number, _number, _number, _bit, _bit, _swap, _repeat, _cut, _noise)


def _reseal_metas(data: bytearray, page_size: int) -> None:
    for offset in (0, page_size):
        if offset + 80 <= len(data):
            struct.pack_into("<Q", data, offset + 72, fnv1a(bytes(data[offset + 16 : offset + 72])))
