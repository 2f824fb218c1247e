"""Build bbolt files byte by byte, right ones and wrong ones: what the reader's tests read.

Rules this fake keeps:
- The layout is bbolt's (common/page.go, common/meta.go, node.go): copying it from the reader would prove nothing, so
  nothing is imported from there.
- Shapes are chosen, not left to chance: page size, records per leaf, children per branch, inline or not, freelist
  synced or not, free pages between, uneven depth, overflow pages where a record needs them.
- Damage is done to a finished file, page by page, with `page(id)` and `patch`; `sealed()` gives the bytes with the
  SHA-256 trailer, right for whatever they have become.

    file = BoltFile({b"key": {b"a": b"1"}, b"meta": {}}, leaf_records=2)
    file.page(file.leaves(b"key")[0]).count = 7
    examine(file.sealed())
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

BRANCH, LEAF, META, FREELIST = 0x01, 0x02, 0x04, 0x10
NO_FREELIST = (1 << 64) - 1
HEADER = 16

_PAGE = struct.Struct("<QHHI")
_LEAF_ELEMENT = struct.Struct("<IIII")
_BRANCH_ELEMENT = struct.Struct("<IIQ")
_META = struct.Struct("<IIIIQQQQQ")

Content = Mapping[bytes, Union[bytes, "Content"]]
"""Keys with values, or with the content of a nested bucket."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How content is laid out; the defaults are etcd's."""

    page_size: int = 4096
    leaf_records: int = 1000
    """At most so many records on a leaf; a full page ends it sooner."""
    branch_children: int = 100
    inline: bool = True
    """Whether small buckets lie in their parent's value, as bbolt does it."""
    synced_freelist: bool = False
    free_pages: int = 0
    """Free pages, put between the pages in use."""
    uneven: bool = False
    """Whether the first leaf of a bucket hangs one level higher than the others."""
    late_leaf: bool = False
    """Whether the last one does."""
    padding: int = 0
    """Unused bytes between element table and data: what no bbolt writes, and a reader can still read."""
    txid: int = 7


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page went and what it is."""

    page: int
    kind: int
    bucket: bytes
    overflow: int


@dataclass
class PageView:
    """One page of a file, to be read and bent."""

    data: bytearray
    offset: int

    @property
    def page_id(self) -> int:
        return self._header()[0]

    @page_id.setter
    def page_id(self, value: int) -> None:
        self._write(0, value)

    @property
    def flags(self) -> int:
        return self._header()[1]

    @flags.setter
    def flags(self, value: int) -> None:
        self._write(1, value)

    @property
    def count(self) -> int:
        return self._header()[2]

    @count.setter
    def count(self, value: int) -> None:
        self._write(2, value)

    @property
    def overflow(self) -> int:
        return self._header()[3]

    @overflow.setter
    def overflow(self, value: int) -> None:
        self._write(3, value)

    def element(self, index: int) -> list[int]:
        """Return an element's fields: flags, position, key size, value size on a leaf; position, key size, child."""
        kind = _BRANCH_ELEMENT if self.flags == BRANCH else _LEAF_ELEMENT
        return list(kind.unpack_from(self.data, self.offset + HEADER + 16 * index))

    def set_element(self, index: int, *fields: int) -> None:
        """Replace an element's fields."""
        kind = _BRANCH_ELEMENT if self.flags == BRANCH else _LEAF_ELEMENT
        kind.pack_into(self.data, self.offset + HEADER + 16 * index, *fields)

    def key_offset(self, index: int) -> int:
        """Return where an element's key lies in the file."""
        position = self.element(index)[0 if self.flags == BRANCH else 1]
        return self.offset + HEADER + 16 * index + position

    def _header(self) -> tuple[int, int, int, int]:
        page_id, flags, count, overflow = _PAGE.unpack_from(self.data, self.offset)
        return page_id, flags, count, overflow

    def _write(self, index: int, value: int) -> None:
        header = list(self._header())
        header[index] = value
        _PAGE.pack_into(self.data, self.offset, *header)


@dataclass
class BoltFile:
    """A finished file; `data` may be bent at will."""

    content: Content
    shape: Shape = field(default_factory=Shape)

    def __post_init__(self) -> None:
        self.places: list[Place] = []
        self.free: list[int] = []
        self._pages: dict[int, bytes] = {}
        self._next = 2
        root = self._write_bucket(b"", self.content, is_root=True)
        freelist = self._write_freelist() if self.shape.synced_freelist else NO_FREELIST
        self.high_water = self._next
        self.root, self.freelist = root, freelist
        self.data = bytearray(self.high_water * self.shape.page_size)
        for page, raw in self._pages.items():
            self.data[page * self.shape.page_size : page * self.shape.page_size + len(raw)] = raw
        for number in (0, 1):
            self.write_meta(number)

    def page(self, page: int) -> PageView:
        """Return a page to look at or to bend."""
        return PageView(self.data, page * self.shape.page_size)

    def leaves(self, bucket: bytes) -> list[int]:
        """Return the page ids of a bucket's leaves in key order."""
        return [place.page for place in self.places if place.kind == LEAF and place.bucket == bucket]

    def branches(self, bucket: bytes) -> list[int]:
        """Return the page ids of a bucket's branches, the lowest level first."""
        return [place.page for place in self.places if place.kind == BRANCH and place.bucket == bucket]

    def write_meta(self, number: int, **changes: int) -> None:
        """Write a meta page, its checksum included. Changes are named as the fields are."""
        fields = {
            "magic": 0xED0CDAED,
            "version": 2,
            "page_size": self.shape.page_size,
            "flags": 0,
            "root": self.root,
            "sequence": 0,
            "freelist": self.freelist,
            "high_water": self.high_water,
            "txid": self.shape.txid - number,
        }
        fields.update(changes)
        raw = _META.pack(*fields.values())
        at = number * self.shape.page_size
        _PAGE.pack_into(self.data, at, number, META, 0, 0)
        self.data[at + HEADER : at + HEADER + 64] = raw + struct.pack("<Q", fnv1a(raw))

    def raw(self) -> bytes:
        """Return the file as a data directory has it."""
        return bytes(self.data)

    def sealed(self) -> bytes:
        """Return the file as a snapshot stream gives it, with a trailer that is right for it."""
        return bytes(self.data) + hashlib.sha256(self.data).digest()

    def _take(self, count: int = 1) -> int:
        if len(self.free) < self.shape.free_pages:
            self.free.append(self._next)
            self._next += 1
        page = self._next
        self._next += count
        return page

    def _write_bucket(self, name: bytes, content: Content, *, is_root: bool = False) -> int:
        elements = []
        for key in sorted(content):
            value = content[key]
            if isinstance(value, bytes):
                elements.append((0, key, value))
            else:
                elements.append((1, key, self._bucket_value(name + b"/" + key if name else key, value)))
        leaves = self._write_leaves(name, elements)
        if self.shape.late_leaf and not is_root and len(leaves) > 2:
            most = self._write_branches(name, leaves[:-1])
            return self._write_branch(name, [(leaves[0][0], most), leaves[-1]])
        if self.shape.uneven and not is_root and len(leaves) > 2:
            rest = self._write_branches(name, leaves[1:])
            return self._write_branch(name, [leaves[0], (leaves[1][0], rest)])
        return self._write_branches(name, leaves)

    def _bucket_value(self, name: bytes, content: Content) -> bytes:
        flat = all(isinstance(value, bytes) for value in content.values())
        size = HEADER + sum(16 + len(key) + len(value) for key, value in content.items())
        if self.shape.inline and flat and size <= self.shape.page_size // 4:
            elements = [(0, key, bytes(content[key])) for key in sorted(content)]  # type: ignore[arg-type] # flat
            return struct.pack("<QQ", 0, 0) + _leaf_image(0, elements, 0, 0)
        return struct.pack("<QQ", self._write_bucket(name, content), 0)

    def _write_leaves(self, name: bytes, elements: Sequence[tuple[int, bytes, bytes]]) -> list[tuple[bytes, int]]:
        groups: list[list[tuple[int, bytes, bytes]]] = [[]]
        used = HEADER + self.shape.padding
        for element in elements:
            size = 16 + len(element[1]) + len(element[2])
            full = used + size > self.shape.page_size or len(groups[-1]) >= self.shape.leaf_records
            if groups[-1] and full:
                groups.append([])
                used = HEADER + self.shape.padding
            groups[-1].append(element)
            used += size
        leaves = []
        for group in groups:
            size = len(_leaf_image(0, group, 0, self.shape.padding))
            overflow = (size - 1) // self.shape.page_size
            page = self._take(1 + overflow)
            self._pages[page] = _leaf_image(page, group, overflow, self.shape.padding)
            self.places.append(Place(page, LEAF, name, overflow))
            leaves.append((group[0][1] if group else b"", page))
        return leaves

    def _write_branches(self, name: bytes, children: list[tuple[bytes, int]]) -> int:
        while len(children) > 1:
            step = self.shape.branch_children
            groups = [children[at : at + step] for at in range(0, len(children), step)]
            children = [(group[0][0], self._write_branch(name, group)) for group in groups]
        return children[0][1]

    def _write_branch(self, name: bytes, children: Sequence[tuple[bytes, int]]) -> int:
        size = HEADER + sum(16 + len(key) for key, _ in children)
        overflow = (size - 1) // self.shape.page_size
        page = self._take(1 + overflow)
        table, data = bytearray(), bytearray()
        for index, (key, child) in enumerate(children):
            table += _BRANCH_ELEMENT.pack(16 * (len(children) - index) + len(data), len(key), child)
            data += key
        self._pages[page] = _PAGE.pack(page, BRANCH, len(children), overflow) + table + data
        self.places.append(Place(page, BRANCH, name, overflow))
        return page

    def _write_freelist(self) -> int:
        page = self._next
        entries = struct.pack(f"<{len(self.free)}Q", *self.free)
        count = len(self.free)
        if count >= 0xFFFF:
            entries, count = struct.pack("<Q", count) + entries, 0xFFFF
        overflow = (HEADER + len(entries) - 1) // self.shape.page_size
        self._next += 1 + overflow
        self._pages[page] = _PAGE.pack(page, FREELIST, count, overflow) + entries
        self.places.append(Place(page, FREELIST, b"", overflow))
        return page


def _leaf_image(page: int, elements: Sequence[tuple[int, bytes, bytes]], overflow: int, padding: int) -> bytes:
    table, data = bytearray(), bytearray()
    for index, (flags, key, value) in enumerate(elements):
        position = 16 * (len(elements) - index) + padding + len(data)
        table += _LEAF_ELEMENT.pack(flags, position, len(key), len(value))
        data += key + value
    return _PAGE.pack(page, LEAF, len(elements), overflow) + table + bytes(padding) + data


def fnv1a(raw: bytes) -> int:
    """Return bbolt's checksum of a meta page."""
    digest = 14695981039346656037
    for byte in raw:
        digest = (digest ^ byte) * 1099511628211 % (1 << 64)
    return digest
