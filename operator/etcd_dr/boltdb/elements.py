"""The element tables of branch and leaf pages: many pages at once.

Rules this module keeps:
- bbolt writes keys and values behind the table without gaps and in order (node.go, write; common/inode.go). A page
  that keeps to it is right by two comparisons per element.
- A page that does not is looked at alone: inside its bounds and free of overlaps it is read all the same, with a
  warning that no bbolt wrote it; otherwise its elements are lost.
- What is returned never points outside its own page, and no two elements share a byte: reading all of them costs no
  more than reading the file once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.image import Flags, Image, Ints, Words

HEADER_BYTES = 16
ELEMENT_BYTES = 16

_LEAF = np.dtype([("flags", "<u4"), ("pos", "<u4"), ("key_size", "<u4"), ("value_size", "<u4")])
_NO_FLAGS = np.zeros(1, dtype=np.uint64)
_BRANCH = np.dtype([("pos", "<u4"), ("key_size", "<u4"), ("child", "<u8")])


@dataclass(frozen=True, slots=True)
class PageSpans:
    """Where pages lie, and how many elements each announces; their tables are known to fit."""

    page: Ints
    offset: Ints
    count: Ints
    span: Ints
    """Bytes of the page with its overflow pages."""

    def part(self, begin: int, end: int) -> PageSpans:
        """Return some of the pages."""
        return PageSpans(self.page[begin:end], self.offset[begin:end], self.count[begin:end], self.span[begin:end])

    def __len__(self) -> int:
        return len(self.page)


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements in order: where each key lies (the value follows it), and what the element says besides."""

    owner: Ints
    """Index of the page among those that were asked for."""
    start: Ints
    key_size: Ints
    end: Ints
    """One past the value's last byte."""
    extra: Words
    """Element flags on a leaf, the child's page id on a branch."""

    def kept(self, mask: Flags) -> Elements:
        """Return the elements under a mask."""
        return Elements(self.owner[mask], self.start[mask], self.key_size[mask], self.end[mask], self.extra[mask])

    def __len__(self) -> int:
        return len(self.owner)


def read_elements(image: Image, pages: PageSpans, *, leaf: bool, where: str, findings: Findings) -> Elements:
    """Return the elements of some pages in order; those of a damaged page are left out, with a finding."""
    first = np.cumsum(pages.count) - pages.count
    total = int(pages.count.sum())
    owner = np.repeat(np.arange(len(pages), dtype=np.int64), pages.count)
    own_offset = np.repeat(pages.offset + HEADER_BYTES - ELEMENT_BYTES * first, pages.count)
    own_offset += np.arange(total, dtype=np.int64) * ELEMENT_BYTES
    raw = image.pieces(own_offset, ELEMENT_BYTES)
    table = raw.reshape(-1).view(_LEAF if leaf else _BRANCH)
    start = own_offset + table["pos"]
    key_size = table["key_size"].astype(np.int64)
    end = start + key_size
    if leaf:
        end += table["value_size"]
    extra = table["child"] if not leaf else table["flags"] if table["flags"].any() else _NO_FLAGS
    extra = np.broadcast_to(extra, total).astype(np.uint64, copy=False)
    elements = Elements(owner, start, key_size, end, extra)
    return _without_damage(pages, elements, first, where=where, findings=findings)


def _without_damage(pages: PageSpans, elements: Elements, first: Ints, *, where: str, findings: Findings) -> Elements:
    if len(elements) == 0:
        return elements
    filled = pages.count > 0
    firsts = first[filled]
    lasts = (first + pages.count - 1)[filled]
    astray = np.empty(len(elements), dtype=np.bool_)
    np.not_equal(elements.start[1:], elements.end[:-1], out=astray[1:])
    table_end = (pages.offset + HEADER_BYTES + ELEMENT_BYTES * pages.count)[filled]
    astray[firsts] = elements.start[firsts] != table_end
    beyond = elements.end[lasts] > (pages.offset + pages.span)[filled]
    if not astray.any() and not beyond.any() and elements.key_size.min() > 0:
        return elements
    suspects = np.union1d(elements.owner[astray | (elements.key_size == 0)], elements.owner[lasts[beyond]])
    lost = [
        suspect
        for suspect in suspects.tolist()
        if not _is_readable(
            pages,
            suspect,
            elements,
            int(first[suspect]),
            where=f"{where}, page {pages.page[suspect]}",
            findings=findings,
        )
    ]
    return elements.kept(~np.isin(elements.owner, np.array(lost, dtype=np.int64))) if lost else elements


def _is_readable(
    pages: PageSpans, suspect: int, elements: Elements, first: int, *, where: str, findings: Findings
) -> bool:
    """Judge a page that is not laid out as bbolt lays it out."""
    count = int(pages.count[suspect])
    begin = int(pages.offset[suspect]) + HEADER_BYTES + ELEMENT_BYTES * count
    page_end = int(pages.offset[suspect] + pages.span[suspect])
    start, end = elements.start[first : first + count], elements.end[first : first + count]
    outside = np.flatnonzero((start < begin) | (end > page_end))
    if len(outside):
        findings.lost("element.bounds", f"{where}, element {outside[0]}", f"{len(outside)} of {count} reach outside")
        return False
    by_place = np.argsort(start, kind="stable")
    if (end[by_place][:-1] > start[by_place][1:]).any():
        findings.lost("element.overlap", where, "elements share bytes")
        return False
    gap = int(start[0]) - begin
    if gap and gap % ELEMENT_BYTES == 0 and (start[1:] == end[:-1]).all():
        findings.lost(
            "page.count", where, f"{count} elements, but room for {count + gap // ELEMENT_BYTES} before the data"
        )
        return False
    empty = int((elements.key_size[first : first + count] == 0).sum())
    if empty:
        findings.error("key.empty", where, f"{empty} keys without a byte")
    if gap or (start[1:] != end[:-1]).any():
        findings.warning("page.layout", where, "whole, but not laid out as bbolt does it")
    return True
