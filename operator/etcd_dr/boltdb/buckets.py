"""The buckets of a file, and the records of every bucket but `key`.

Rules this module keeps:
- A bucket has a page of its own as root, or lies inline in its parent's value: the image of one leaf page
  (bbolt bucket.go, openBucket). Both give `Leaves`.
- These buckets are small in etcd (members, leases, users), so their records are read one by one.
- Buckets may nest; etcd's do not. A nested bucket is checked to the last page, and stands among the records as a key
  without value, as bbolt's own cursor shows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb.elements import ELEMENT_BYTES, HEADER_BYTES, PageSpans, read_elements
from etcd_dr.boltdb.findings import shown
from etcd_dr.boltdb.keys import ByteKeys
from etcd_dr.boltdb.tree import LEAF_FLAG, K, Leaves, Pages, walk, walk_to_leaves

BUCKET_FLAG = 0x01
MAX_NESTING = 16

_HEADER = struct.Struct("<QHHI")
_IN_BUCKET = struct.Struct("<QQ")
_LEAVES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket's content is."""

    name: bytes
    where: str
    root: int
    """Page id of the root; 0 for an inline bucket."""
    page: int
    """The page that holds the bucket's entry."""
    offset: int
    """Byte offset of the entry's value."""
    size: int
    """Bytes of the entry's value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, or a nested bucket, which has no value."""

    key: bytes
    value: memoryview
    bucket: Bucket | None = None


def root_buckets(pages: Pages, root: int) -> list[Bucket]:
    """Return the top-level buckets in order of their names."""
    leaves = walk(pages, root, order=ByteKeys, where="root bucket")
    buckets = []
    for entry in entries(pages, leaves, where="root bucket"):
        if entry.bucket is None:
            pages.findings.error(
                "root.record", f"root bucket, {shown(entry.key)}", "a record where only buckets belong"
            )
        else:
            buckets.append(entry.bucket)
    return buckets


def leaves_of(pages: Pages, bucket: Bucket, *, order: type[K], look_later: bool = False) -> Leaves[K]:
    """Return the leaves of a bucket, wherever it is stored; `look_later` leaves the headers of leaves unread."""
    if bucket.root != 0:
        walker = walk_to_leaves if look_later else walk
        return walker(pages, bucket.root, order=order, where=bucket.where)
    offset, size = bucket.offset + _IN_BUCKET.size, bucket.size - _IN_BUCKET.size
    count = _inline_count(pages, bucket, offset, size)
    lowest = order.lowest()
    if count is None:
        nothing = np.zeros(0, dtype=np.int64)
        spans = PageSpans(nothing, nothing, nothing, nothing)
        return Leaves(nothing, lowest.take(nothing), lowest.take(nothing), spans)
    page, at, elements, span = (np.array([number], dtype=np.int64) for number in (bucket.page, offset, count, size))
    return Leaves(page, lowest, lowest, PageSpans(page, at, elements, span))


def entries(pages: Pages, leaves: Leaves[ByteKeys], *, where: str) -> Iterator[Entry]:
    """Yield what a bucket holds in order, and check the order. `where` names the bucket in findings."""
    assert leaves.spans is not None  # noqa: S101 - small buckets are walked to the end
    view, last_key = pages.image.view, b""
    for begin in range(0, len(leaves), _LEAVES_AT_ONCE):
        part = leaves.spans.part(begin, begin + _LEAVES_AT_ONCE)
        elements = read_elements(pages.image, part, leaf=True, where=where, findings=pages.findings)
        leaf = -1
        for owner, start, key_size, end, flags in zip(
            elements.owner.tolist(),
            elements.start.tolist(),
            elements.key_size.tolist(),
            elements.end.tolist(),
            elements.extra.tolist(),
            strict=True,
        ):
            key = bytes(view[start : start + key_size])
            low = leaves.lower.values[begin + owner] if begin + owner != leaf else b""
            leaf = begin + owner
            is_in_place = last_key < key or (last_key == b"" == key)
            if not is_in_place or key < low or not _is_below_fence(leaves, leaf, key):
                place = f"{where}, page {leaves.page[leaf]}"
                pages.findings.error("key.order", place, f"{shown(key)} is outside its place")
            last_key = key
            page = int(leaves.page[leaf])
            yield _entry(pages, key, flags=flags, start=start + key_size, end=end, page=page, where=where)


def check_nested(pages: Pages, bucket: Bucket) -> None:
    """Check a nested bucket and all below it."""
    waiting = [(bucket, 1)]
    while waiting:
        nested, depth = waiting.pop()
        if depth > MAX_NESTING:
            pages.findings.lost("bucket.depth", nested.where, f"nested deeper than {MAX_NESTING} buckets")
            continue
        inside = entries(pages, leaves_of(pages, nested, order=ByteKeys), where=nested.where)
        waiting.extend((entry.bucket, depth + 1) for entry in inside if entry.bucket is not None)


def _is_below_fence(leaves: Leaves[ByteKeys], leaf: int, key: bytes) -> bool:
    return leaf + 1 == len(leaves) or bool(key < leaves.fence.values[leaf + 1])


def _entry(pages: Pages, key: bytes, *, flags: int, start: int, end: int, page: int, where: str) -> Entry:
    value = pages.image.view[start:end]
    if flags & ~BUCKET_FLAG:
        pages.findings.error("element.flags", f"{where}, page {page}, {shown(key)}", f"flags are {flags:#x}")
    if not flags & BUCKET_FLAG:
        return Entry(key, value)
    place = f"{where}, {shown(key)}" if where != "root bucket" else f"bucket {_plain(key)}"
    if len(value) < _IN_BUCKET.size:
        pages.findings.lost("bucket.malformed", place, f"its entry has {len(value)} bytes, fewer than 16")
        return Entry(key, pages.image.view[0:0])
    root, _ = _IN_BUCKET.unpack_from(value)
    return Entry(key, pages.image.view[0:0], Bucket(key, place, root, page, start, len(value)))


def _plain(name: bytes) -> str:
    return name.decode("ascii") if name.isalnum() or name.replace(b"_", b"").isalnum() else shown(name)


def _inline_count(pages: Pages, bucket: Bucket, offset: int, size: int) -> int | None:
    if size < HEADER_BYTES:
        pages.findings.lost("bucket.malformed", bucket.where, f"{size} bytes hold no inline page")
        return None
    _, flags, count, _ = _HEADER.unpack_from(pages.image.view, offset)
    if flags != LEAF_FLAG:
        pages.findings.lost("page.type", bucket.where, f"flags of the inline page are {flags:#06x}, expected a leaf")
        return None
    if HEADER_BYTES + ELEMENT_BYTES * count > size:
        pages.findings.lost("page.count", bucket.where, f"{count} elements do not fit into the inline page")
        return None
    return int(count)
