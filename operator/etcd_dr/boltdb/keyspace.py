"""The bucket `key`: every revision of every key, read in chunks of whole leaf pages.

Rules this module keeps:
- A chunk is some leaves, about as many as hold 16000 records; its results do not depend on which process computes
  them or in which order. However many records its pages turn out to hold, they are read in parts that stay small.
- `records` reads a chunk and checks what every use depends on (pages, layout, revision keys, order, bounds);
  `check_values` looks into the records themselves.
- What is damaged is left out, with a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from etcd_dr.boltdb import keyvalue, userkeys
from etcd_dr.boltdb.checksums import crc32c
from etcd_dr.boltdb.elements import HEADER_BYTES, Elements, PageSpans, read_elements
from etcd_dr.boltdb.findings import Findings, shown
from etcd_dr.boltdb.image import Bytes, Flags, Ints, Words
from etcd_dr.boltdb.keys import HEAD_BYTES, RevisionKeys
from etcd_dr.boltdb.tree import Leaves, Pages, leaf_spans

WHERE = "bucket key"
MAX_REVISION = (1 << 63) - 1
_RECORDS_PER_CHUNK = 16_384
_RECORDS_PER_PART = 32_768
_LEAVES_PER_CHUNK = (128, 2_048)
_SAMPLED_LEAVES = 64
_HIGHEST = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one chunk in order."""

    elements: Elements
    heads: Bytes
    """The first bytes of each record."""
    keys: RevisionKeys
    leaf: Ints
    """Index among the bucket's leaves, by the elements' `owner`."""
    spans: PageSpans
    """The pages, by the elements' `owner`."""

    @property
    def value(self) -> Ints:
        """Byte offsets of the values."""
        return self.elements.start + self.elements.key_size

    def __len__(self) -> int:
        return len(self.elements)


class Keyspace:
    """The leaves of the bucket, cut into chunks."""

    def __init__(self, pages: Pages, leaves: Leaves[RevisionKeys]) -> None:
        self._pages = pages
        self._image = pages.image
        self._leaves = leaves
        self._leaves_per_chunk = _leaves_per_chunk(pages, leaves)

    @property
    def chunk_count(self) -> int:
        """Number of chunks; they are numbered from 0 in key order."""
        return -(-len(self._leaves) // self._leaves_per_chunk)

    def chunk_before(self, revision: int) -> int:
        """Return the last chunk that can hold a main revision up to this one; -1 when none can."""
        # Everything in a leaf sorts before the separator of the next one.
        bound = np.uint64(min(max(revision, 0), MAX_REVISION))
        leaf = int(np.searchsorted(self._leaves.lower.main, bound, side="right")) - 1
        return leaf // self._leaves_per_chunk

    def records(self, chunk: int, findings: Findings) -> Iterator[Records]:
        """Read the records of a chunk, part by part. Raises UnevenTree, see `tree`."""
        begin = chunk * self._leaves_per_chunk
        spans, leaf = self._spans(begin, begin + self._leaves_per_chunk, findings)
        for first, last in _parts(spans):
            yield self._part(spans.part(first, last), leaf[first:last], findings)

    def _spans(self, begin: int, end: int, findings: Findings) -> tuple[PageSpans, Ints]:
        page = self._leaves.page[begin:end]
        if self._leaves.spans is not None:
            return self._leaves.spans.part(begin, end), np.arange(begin, begin + len(page), dtype=np.int64)
        spans, kept = leaf_spans(self._pages.noting(findings), page, where=WHERE)
        return spans, kept + begin

    def _part(self, spans: PageSpans, leaf: Ints, findings: Findings) -> Records:
        elements = read_elements(self._image, spans, leaf=True, where=WHERE, findings=findings)
        if elements.extra.any():
            elements = _without_buckets(elements, spans, findings)
        heads = self._image.pieces(elements.start, HEAD_BYTES)
        keys = RevisionKeys.of_heads(heads, elements.key_size)
        wrong = keys.malformed()
        if wrong.any():
            self._report_malformed_keys(elements, wrong, spans, findings)
            elements, heads, keys = elements.kept(~wrong), heads[~wrong], keys.take(~wrong)
        records = Records(elements, heads, keys, leaf, spans)
        if len(records):
            self._check_order(records, findings)
        return records

    def overflowing(self, records: Records) -> list[tuple[int, int]]:
        """Return the pages that have overflow pages nobody has claimed yet, and how many."""
        if self._leaves.spans is not None:
            return []
        overflow = records.spans.span // self._pages.page_size - 1
        some = overflow > 0
        return list(zip(records.spans.page[some].tolist(), overflow[some].tolist(), strict=True))

    def check_values(self, records: Records, keys: userkeys.UserKeys, findings: Findings) -> None:
        """Judge the KeyValue of each record."""
        is_tombstone = records.keys.is_tombstone
        end = records.elements.end
        fits = keyvalue.fits_layout(self._image, keys, end, main=records.keys.main, is_tombstone=is_tombstone)
        if fits.all():
            return
        for row in np.flatnonzero(~fits).tolist():
            complaint = keyvalue.judged(
                self._image.view[int(records.value[row]) : int(end[row])],
                main=int(records.keys.main[row]),
                is_tombstone=bool(is_tombstone[row]),
            )
            if complaint is not None:
                findings.error(complaint.code, _place(records, row), complaint.detail)

    def user_keys(self, records: Records) -> userkeys.UserKeys:
        """Find the user's key in each record."""
        return userkeys.located(records.heads, records.elements.start, records.value, records.elements.end)

    def key_hashes(self, records: Records, keys: userkeys.UserKeys, hasher: userkeys.KeyHasher) -> Words:
        """Return the salted hash of each record's key; the lowest bit says whether the record is a deletion."""
        hashes = hasher.hashes(self._image, keys, records.value, records.elements.end)
        hashes &= ~np.uint64(1)
        hashes |= records.keys.marked_sub & np.uint64(1)
        return hashes

    def checksum(self, elements: Elements, kept: Flags | None = None) -> tuple[int, int]:
        """Return CRC-32C and size of keys and values in order, those under the mask or all."""
        start, end = elements.start, elements.end
        if kept is not None:
            start, end = start[kept], end[kept]
        if len(start) == 0:
            return 0, 0
        is_break = np.flatnonzero(start[1:] != end[:-1])
        run_starts = start[np.concatenate([[0], is_break + 1])].tolist()
        run_ends = end[np.concatenate([is_break, [len(end) - 1]])].tolist()
        view, extend, checksum = self._image.view, crc32c, 0
        for run_start, run_end in zip(run_starts, run_ends, strict=True):
            checksum = extend(view[run_start:run_end], checksum)
        return checksum, sum(run_ends) - sum(run_starts)

    def _check_order(self, records: Records, findings: Findings) -> None:
        main, marked_sub = records.keys.main, records.keys.marked_sub
        # A revision is stored once, deletion or not: the mark does not count here.
        falling = np.zeros(len(records), dtype=np.bool_)
        falling[1:] = ~(
            (main[:-1] < main[1:]) | ((main[:-1] == main[1:]) & ((marked_sub[:-1] | np.uint64(1)) < marked_sub[1:]))
        )
        owner = records.elements.owner
        is_first = np.ones(len(owner), dtype=np.bool_)
        is_first[1:] = owner[1:] != owner[:-1]
        firsts = np.flatnonzero(is_first)
        lasts = np.concatenate([firsts[1:] - 1, [len(owner) - 1]])
        low = self._leaves.lower.take(records.leaf[owner[firsts]])
        falling[firsts] |= records.keys.take(firsts).before(low)
        falling[lasts] |= ~records.keys.take(lasts).before(self._upper(records.leaf[owner[lasts]]))
        for row in findings.sample(np.flatnonzero(falling)):
            detail = f"{records.keys.text(row)} is outside its place"
            findings.error("key.order", _place(records, row), detail)

    def _upper(self, leaf: Ints) -> RevisionKeys:
        """Return what each leaf's keys must stay below."""
        fence = self._leaves.fence.take(np.minimum(leaf + 1, len(self._leaves) - 1))
        is_last = leaf + 1 == len(self._leaves)
        if is_last.any():
            highest = RevisionKeys(np.array([_HIGHEST]), np.array([_HIGHEST]))
            fence = RevisionKeys(fence.main.copy(), fence.marked_sub.copy())
            fence.put(is_last, highest)
        return fence

    def _report_malformed_keys(self, elements: Elements, wrong: Flags, spans: PageSpans, findings: Findings) -> None:
        for row in findings.sample(np.flatnonzero(wrong)):
            key = self._image.bytes_at(int(elements.start[row]), int(elements.key_size[row]))
            place = f"{WHERE}, page {spans.page[elements.owner[row]]}"
            findings.lost("key.malformed", place, f"{shown(key)} is no revision")


def _without_buckets(elements: Elements, spans: PageSpans, findings: Findings) -> Elements:
    is_bucket = (elements.extra & np.uint64(1)).astype(np.bool_)
    for row in findings.sample(np.flatnonzero(elements.extra != 0)):
        place = f"{WHERE}, page {spans.page[elements.owner[row]]}"
        if is_bucket[row]:
            findings.lost("record.bucket", place, "a bucket where only records belong")
        else:
            findings.error("element.flags", place, f"flags are {int(elements.extra[row]):#x}")
    return elements.kept(~is_bucket)


def _place(records: Records, row: int) -> str:
    return f"{WHERE}, page {records.spans.page[records.elements.owner[row]]}, {records.keys.text(row)}"


def _leaves_per_chunk(pages: Pages, leaves: Leaves[RevisionKeys]) -> int:
    """Return how many leaves hold about the records of a chunk, judged by a few of them."""
    sample = leaves.page[:: max(1, len(leaves) // _SAMPLED_LEAVES)] * pages.page_size
    counts = pages.image.pieces(sample, HEADER_BYTES)[:, 10:12].copy().view("<u2")
    records = max(1, int(counts.mean())) if len(counts) else 1
    return min(max(_RECORDS_PER_CHUNK // records, _LEAVES_PER_CHUNK[0]), _LEAVES_PER_CHUNK[1])


def _parts(spans: PageSpans) -> Iterator[tuple[int, int]]:
    """Cut pages into runs of not too many records; a single page may exceed it."""
    filled = np.cumsum(spans.count) // _RECORDS_PER_PART
    cuts = [0, *(np.flatnonzero(filled[1:] != filled[:-1]) + 1).tolist(), len(spans)]
    yield from pairwise(cuts)
