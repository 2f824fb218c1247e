"""The two meta pages: which one counts, and what it says of the rest of the file.

Rules this module keeps:
- The valid meta with the higher transaction id counts (bbolt db.go, meta); the other one's damage is a warning,
  because bbolt opens the file all the same.
- A meta is judged by magic, version, page size, checksum (FNV-1a over its first 56 bytes) and its references.
- Without any valid meta there is no database; the reason is an error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from etcd_dr.boltdb.findings import Findings

MAGIC = 0xED0CDAED
VERSION = 2
NO_FREELIST = 0xFFFF_FFFF_FFFF_FFFF
PAGE_SIZES = tuple(1024 << power for power in range(15))
"""The page sizes bbolt itself looks for when the first meta is damaged (db.go, getPageSizeFromSecondMeta)."""

_HEADER = struct.Struct("<QHHI")
_META = struct.Struct("<IIIIQQQQQQ")
META_FLAG = 0x04
_META_END = _HEADER.size + _META.size


@dataclass(frozen=True, slots=True)
class Meta:
    """What a meta page says."""

    page_size: int
    root: int
    freelist: int
    high_water: int
    txid: int

    @property
    def freelist_synced(self) -> bool:
        """Say whether the file has a freelist page."""
        return self.freelist != NO_FREELIST


@dataclass(frozen=True, slots=True)
class _Complaint:
    code: str
    detail: str


def read_meta(view: memoryview, *, data_size: int, findings: Findings) -> Meta | None:
    """Return the meta that counts, or None (with an error) when neither page holds a valid one."""
    if data_size < 2 * PAGE_SIZES[0]:
        findings.lost("file.too_short", "file", f"{data_size} bytes cannot hold two meta pages")
        return None
    page_size = _find_page_size(view, data_size)
    if page_size is None:
        complaint = _content(view, 0)
        assert isinstance(complaint, _Complaint)  # noqa: S101 - a Meta here would have given the page size
        findings.lost(complaint.code, "page 0 and page 1", f"no valid meta page; on page 0 {complaint.detail}")
        return None
    return _choose(view, page_size, findings)


def _find_page_size(view: memoryview, data_size: int) -> int | None:
    for offset in (0, *PAGE_SIZES):
        if offset + _META_END <= data_size:
            meta = _content(view, offset)
            if isinstance(meta, Meta) and offset in (0, meta.page_size):
                return meta.page_size
    return None


def _choose(view: memoryview, page_size: int, findings: Findings) -> Meta:
    valid: list[Meta] = []
    for number in (0, 1):
        content = _content(view, number * page_size)
        if isinstance(content, Meta) and content.page_size != page_size:
            content = _Complaint("meta.page_size", f"page size is {content.page_size}, the other says {page_size}")
        if isinstance(content, _Complaint):
            findings.warning(content.code, f"page {number}", f"{content.detail}; the other meta page is valid")
            continue
        valid.append(content)
        # bbolt opens a file whose meta is sound under a damaged page header, and so do we.
        complaint = _header_complaint(view, number * page_size, expected_id=number)
        if complaint is not None:
            findings.warning(complaint.code, f"page {number}", f"{complaint.detail}; the meta on it is valid")
    return max(valid, key=lambda meta: meta.txid)


def _header_complaint(view: memoryview, offset: int, *, expected_id: int) -> _Complaint | None:
    page_id, flags, _, _ = _HEADER.unpack_from(view, offset)
    if page_id != expected_id:
        return _Complaint("page.self_id", f"says it is page {page_id}")
    if flags != META_FLAG:
        return _Complaint("page.type", f"flags are {flags:#06x}, a meta page has {META_FLAG:#06x}")
    return None


def _content(view: memoryview, offset: int) -> Meta | _Complaint:
    raw = bytes(view[offset + _HEADER.size : offset + _META_END])
    if len(raw) < _META.size:
        return _Complaint("file.truncated", "the file ends before it")
    magic, version, page_size, _, root, _, freelist, high_water, txid, checksum = _META.unpack(raw)
    if magic != MAGIC:
        return _Complaint("meta.magic", f"magic is {magic:#010x}, bbolt's is {MAGIC:#010x}")
    if version != VERSION:
        return _Complaint("meta.version", f"version is {version}, only {VERSION} is known")
    if checksum != fnv1a(raw[:56]):
        return _Complaint("meta.checksum", f"checksum is {checksum:#018x}, content gives {fnv1a(raw[:56]):#018x}")
    if page_size not in PAGE_SIZES:
        return _Complaint("meta.page_size", f"page size is {page_size}")
    meta = Meta(page_size=page_size, root=root, freelist=freelist, high_water=high_water, txid=txid)
    return _reference_complaint(meta) or meta


def _reference_complaint(meta: Meta) -> _Complaint | None:
    """Say what bbolt would never write (meta.go, Write)."""
    if not 2 <= meta.root < meta.high_water:
        return _Complaint("meta.root", f"root is page {meta.root}, high water is {meta.high_water}")
    if meta.freelist_synced and not 2 <= meta.freelist < meta.high_water:
        return _Complaint("meta.freelist", f"freelist is page {meta.freelist}, high water is {meta.high_water}")
    return None


def fnv1a(raw: bytes) -> int:
    """Return the 64-bit FNV-1a hash of some bytes."""
    digest = 0xCBF29CE484222325
    for byte in raw:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFF_FFFF_FFFF_FFFF
    return digest
