"""The bucket `key`: every revision of every key, read in chunks of whole leaf pages.

Rules this module keeps:
- A chunk is some leaves with about 12000 records: its arrays fit the processor's cache, and its results do not depend
  on which process computes them or in which order.
- Records have ordinals: the position they have when every page holds what its header announces. Arrays over all
  records are addressed by them.
- `check` looks at everything (layout, revisions, order, bounds, KeyValue); `records` gives the records of a chunk to
  whoever computes something from an undamaged bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb import keyvalue, userkeys
from etcd_dr.boltdb.checksums import crc32c
from etcd_dr.boltdb.elements import Elements, read_elements
from etcd_dr.boltdb.findings import Findings, shown
from etcd_dr.boltdb.image import Bytes, Flags, Image, Ints, Words
from etcd_dr.boltdb.keys import HEAD_BYTES, RevisionKeys
from etcd_dr.boltdb.tree import Leaves

WHERE = "bucket key"
_RECORDS_PER_CHUNK = 12_288
_BYTES_PER_RECORD = 512
"""Weight of a record against its bytes when chunks are cut, so that large values do not make chunks large."""
_MAX_CHUNKS = 8_192
_HIGHEST = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MAX_REVISION = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one chunk in order."""

    elements: Elements
    heads: Bytes
    """The first bytes of each record."""
    keys: RevisionKeys
    ordinal: int
    """Ordinal of the first one."""
    is_complete: bool
    """No element of the chunk was left out, so that ordinals count up by one."""

    @property
    def value(self) -> Ints:
        """Byte offsets of the values."""
        return self.elements.start + self.elements.key_size

    def __len__(self) -> int:
        return len(self.elements)


class Keyspace:
    """The leaves of the bucket, cut into chunks."""

    def __init__(self, image: Image, leaves: Leaves[RevisionKeys]) -> None:
        self._image = image
        self._leaves = leaves
        self._cuts = _cuts(leaves)
        self._ordinals = np.concatenate([[0], np.cumsum(leaves.spans.count)])

    @property
    def chunk_count(self) -> int:
        """Number of chunks; they are numbered from 0 in key order."""
        return len(self._cuts) - 1

    @property
    def record_count(self) -> int:
        """Records that the leaves announce."""
        return int(self._ordinals[-1])

    def records_up_to(self, revision: int) -> int:
        """Return how many records have at most this main revision: the ordinal of the first later one."""
        if len(self._leaves) == 0 or revision < 0:
            return 0
        # Everything in a leaf sorts before the separator of the next one: only one leaf needs a look.
        leaf = int(np.searchsorted(self._leaves.lower.main, np.uint64(min(revision, _MAX_REVISION)), side="right")) - 1
        if leaf < 0:
            return 0
        pages = self._leaves.spans.part(leaf, leaf + 1)
        elements = read_elements(self._image, pages, leaf=True, where=WHERE, findings=Findings())
        main = RevisionKeys.read(self._image, elements.start, elements.key_size).main
        return int(self._ordinals[leaf]) + int(np.count_nonzero(main <= np.uint64(min(revision, _MAX_REVISION))))

    def records(self, chunk: int, findings: Findings) -> Records:
        """Read the records of a chunk; what is damaged is left out, with a finding."""
        begin, end = self._cuts[chunk], self._cuts[chunk + 1]
        pages = self._leaves.spans.part(begin, end)
        elements = read_elements(self._image, pages, leaf=True, where=WHERE, findings=findings)
        if elements.extra.any():
            elements = self._without_buckets(elements, begin, findings)
        heads = self._image.pieces(elements.start, HEAD_BYTES)
        keys = RevisionKeys.of_heads(heads, elements.key_size)
        wrong = keys.malformed()
        if wrong.any():
            self._report_malformed_keys(elements, wrong, begin, findings)
            elements, heads, keys = elements.kept(~wrong), heads[~wrong], keys.take(~wrong)
        announced = int(self._ordinals[end] - self._ordinals[begin])
        return Records(elements, heads, keys, int(self._ordinals[begin]), len(elements) == announced)

    def check(self, chunk: int, findings: Findings) -> Records:
        """Read a chunk and look at everything in it."""
        records = self.records(chunk, findings)
        if len(records):
            self._check_order(chunk, records, findings)
        return records

    def check_values(self, chunk: int, records: Records, keys: userkeys.UserKeys, findings: Findings) -> None:
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
                findings.error(complaint.code, self._place(chunk, records, row), complaint.detail)

    def user_keys(self, records: Records) -> userkeys.UserKeys:
        """Find the user's key in each record."""
        return userkeys.located(records.heads, records.elements.start, records.value, records.elements.end)

    def key_hashes(self, records: Records, keys: userkeys.UserKeys, hasher: userkeys.KeyHasher) -> Words:
        """Return the salted hash of each record's key; the lowest bit says whether the record is a deletion."""
        hashes = hasher.hashes(self._image, keys, records.value, records.elements.end)
        return (hashes & ~np.uint64(1)) | (records.keys.marked_sub & np.uint64(1))

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
        view, checksum = self._image.view, 0
        for run_start, run_end in zip(run_starts, run_ends, strict=True):
            checksum = crc32c(view[run_start:run_end], checksum)
        return checksum, int((end - start).sum())

    def key_and_value(self, records: Records) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and value of each record."""
        view, elements = self._image.view, records.elements
        for start, value, end in zip(
            elements.start.tolist(), records.value.tolist(), elements.end.tolist(), strict=True
        ):
            yield bytes(view[start:value]), bytes(view[value:end])

    def _check_order(self, chunk: int, records: Records, findings: Findings) -> None:
        begin = self._cuts[chunk]
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
        low = self._leaves.lower.take(owner[firsts] + begin)
        falling[firsts] |= records.keys.take(firsts).before(low)
        falling[lasts] |= ~records.keys.take(lasts).before(self._upper(owner[lasts] + begin))
        for row in findings.sample(np.flatnonzero(falling)):
            detail = f"{records.keys.text(row)} is outside its place"
            findings.error("key.order", self._place(chunk, records, row), detail)

    def _upper(self, leaf: Ints) -> RevisionKeys:
        """Return what each leaf's keys must stay below."""
        fence = self._leaves.fence.take(np.minimum(leaf + 1, len(self._leaves) - 1))
        is_last = leaf + 1 == len(self._leaves)
        if is_last.any():
            highest = RevisionKeys(np.array([_HIGHEST]), np.array([_HIGHEST]))
            fence = RevisionKeys(fence.main.copy(), fence.marked_sub.copy())
            fence.put(is_last, highest)
        return fence

    def _without_buckets(self, elements: Elements, begin: int, findings: Findings) -> Elements:
        is_bucket = (elements.extra & np.uint64(1)).astype(np.bool_)
        for row in findings.sample(np.flatnonzero(elements.extra != 0)):
            place = f"{WHERE}, page {self._leaves.spans.page[begin + elements.owner[row]]}"
            if is_bucket[row]:
                findings.lost("record.bucket", place, "a bucket where only records belong")
            else:
                findings.error("element.flags", place, f"flags are {int(elements.extra[row]):#x}")
        return elements.kept(~is_bucket)

    def _report_malformed_keys(self, elements: Elements, wrong: Flags, begin: int, findings: Findings) -> None:
        for row in findings.sample(np.flatnonzero(wrong)):
            place = f"{WHERE}, page {self._leaves.spans.page[begin + elements.owner[row]]}"
            key = self._image.bytes_at(int(elements.start[row]), int(elements.key_size[row]))
            findings.lost("key.malformed", place, f"{shown(key)} is no revision")

    def _place(self, chunk: int, records: Records, row: int) -> str:
        page = self._leaves.spans.page[self._cuts[chunk] + records.elements.owner[row]]
        return f"{WHERE}, page {page}, {records.keys.text(row)}"


def _cuts(leaves: Leaves[RevisionKeys]) -> list[int]:
    """Return where chunks begin, as leaf indices, the end included."""
    if len(leaves) == 0:
        return [0]
    weight = np.cumsum(leaves.spans.count * _BYTES_PER_RECORD + leaves.spans.span)
    target = max(_RECORDS_PER_CHUNK * 2 * _BYTES_PER_RECORD, int(weight[-1]) // _MAX_CHUNKS + 1)
    chunk = weight // target
    return [0, *(np.flatnonzero(chunk[1:] != chunk[:-1]) + 1).tolist(), len(leaves)]
