"""This process and its helpers at work on the bucket `key` of one file.

Rules this module keeps:
- Helpers are only asked when the walk to the leaves found nothing wrong, so that they find the same leaves.
- Every number of a phase gets exactly one result, whoever it came from; results are returned in order.
- `check` comes first; what the others are asked depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from etcd_dr.boltdb.buckets import Bucket, leaves_of
from etcd_dr.boltdb.crew import Crew
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.helper import serve
from etcd_dr.boltdb.keys import RevisionKeys
from etcd_dr.boltdb.keyspace import MAX_REVISION, WHERE, Keyspace
from etcd_dr.boltdb.stores import DropMarks, PrivateHashStore, SharedHashStore
from etcd_dr.boltdb.tree import Pages, claim
from etcd_dr.boltdb.userkeys import KeyHasher
from etcd_dr.boltdb.work import CheckChunk, HashChunk, Phase, Result, Table, Worker, phase_to_plain


def _opened(_: dict[str, Any]) -> Worker:
    raise AssertionError("a forked helper has everything open")


def _nothing() -> None:
    """Do nothing meanwhile, and never stop."""


class Team:
    """Performs phases on the keyspace. `stop` is called before each piece of work; what it raises passes through."""

    def __init__(self, pages: Pages, bucket: Bucket, crew: Crew, *, stop: Callable[[], object] | None = None) -> None:
        self._pages = pages
        self._bucket = bucket
        self._crew = crew
        self._stop = stop or _nothing
        self._salt = os.urandom(16)
        self._table = Table((), ())
        self._checked: list[Result] = []
        self._keyspace, self._worker = self._begun(look_later=True)

    def check(
        self, *, values: bool, hashes: bool, findings: Findings, meanwhile: Callable[[], None] = _nothing
    ) -> list[Result]:
        """Check all records and return one result per chunk, in order; the findings are merged into `findings`."""
        results = self.perform(CheckChunk(values=values, hashes=hashes), meanwhile=meanwhile)
        if any(result.is_uneven for result in results):
            results = self._checked_alone(CheckChunk(values=values, hashes=hashes))
        findings.merge(self._walk_findings)
        for result in results:
            if result.findings is not None:
                findings.merge(Findings.from_plain(result.findings))
        self._claim_overflow(results, findings)
        self._table = Table([result.record_count for result in results], [result.segment for result in results])
        self._checked = results
        self._worker.learn(self._table)
        self._crew.tell({"learn": [self._table.counts, self._table.segments]})
        return results

    def perform(
        self, phase: Phase, *, numbers: Sequence[int] | None = None, meanwhile: Callable[[], None] = _nothing
    ) -> list[Result]:
        """Return one result per chunk or partition (all, or those of these numbers), in order.

        `meanwhile` is done here while helpers begin.
        """
        self._stop()  # also where helpers are quicker than we are and take everything
        numbers = range(self._worker.queue_length(phase)) if numbers is None else numbers
        if not self._crew.has_helpers:
            meanwhile()
            return self._worker.perform(phase, self._until_stopped(numbers))
        self._crew.queue.fill(numbers)
        self._crew.tell({"perform": phase_to_plain(phase)})
        meanwhile()
        results = {
            result.number: result for result in self._worker.perform(phase, self._until_stopped(self._crew.queue))
        }
        for answer in self._crew.answers():
            results.update({fields["number"]: Result(**fields) for fields in answer})
        unanswered = sorted(set(numbers) - results.keys())
        results.update(
            {result.number: result for result in self._worker.perform(phase, self._until_stopped(unanswered))}
        )
        return [results[number] for number in numbers]

    def _until_stopped(self, numbers: Iterable[int]) -> Iterator[int]:
        for number in numbers:
            self._stop()
            yield number

    def hash_up_to(self, *, end: int, compacted: int, compact_revision: int) -> list[Result]:
        """Return, per chunk, checksum and size of the records that take part in a HashKV (`work.HashChunk`).

        A chunk that takes part as a whole has been summed up in the check already.
        """
        phase = HashChunk(end=end, compacted=compacted, at_compaction=compact_revision)
        bases = self._table.bases()
        first, last = bases[:-1], bases[1:]
        is_whole = last <= end
        if compact_revision >= 0:
            before, through = self.records_up_to(compact_revision - 1), self.records_up_to(compact_revision)
            is_whole &= (last <= before) | (first >= through)
        if compacted:
            dropped = np.concatenate([[0], np.cumsum(self._worker.dropped(), dtype=np.int64)])
            is_whole &= dropped[np.minimum(last, compacted)] == dropped[np.minimum(first, compacted)]
        partial = np.flatnonzero(~is_whole & (first < end)).tolist()
        results = [result if whole else None for result, whole in zip(self._checked, is_whole.tolist(), strict=True)]
        for number, result in zip(partial, self.perform(phase, numbers=partial), strict=True):
            results[number] = result
        return [result for result in results if result is not None]

    def records_up_to(self, revision: int) -> int:
        """Return how many records have at most this main revision: the ordinal of the first later one."""
        chunk = self._keyspace.chunk_before(revision) if revision >= 0 else -1
        if chunk < 0:
            return 0
        bound = np.uint64(min(revision, MAX_REVISION))
        inside = self._keyspace.records(chunk, Findings())
        return int(self._table.bases()[chunk]) + sum(int(np.count_nonzero(part.keys.main <= bound)) for part in inside)

    def may_have_records_up_to(self, revision: int) -> bool:
        """Say whether any record can have at most this main revision; may be asked before the check."""
        return revision >= 0 and self._keyspace.chunk_before(revision) >= 0

    def _begun(self, *, look_later: bool) -> tuple[Keyspace, Worker]:
        """Walk the tree and get ready, the helpers too where there are any."""
        if self._bucket.root == 0:
            self._crew.dismiss()  # an inline bucket is smaller than a page
        self._open()
        self._walk_findings = Findings()
        pages = self._pages.noting(self._walk_findings)
        claimed_before = self._pages.claimed.copy()
        leaves = leaves_of(pages, self._bucket, order=RevisionKeys, look_later=look_later)
        self._claimed_by_walk = self._pages.claimed & ~claimed_before
        if self._walk_findings.is_incomplete:
            self._crew.dismiss()
        keyspace, hasher = Keyspace(pages, leaves), KeyHasher(self._salt)
        if not self._crew.has_helpers:
            return keyspace, Worker(keyspace, PrivateHashStore(), DropMarks(), hasher)
        workers = [
            Worker(keyspace, SharedHashStore(self._crew.hash_files, own=own), DropMarks(self._crew.marks_file), hasher)
            for own in range(len(self._crew.hash_files))
        ]
        self._crew.fork(
            lambda number, requests, answers: serve(workers[number], self._crew.queue, _opened, requests, answers)
        )
        return keyspace, workers[0]

    def _checked_alone(self, phase: CheckChunk) -> list[Result]:
        """Check a tree of uneven depth, which no bbolt writes: walk it to its end first, and do all of it here."""
        self._crew.dismiss()
        self._pages.claimed[self._claimed_by_walk] = False
        self._keyspace, self._worker = self._begun(look_later=False)
        return self.perform(phase)

    def _claim_overflow(self, results: list[Result], findings: Findings) -> None:
        overflowing = [pair for result in results for pair in result.overflowing]
        if overflowing:
            page, overflow = np.array(overflowing, dtype=np.int64).T
            claim(self._pages.noting(findings), page + 1, overflow - 1, where=WHERE)

    def _open(self) -> None:
        image = self._pages.image
        self._crew.tell(
            {
                "open": {
                    "size": image.size,
                    "data_size": image.data_size,
                    "page_size": self._pages.page_size,
                    "high_water": self._pages.high_water,
                    "root": self._bucket.root,
                    "salt": self._salt.hex(),
                }
            }
        )
