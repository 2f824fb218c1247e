"""Walk the tree of one bucket from its root to its leaves, level by level, checking every page on the way.

Rules this module keeps:
- Each page is entered once in the whole file: `Pages.claimed` ends cycles and finds pages that two parents share.
- A page is entered only when its own id, type, bounds and element table are right; a damaged one is left out with a
  finding, and the walk goes on with its neighbours.
- Separators: each key of a subtree is at least its separator and below the next one (bbolt tx_check.go,
  recursivelyCheckPageKeyOrder). Branches are checked here, leaves by whoever reads them, with `lower` and `fence`.
- Depth may be uneven; more than 64 levels are taken for damage (a real tree has fewer than ten).
- The leaves of a large bucket are most of its pages: `walk_to_leaves` stops above them and leaves their headers to
  those who read them, side by side. bbolt's trees are even; who meets a branch there says so, and `walk` is called.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from etcd_dr.boltdb.elements import ELEMENT_BYTES, HEADER_BYTES, Elements, PageSpans, read_elements
from etcd_dr.boltdb.findings import Findings, shown
from etcd_dr.boltdb.image import Flags, Image, Ints, Words
from etcd_dr.boltdb.keys import Keys

MAX_DEPTH = 64
BRANCH_FLAG = 0x01
LEAF_FLAG = 0x02

_HEADER = np.dtype([("id", "<u8"), ("flags", "<u2"), ("count", "<u2"), ("overflow", "<u4")])
_BRANCHES_AT_ONCE = 512

K = TypeVar("K", bound=Keys)


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a file and which of them the walks have entered so far."""

    image: Image
    page_size: int
    high_water: int
    """First page id that is not in use, as the meta says."""
    limit: int
    """First page id that is not in the file; below `high_water` where the file is truncated."""
    claimed: Flags
    """One flag per page below `limit`."""
    findings: Findings

    @classmethod
    def of(cls, image: Image, *, page_size: int, high_water: int, findings: Findings) -> Pages:
        """Return the pages of a file with none entered but the two metas."""
        limit = min(high_water, image.data_size // page_size)
        claimed = np.zeros(limit, dtype=np.bool_)
        claimed[:2] = True
        return cls(image, page_size, high_water, limit, claimed, findings)

    def noting(self, findings: Findings) -> Pages:
        """Return the same pages, the same claims, with another list for findings."""
        return replace(self, findings=findings)


class UnevenTree(Exception):
    """A branch hangs where all others of its level have leaves."""


@dataclass(frozen=True, slots=True)
class Leaves(Generic[K]):
    """The leaf pages of a bucket in key order."""

    page: Ints
    lower: K
    """The separator of each leaf: its first key is not smaller."""
    fence: K
    """The separator that bounds whatever comes before: the keys of leaf i are smaller than fence i + 1."""
    spans: PageSpans | None
    """What their headers say; None where nobody has looked yet (`leaf_spans`)."""

    def __len__(self) -> int:
        return len(self.page)


@dataclass(frozen=True, slots=True)
class _Level(Generic[K]):
    """Pages in key order, some of which may still be branches."""

    page: Ints
    branch: Flags
    count: Ints
    overflow: Ints
    lower: K
    fence: K

    def kept(self, mask: Flags) -> _Level[K]:
        return _Level(
            self.page[mask],
            self.branch[mask],
            self.count[mask],
            self.overflow[mask],
            self.lower.take(mask),
            self.fence.take(mask),
        )

    def spans(self, page_size: int) -> PageSpans:
        return PageSpans(self.page, self.page * page_size, self.count, (1 + self.overflow) * page_size)


def walk(pages: Pages, root: int, *, order: type[K], where: str) -> Leaves[K]:
    """Return the leaves under a root page, each entered. `where` names the bucket in findings."""
    level, _ = _enter(
        pages,
        np.array([root], dtype=np.uint64),
        lower=order.lowest(),
        fence=order.lowest(),
        where=where,
        is_root=True,
    )
    return _walk_on(pages, level, order=order, where=where)


def walk_to_leaves(pages: Pages, root: int, *, order: type[K], where: str) -> Leaves[K]:
    """Return the leaves under a root page, claimed but not looked at unless the root is one.

    A leaf beside branches, which no bbolt writes, makes it walk to the end, as `walk` does.
    """
    ids, lower, fence = np.array([root], dtype=np.uint64), order.lowest(), order.lowest()
    level, _ = _enter(pages, ids, lower=lower, fence=fence, where=where, is_root=True)
    for _ in range(MAX_DEPTH):
        if not level.page.size or not level.branch.all():
            return _walk_on(pages, level, order=order, where=where)
        child, lower, fence, _ = _below(pages, level, order=order, where=where)
        if _looks_like_leaf(pages, child):
            kept = np.flatnonzero((child >= 2) & (child < pages.limit))
            _report_outside(pages, child, where=where)
            page = child[kept].astype(np.int64)
            free = claim(pages, page, np.zeros_like(page), where=where)
            return Leaves(page[free], lower.take(kept[free]), fence.take(kept[free]), None)
        level, _ = _enter(pages, child, lower=lower, fence=fence, where=where, is_root=False)
    pages.findings.lost("tree.depth", where, f"deeper than {MAX_DEPTH} levels")
    none = level.kept(np.zeros(len(level.page), dtype=np.bool_))
    return Leaves(none.page, none.lower, none.fence, none.spans(pages.page_size))


def _walk_on(pages: Pages, level: _Level[K], *, order: type[K], where: str) -> Leaves[K]:
    """Return the leaves under a level whose pages are entered."""
    for _ in range(MAX_DEPTH):
        if not level.branch.any():
            break
        level = _descend(pages, level, order=order, where=where)
    if level.branch.any():
        pages.findings.lost("tree.depth", where, f"deeper than {MAX_DEPTH} levels")
        level = level.kept(~level.branch)
    return Leaves(level.page, level.lower, level.fence, level.spans(pages.page_size))


def leaf_spans(pages: Pages, page: Ints, *, where: str) -> tuple[PageSpans, Ints]:
    """Read the headers of leaves that are claimed already; return the sound ones and which of `page` they are.

    Raises UnevenTree when one of them is a sound branch.
    """
    header, sound = _headers(pages, page, where=where, is_root=False)
    if (header["flags"][sound] == BRANCH_FLAG).any():
        raise UnevenTree
    kept = np.flatnonzero(sound)
    page, header = page[kept], header[kept]
    span = (1 + header["overflow"].astype(np.int64)) * pages.page_size
    return PageSpans(page, page * pages.page_size, header["count"].astype(np.int64), span), kept


def _looks_like_leaf(pages: Pages, child: Words) -> bool:
    inside = child[(child >= 2) & (child < pages.limit)][:1].astype(np.int64)
    header = pages.image.pieces(inside * pages.page_size, HEADER_BYTES).reshape(-1).view(_HEADER)
    return bool((header["flags"] == LEAF_FLAG).all())


def _descend(pages: Pages, level: _Level[K], *, order: type[K], where: str) -> _Level[K]:
    """Replace the branches of a level by their children; leaves stay where they are."""
    child, lower, fence, parent = _below(pages, level, order=order, where=where)
    entered, kept = _enter(pages, child, lower=lower, fence=fence, where=where, is_root=False)
    if level.branch.all():
        return entered
    still = np.flatnonzero(~level.branch)
    by_key = np.argsort(np.concatenate([still, parent[kept]]), kind="stable")
    return _joined(level.kept(~level.branch), entered, by_key)


def _below(pages: Pages, level: _Level[K], *, order: type[K], where: str) -> tuple[Words, K, K, Ints]:
    """Return, for all children of a level's branches: page id, separator, fence, index of the parent."""
    parent, child, lower = _children(pages, level, order=order, where=where)
    is_first = np.ones(len(parent), dtype=np.bool_)
    is_first[1:] = parent[1:] != parent[:-1]
    _check_separators(pages, level, parent, lower, is_first, where=where)
    return child, lower, _fences(level, parent, lower, is_first), parent


def _children(pages: Pages, level: _Level[K], *, order: type[K], where: str) -> tuple[Ints, Words, K]:
    """Return, for all children of a level's branches: index of the parent, page id, separator."""
    branches = np.flatnonzero(level.branch)
    spans = level.kept(level.branch).spans(pages.page_size)
    parents: list[Ints] = []
    children: list[Words] = []
    separators: list[K] = []
    # In parts, because the table of one level is as large as the number of leaves.
    for begin in range(0, len(branches), _BRANCHES_AT_ONCE):
        part = spans.part(begin, begin + _BRANCHES_AT_ONCE)
        elements = read_elements(pages.image, part, leaf=False, where=where, findings=pages.findings)
        separator = order.read(pages.image, elements.start, elements.key_size)
        _check_separator_form(pages, elements, part, separator, where=where)
        parents.append(branches[elements.owner + begin])
        children.append(elements.extra)
        separators.append(separator)
    return np.concatenate(parents), np.concatenate(children), order.joined(separators)


def _fences(level: _Level[K], parent: Ints, lower: K, is_first: Flags) -> K:
    inherited = level.fence.take(parent[is_first])
    if not inherited.before(lower.take(is_first)).any():
        return lower
    fence = type(lower).joined([lower])
    fence.put(is_first, inherited)
    return fence


def _check_separator_form(pages: Pages, elements: Elements, part: PageSpans, separator: K, *, where: str) -> None:
    for index in pages.findings.sample(np.flatnonzero(separator.malformed())):
        page = part.page[elements.owner[index]]
        key = pages.image.bytes_at(int(elements.start[index]), int(elements.key_size[index]))
        pages.findings.error("key.malformed", f"{where}, page {page}", f"separator {shown(key)} is no revision")


def _check_separators(pages: Pages, level: _Level[K], parent: Ints, lower: K, is_first: Flags, *, where: str) -> None:
    if len(parent) == 0:
        return
    sinking = is_first & lower.before(level.lower.take(parent))
    upper = type(lower).joined([lower.take(slice(1, None)), lower.take(slice(0, 1))])
    is_last = np.roll(is_first, -1)
    has_upper = ~is_last | (parent + 1 < len(level.page))
    upper.put(is_last, level.fence.take(np.minimum(parent[is_last] + 1, len(level.page) - 1)))
    rising = ~has_upper | lower.before(upper)
    for index in pages.findings.sample(np.flatnonzero(sinking | ~rising)):
        pages.findings.error(
            "key.order",
            f"{where}, page {level.page[parent[index]]}",
            f"separator {lower.text(index)} is outside its place",
        )


def _enter(pages: Pages, ids: Words, *, lower: K, fence: K, where: str, is_root: bool) -> tuple[_Level[K], Ints]:
    """Read and check page headers, and claim the pages; return the sound ones and which of `ids` they are."""
    kept = np.flatnonzero((ids >= 2) & (ids < pages.limit))
    _report_outside(pages, ids, where=where)
    page = ids[kept].astype(np.int64)
    header, sound = _headers(pages, page, where=where, is_root=is_root)
    kept, page, header = kept[sound], page[sound], header[sound]
    overflow = header["overflow"].astype(np.int64)
    free = claim(pages, page, overflow, where=where)
    index, header = kept[free], header[free]
    level = _Level(
        page[free],
        header["flags"] == BRANCH_FLAG,
        header["count"].astype(np.int64),
        overflow[free],
        lower.take(index),
        fence.take(index),
    )
    return level, index


def _headers(pages: Pages, page: Ints, *, where: str, is_root: bool) -> tuple[NDArray[np.void], Flags]:
    """Read page headers and say which of them are sound."""
    header = pages.image.pieces(page * pages.page_size, HEADER_BYTES).reshape(-1).view(_HEADER)
    count = header["count"].astype(np.int64)
    overflow = header["overflow"].astype(np.int64)
    branch = header["flags"] == BRANCH_FLAG
    sound = header["id"] == page.astype(np.uint64)
    sound &= branch | (header["flags"] == LEAF_FLAG)
    sound &= page + overflow < pages.limit
    sound &= HEADER_BYTES + ELEMENT_BYTES * count <= (1 + overflow) * pages.page_size
    sound &= (count > 0) | (is_root & ~branch)
    for index in pages.findings.sample(np.flatnonzero(~sound)):
        _report_header(pages, int(page[index]), header[index], where=where)
    return header, sound


def _report_outside(pages: Pages, ids: Words, *, where: str) -> None:
    for index in pages.findings.sample(np.flatnonzero((ids < 2) | (ids >= pages.limit))):
        page = int(ids[index])
        if 2 <= page < pages.high_water:
            pages.findings.lost("page.missing", f"{where}, page {page}", "lies beyond the end of the file")
        else:
            pages.findings.lost(
                "page.out_of_bounds", f"{where}, page {page}", f"pages in use are 2 to {pages.high_water - 1}"
            )


def _report_header(pages: Pages, page: int, header: np.void, *, where: str) -> None:
    place = f"{where}, page {page}"
    flags, count, overflow = int(header["flags"]), int(header["count"]), int(header["overflow"])
    if int(header["id"]) != page:
        pages.findings.lost("page.self_id", place, f"says it is page {int(header['id'])}")
    elif flags not in (BRANCH_FLAG, LEAF_FLAG):
        pages.findings.lost("page.type", place, f"flags are {flags:#06x}, expected a branch or a leaf")
    elif page + overflow >= pages.limit:
        pages.findings.lost("page.overflow", place, f"{overflow} overflow pages reach beyond page {pages.limit - 1}")
    elif count == 0:
        pages.findings.lost("page.empty", place, "has no elements")
    else:
        pages.findings.lost("page.count", place, f"{count} elements do not fit into the page")


def claim(pages: Pages, page: Ints, overflow: Ints, *, where: str) -> Flags:
    """Claim pages with their overflow; return which of them nobody had claimed before."""
    every, total = page, len(page) + int(overflow.sum())
    if total > pages.limit:
        return _claimed_singly(pages, page, overflow, where=where)
    if total > len(page):
        head = np.cumsum(1 + overflow) - (1 + overflow)
        every = np.repeat(page - head, 1 + overflow) + np.arange(total, dtype=np.int64)
    if not pages.claimed[every].any():
        before = np.count_nonzero(pages.claimed)
        pages.claimed[every] = True
        if np.count_nonzero(pages.claimed) - before == total:
            return np.ones(len(page), dtype=np.bool_)
        pages.claimed[every] = False
    return _claimed_singly(pages, page, overflow, where=where)


def _claimed_singly(pages: Pages, page: Ints, overflow: Ints, *, where: str) -> Flags:
    free = np.ones(len(page), dtype=np.bool_)
    for index, (begin, more) in enumerate(zip(page.tolist(), overflow.tolist(), strict=True)):
        if pages.claimed[begin : begin + more + 1].any():
            free[index] = False
            pages.findings.lost("page.shared", f"{where}, page {begin}", "is referred to more than once")
        else:
            pages.claimed[begin : begin + more + 1] = True
    return free


def _joined(first: _Level[K], second: _Level[K], index: Ints) -> _Level[K]:
    keys = type(first.lower)
    return _Level(
        np.concatenate([first.page, second.page])[index],
        np.concatenate([first.branch, second.branch])[index],
        np.concatenate([first.count, second.count])[index],
        np.concatenate([first.overflow, second.overflow])[index],
        keys.joined([first.lower, second.lower]).take(index),
        keys.joined([first.fence, second.fence]).take(index),
    )
