"""The parts of the work that several processes share, and the arrays they share them through.

Rules this module keeps:
- A phase is a queue of numbers (chunks or partitions of keys). Whoever takes a number returns one plain result for it;
  results do not depend on who took what.
- Phases follow one another: nobody begins one before all results of the last have been given.
- Above `MAX_STORED_RECORDS` hashes are not kept but computed again for each partition: slower, and as small in memory.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from etcd_dr.boltdb.findings import Findings, PlainFindings
from etcd_dr.boltdb.image import Ints, Words
from etcd_dr.boltdb.keyspace import Keyspace
from etcd_dr.boltdb.lastwrites import COUNTED_AT_ONCE, MARKED_AT_ONCE, Partitioning, live_count, superseded_or_deleted
from etcd_dr.boltdb.userkeys import KeyHasher

MAX_STORED_RECORDS = 5_000_000
S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True, slots=True)
class CheckChunk:
    """Check the records of a chunk; `values`: their KeyValue too; `hashes`: keep the hashes of their keys."""

    values: bool
    hashes: bool


@dataclass(frozen=True, slots=True)
class CountLive:
    """Count the live keys of a partition."""


@dataclass(frozen=True, slots=True)
class MarkDropped:
    """Mark which records below ordinal `compacted` a compaction there would drop, seen from ordinal `end`."""

    end: int
    compacted: int


@dataclass(frozen=True, slots=True)
class HashChunk:
    """Hash the records of a chunk below ordinal `end`, but for those dropped below `compacted`.

    `at_compaction` is the main revision whose deletion is left out; -1 for none.
    """

    end: int
    compacted: int
    at_compaction: int


Phase = CheckChunk | CountLive | MarkDropped | HashChunk
PHASES: dict[str, type[Phase]] = {phase.__name__: phase for phase in (CheckChunk, CountLive, MarkDropped, HashChunk)}


@dataclass(frozen=True, slots=True)
class Result:
    """What a number of the queue came to; only what the phase asks for is filled."""

    number: int
    checksum: int = 0
    byte_count: int = 0
    record_count: int = 0
    last_revision: int = 0
    live_count: int = 0
    findings: PlainFindings | None = None


def phase_to_plain(phase: Phase) -> list[object]:
    """Return a phase as plain values that survive a pipe."""
    return [type(phase).__name__, asdict(phase)]


@dataclass(frozen=True, slots=True)
class Shared:
    """Arrays over all records, addressed by ordinal; in memory of this process, or of several."""

    hashes: Words
    """Hashes of the users' keys, tagged; empty when there are too many to keep."""
    dropped: NDArray[np.uint8]

    @classmethod
    def alone(cls, record_count: int) -> Self:
        """Return arrays of this process's own."""
        return cls(np.zeros(_kept(record_count), dtype=np.uint64), np.zeros(record_count, dtype=np.uint8))

    @classmethod
    def in_files(cls, record_count: int, hashes_fd: int, dropped_fd: int) -> Self:
        """Map the arrays from files, which get the size they need; any process may be the first to do it."""
        return cls(_mapped(hashes_fd, np.uint64, _kept(record_count)), _mapped(dropped_fd, np.uint8, record_count))


def _kept(record_count: int) -> int:
    return record_count if record_count <= MAX_STORED_RECORDS else 0


def _mapped(fd: int, kind: type[S], count: int) -> NDArray[S]:
    size = max(1, count) * np.dtype(kind).itemsize
    os.ftruncate(fd, size)
    return np.frombuffer(mmap.mmap(fd, size), dtype=kind, count=count)


class Worker:
    """One process's hands: performs phases on the keyspace of one file."""

    def __init__(self, keyspace: Keyspace, shared: Shared, hasher: KeyHasher) -> None:
        self._keyspace = keyspace
        self._shared = shared
        self._hasher = hasher
        self._keeps_hashes = len(shared.hashes) == keyspace.record_count
        self._counting = Partitioning.of(keyspace.record_count, at_once=COUNTED_AT_ONCE)
        # Where hashes are not kept each partition costs a pass over all records: fewer and larger ones, then.
        at_once = MARKED_AT_ONCE if self._keeps_hashes else COUNTED_AT_ONCE
        self._marking = Partitioning.of(keyspace.record_count, at_once=at_once)

    def queue_length(self, phase: Phase) -> int:
        """Return how many numbers the queue of a phase has: chunks, or partitions of keys."""
        match phase:
            case CountLive():
                return self._counting.count
            case MarkDropped():
                return self._marking.count
            case _:
                return self._keyspace.chunk_count

    def perform(self, phase: Phase, queue: Iterable[int]) -> list[Result]:
        """Return the results for the numbers taken from the queue."""
        match phase:
            case CheckChunk():
                return [self._check(phase, chunk) for chunk in queue]
            case CountLive():
                return [self._count_live(partition) for partition in queue]
            case MarkDropped():
                return [self._mark_dropped(phase, partition) for partition in queue]
            case HashChunk():
                return [self._hash(phase, chunk) for chunk in queue]

    def _check(self, phase: CheckChunk, chunk: int) -> Result:
        findings = Findings()
        records = self._keyspace.check(chunk, findings)
        checksum, byte_count = self._keyspace.checksum(records.elements)
        if phase.values or (phase.hashes and self._keeps_hashes):
            keys = self._keyspace.user_keys(records)
            if phase.values:
                self._keyspace.check_values(chunk, records, keys, findings)
            if phase.hashes and self._keeps_hashes and records.is_complete:
                hashes = self._keyspace.key_hashes(records, keys, self._hasher)
                self._shared.hashes[records.ordinal : records.ordinal + len(records)] = hashes
        return Result(
            chunk,
            checksum=checksum,
            byte_count=byte_count,
            record_count=len(records),
            last_revision=int(records.keys.main[-1]) if len(records) else 0,
            findings=findings.to_plain(),
        )

    def _count_live(self, partition: int) -> Result:
        if self._keeps_hashes:
            every = self._shared.hashes
            hashes = every[self._counting.has(every, partition)]
        else:
            hashes = self._computed(self._counting, partition, self._keyspace.record_count)[1]
        return Result(partition, live_count=live_count(hashes))

    def _mark_dropped(self, phase: MarkDropped, partition: int) -> Result:
        if self._keeps_hashes:
            ordinals = np.flatnonzero(self._marking.has(self._shared.hashes[: phase.end], partition))
            hashes = self._shared.hashes[ordinals]
        else:
            ordinals, hashes = self._computed(self._marking, partition, phase.end)
        gone = superseded_or_deleted(hashes)
        self._shared.dropped[ordinals[gone & (ordinals < phase.compacted)]] = 1
        return Result(partition, live_count=int(np.count_nonzero(~gone)))

    def _hash(self, phase: HashChunk, chunk: int) -> Result:
        findings = Findings()
        records = self._keyspace.records(chunk, findings)
        ordinals = records.ordinal + np.arange(len(records), dtype=np.int64)
        kept = ordinals < phase.end
        if phase.compacted > records.ordinal:
            dropped = self._shared.dropped[records.ordinal : records.ordinal + len(records)].astype(np.bool_)
            kept &= ~(dropped & (ordinals < phase.compacted))
        if phase.at_compaction >= 0:
            kept &= ~((records.keys.main == phase.at_compaction) & records.keys.is_tombstone)
        checksum, byte_count = self._keyspace.checksum(records.elements, None if kept.all() else kept)
        return Result(chunk, checksum=checksum, byte_count=byte_count, findings=findings.to_plain())

    def _computed(self, partitioning: Partitioning, partition: int, end: int) -> tuple[Ints, Words]:
        """Return ordinals and hashes of the records of a partition that lie below ordinal `end`."""
        every_ordinal: list[Ints] = []
        every_hash: list[Words] = []
        for chunk in range(self._keyspace.chunk_count):
            records = self._keyspace.records(chunk, Findings())
            if records.ordinal >= end:
                break
            hashes = self._keyspace.key_hashes(records, self._keyspace.user_keys(records), self._hasher)
            members = np.flatnonzero(partitioning.has(hashes[: end - records.ordinal], partition))
            every_ordinal.append(records.ordinal + members)
            every_hash.append(hashes[members])
        return np.concatenate(every_ordinal), np.concatenate(every_hash)
