"""The list of free pages, where the file has one.

Rules this module keeps:
- etcd writes none (NoFreelistSync): every page that nothing refers to is then free, and there is nothing to check.
- A synced list must be exact (bbolt tx_check.go): no page twice, none that is in use, none below the high-water mark
  that is neither. Its own pages count as in use.
- A wrong list loses no record, so its findings are errors but never `lost`.
"""

from __future__ import annotations

import numpy as np

from etcd_dr.boltdb.elements import HEADER_BYTES
from etcd_dr.boltdb.image import Words
from etcd_dr.boltdb.meta import Meta
from etcd_dr.boltdb.tree import Pages

FREELIST_FLAG = 0x10
COUNT_IS_FIRST = 0xFFFF
"""A count of 65535 says that the first entry holds the real one (common/page.go, FreelistPageCount)."""

_HEADER = np.dtype([("id", "<u8"), ("flags", "<u2"), ("count", "<u2"), ("overflow", "<u4")])


def claim_freelist(pages: Pages, meta: Meta) -> Words | None:
    """Read the list and mark its own pages as in use; None without a list, or when it cannot be read."""
    if not meta.freelist_synced:
        return None
    place, findings = f"freelist, page {meta.freelist}", pages.findings
    if meta.freelist >= pages.limit:
        findings.error("page.missing", place, "lies beyond the end of the file")
        return None
    offset = meta.freelist * pages.page_size
    header = np.frombuffer(pages.image.view, dtype=_HEADER, count=1, offset=offset)[0]
    overflow = int(header["overflow"])
    span = slice(meta.freelist, meta.freelist + 1 + overflow)
    if int(header["id"]) != meta.freelist:
        findings.error("page.self_id", place, f"says it is page {int(header['id'])}")
    elif int(header["flags"]) != FREELIST_FLAG:
        findings.error("page.type", place, f"flags are {int(header['flags']):#06x}, expected a freelist")
    elif span.stop > pages.limit:
        findings.error("page.overflow", place, f"{overflow} overflow pages reach beyond page {pages.limit - 1}")
    elif pages.claimed[span].any():
        findings.error("page.shared", place, "is referred to more than once")
    else:
        pages.claimed[span] = True
        return _entries(pages, offset, int(header["count"]), (1 + overflow) * pages.page_size, place)
    return None


def check_freelist(pages: Pages, free: Words) -> None:
    """Compare the list with what the walks have reached; call it when all of them are done."""
    findings = pages.findings
    outside = (free < 2) | (free >= pages.limit)
    for index in findings.sample(np.flatnonzero(outside)):
        findings.error("freelist.bounds", "freelist", f"page {int(free[index])} is no page of the file")
    listed = np.sort(free[~outside].astype(np.int64))
    for index in findings.sample(np.flatnonzero(listed[1:] == listed[:-1])):
        findings.error("freelist.double", f"page {listed[index]}", "is listed as free twice")
    for index in findings.sample(np.flatnonzero(pages.claimed[listed])):
        findings.error("freelist.reachable", f"page {listed[index]}", "is listed as free and in use")
    if findings.is_incomplete:
        return  # What a damaged page refers to is unknown, and would all count as leaked.
    accounted = pages.claimed.copy()
    accounted[listed] = True
    for page in findings.sample(np.flatnonzero(~accounted)):
        findings.error("freelist.leaked", f"page {page}", "is neither free nor in use")


def _entries(pages: Pages, offset: int, count: int, span: int, place: str) -> Words | None:
    room = (span - HEADER_BYTES) // 8
    words = np.frombuffer(pages.image.view, dtype="<u8", count=room, offset=offset + HEADER_BYTES)
    begin = 0
    if count == COUNT_IS_FIRST:
        begin, count = 1, int(words[0])
    if count > room - begin:
        pages.findings.error("freelist.count", place, f"{count} entries do not fit into the page")
        return None
    return words[begin : begin + count]
