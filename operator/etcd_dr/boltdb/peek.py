"""Reads a database's last revision, applied index and term from a few pages, wherever they lie.

For a stopped member on a far node: `read_at(offset, count)` may be a network call, so pages are read one by one along
the right-hand edge of the tree, and nothing else is. Rules:
- What is found is what the file says on those pages; it proves nothing of the others (`examination` does).
- A page on the way that cannot be right raises `PeekFailed`: that is damage, and etcd would meet it too.
- Nothing from the file is trusted: offsets are bounded by the high-water mark, depth by `_MAX_DEPTH`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.meta import Meta, read_meta

ReadAt = Callable[[int, int], bytes]

_HEAD_BYTES = 1 << 17  # both metas of pages up to 64 KiB, the largest that a kernel has
_MAX_PAGE_BYTES = 1 << 26
_MAX_DEPTH = 32
_BRANCH, _LEAF = 0x01, 0x02
_IS_BUCKET = 0x01

_HEADER = struct.Struct("<QHHI")
_BRANCH_ELEMENT = struct.Struct("<IIQ")
_LEAF_ELEMENT = struct.Struct("<IIII")
_IN_BUCKET = struct.Struct("<QQ")


class PeekFailed(Exception):
    """The pages on the way are not those of an etcd database; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Peeked:
    """`revision` is the highest that the file knows: of the last record, or of a compaction after it."""

    revision: int
    consistent_index: int | None
    term: int | None


@dataclass(frozen=True, slots=True)
class _Element:
    key: bytes
    value: bytes
    is_bucket: bool
    child: int


class _Page:
    """A branch or leaf page, with its overflow, as one run of bytes."""

    def __init__(self, raw: bytes, *, where: str) -> None:
        if len(raw) < _HEADER.size:
            raise PeekFailed(f"{where} is cut off")
        self.flags: int
        self.count: int
        _, self.flags, self.count, _ = _HEADER.unpack_from(raw)
        self._raw, self._where = raw, where
        if self.flags not in (_BRANCH, _LEAF):
            raise PeekFailed(f"{where} is neither a branch nor a leaf (flags {self.flags:#06x})")
        if self.count == 0 and self.is_branch:
            raise PeekFailed(f"{where} is a branch without children")
        if _HEADER.size + 16 * self.count > len(raw):
            raise PeekFailed(f"{where} has no room for its {self.count} elements")

    @property
    def is_branch(self) -> bool:
        return self.flags == _BRANCH

    def element(self, number: int) -> _Element:
        at = _HEADER.size + 16 * number
        if self.is_branch:
            position, key_size, child = _BRANCH_ELEMENT.unpack_from(self._raw, at)
            flags, value_size = 0, 0
        else:
            flags, position, key_size, value_size = _LEAF_ELEMENT.unpack_from(self._raw, at)
            child = 0
        start = at + position
        if start + key_size + value_size > len(self._raw):
            raise PeekFailed(f"{self._where}, element {number}, reaches outside of its page")
        key, value = self._raw[start : start + key_size], self._raw[start + key_size : start + key_size + value_size]
        return _Element(key, value, bool(flags & _IS_BUCKET), child)

    def elements(self) -> Iterator[_Element]:
        return (self.element(number) for number in range(self.count))


class _Pages:
    def __init__(self, read_at: ReadAt, meta: Meta) -> None:
        self._read_at, self._meta = read_at, meta

    def page(self, number: int) -> _Page:
        size = self._meta.page_size
        where = f"page {number}"
        if not 2 <= number < self._meta.high_water:
            raise PeekFailed(f"{where} lies outside of the file ({self._meta.high_water} pages)")
        raw = self._read_at(number * size, size)
        if len(raw) < size:
            raise PeekFailed(f"the file ends before {where}")
        said, _, _, overflow = _HEADER.unpack_from(raw)
        if said != number:
            raise PeekFailed(f"{where} says that it is page {said}")
        if overflow:
            if overflow * size > _MAX_PAGE_BYTES or number + overflow >= self._meta.high_water:
                raise PeekFailed(f"{where} claims {overflow} pages more, which are not there")
            raw += self._read_at((number + 1) * size, overflow * size)
            if len(raw) < (1 + overflow) * size:
                raise PeekFailed(f"the file ends within {where}")
        return _Page(raw, where=where)


def peek(read_at: ReadAt) -> Peeked:
    """Return what a few pages say. Raises PeekFailed for damage on the way, and whatever `read_at` raises."""
    head = read_at(0, _HEAD_BYTES)
    findings = Findings()
    meta = read_meta(memoryview(head), data_size=len(head), findings=findings)
    if meta is None:
        reason = findings.listed[0] if findings.listed else None
        raise PeekFailed(f"no valid meta page: {reason.detail}" if reason else "no valid meta page")
    pages = _Pages(read_at, meta)
    buckets = {element.key: element.value for element in _leaves(pages, meta.root) if element.is_bucket}
    if b"key" not in buckets or b"meta" not in buckets:
        raise PeekFailed("it has no bucket `key` or no bucket `meta`, so it is not etcd's")
    said = {element.key: element.value for element in _records(pages, buckets[b"meta"])}
    compacted = max(_revision(said.get(name)) for name in (b"scheduledCompactRev", b"finishedCompactRev"))
    return Peeked(
        # A store without any record is at revision 1 (mvcc/kvstore.go, NewStore).
        revision=max(1, compacted, _revision(_last_key(pages, buckets[b"key"]))),
        consistent_index=_number(said.get(b"consistent_index")),
        term=_number(said.get(b"term")),
    )


def _leaves(pages: _Pages, root: int) -> Iterator[_Element]:
    """Yield the elements of all leaves below a page: for small buckets only."""
    waiting, seen = [(root, 1)], 0
    while waiting:
        number, depth = waiting.pop()
        seen += 1
        if depth > _MAX_DEPTH or seen > 1000:
            raise PeekFailed("a small bucket's tree has no end")
        page = pages.page(number)
        if page.is_branch:
            waiting.extend((element.child, depth + 1) for element in reversed(list(page.elements())))
        else:
            yield from page.elements()


def _records(pages: _Pages, bucket: bytes) -> Iterator[_Element]:
    inline, root = _opened(bucket)
    return inline.elements() if inline is not None else _leaves(pages, root)


def _last_key(pages: _Pages, bucket: bytes) -> bytes | None:
    page, root = _opened(bucket)
    depth = 0
    if page is None:
        page = pages.page(root)
    while page.is_branch:
        depth += 1
        if depth > _MAX_DEPTH:
            raise PeekFailed("the tree of bucket `key` is too deep")
        page = pages.page(page.element(page.count - 1).child)
    if page.count == 0:
        return None
    key = page.element(page.count - 1).key
    if len(key) not in (17, 18) or key[8:9] != b"_":
        raise PeekFailed("the last record of bucket `key` is not a revision")
    return key


def _opened(bucket: bytes) -> tuple[_Page | None, int]:
    """Return the page that lies in the bucket's entry itself, or the number of its root page."""
    if len(bucket) < _IN_BUCKET.size:
        raise PeekFailed("a bucket's entry is too short")
    root, _ = _IN_BUCKET.unpack_from(bucket)
    return (None, root) if root else (_Page(bucket[_IN_BUCKET.size :], where="a bucket's inline page"), 0)


def _revision(key: bytes | None) -> int:
    return int.from_bytes(key[:8]) if key is not None and len(key) >= 17 else 0


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value) if value is not None and len(value) == 8 else None
