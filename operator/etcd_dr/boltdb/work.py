"""The parts of the work that several processes share.

Rules this module keeps:
- A phase is a queue of numbers (chunks or partitions of keys). Whoever takes a number returns one plain result for it;
  results do not depend on who took what.
- Phases follow one another: nobody begins one before all results of the last have been given. The first one,
  `CheckChunk`, tells how many records each chunk has; from then on records have ordinals, and the workers are told
  with `learn` where everybody has put the hashes of each chunk.
- What the stores of hashes have no room for is computed again for each partition: slower, and as small in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from etcd_dr.boltdb.checksums import joined
from etcd_dr.boltdb.findings import Findings, PlainFindings
from etcd_dr.boltdb.image import Flags, Ints, Words
from etcd_dr.boltdb.keyspace import Keyspace, Records
from etcd_dr.boltdb.lastwrites import COUNTED_AT_ONCE, MARKED_AT_ONCE, Partitioning, live_count, superseded_or_deleted
from etcd_dr.boltdb.stores import DropMarks, HashStore, Segment
from etcd_dr.boltdb.tree import UnevenTree
from etcd_dr.boltdb.userkeys import KeyHasher

_NONE = np.zeros(0, dtype=np.int64)


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
    """Mark which records below ordinal `compacted` a compaction there would drop, seen from ordinal `end`.

    `before_bump`: those that an earlier bump of the revision wrote count as superseded, because one more will follow.
    """

    end: int
    compacted: int
    before_bump: bool = False


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
    segment: Segment | None = None
    """Where the hashes of the chunk's keys were put."""
    overflowing: list[tuple[int, int]] = field(default_factory=list)
    """Leaves with overflow pages, and how many; only of leaves nobody had looked at before."""
    is_uneven: bool = False
    """The chunk holds branches: the tree must be walked to its end first."""
    findings: PlainFindings | None = None


def phase_to_plain(phase: Phase) -> list[object]:
    """Return a phase as plain values that survive a pipe."""
    return [type(phase).__name__, asdict(phase)]


@dataclass(frozen=True, slots=True)
class Table:
    """What the check has told of each chunk: its number of records, and where the hashes of their keys are."""

    counts: Sequence[int]
    segments: Sequence[Segment | None]

    @property
    def record_count(self) -> int:
        """All records of the bucket."""
        return sum(self.counts)

    def bases(self) -> Ints:
        """Return the ordinal of the first record of each chunk, and the number of all records at the end."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])


class Worker:
    """One process's hands: performs phases on the keyspace of one file."""

    def __init__(self, keyspace: Keyspace, store: HashStore, marks: DropMarks, hasher: KeyHasher) -> None:
        self._keyspace = keyspace
        self._store = store
        self._marks = marks
        self._hasher = hasher
        self._table = Table((), ())

    def learn(self, table: Table) -> None:
        """Take note of what the check has told; asked for before any other phase."""
        self._table = table

    def queue_length(self, phase: Phase) -> int:
        """Return how many numbers the queue of a phase has: chunks, or partitions of keys."""
        match phase:
            case CountLive():
                return self._partitioning(phase).count
            case MarkDropped():
                return self._partitioning(phase).count
            case _:
                return self._keyspace.chunk_count

    def dropped(self) -> NDArray[np.uint8]:
        """Return the marks of all records that a compaction would drop; zero where none is marked."""
        return self._marks.array(self._table.record_count)

    def perform(self, phase: Phase, queue: Iterable[int]) -> list[Result]:
        """Return the results for the numbers taken from the queue."""
        match phase:
            case CheckChunk():
                return [self._check(phase, chunk) for chunk in queue]
            case CountLive():
                return [self._count_live(phase, partition) for partition in queue]
            case MarkDropped():
                return [self._mark_dropped(phase, partition) for partition in queue]
            case HashChunk():
                return [self._hash(phase, chunk) for chunk in queue]

    def _partitioning(self, phase: CountLive | MarkDropped) -> Partitioning:
        # Where hashes are not kept each partition costs a pass over all records: fewer and larger ones, then.
        is_small = isinstance(phase, MarkDropped) and None not in self._table.segments
        at_once = MARKED_AT_ONCE if is_small else COUNTED_AT_ONCE
        return Partitioning.of(self._table.record_count, at_once=at_once)

    def _check(self, phase: CheckChunk, chunk: int) -> Result:
        findings = Findings()
        checksum = byte_count = record_count = last_revision = 0
        overflowing: list[tuple[int, int]] = []
        hashes: list[Words] = []
        try:
            for records in self._keyspace.records(chunk, findings):
                part, part_bytes = self._keyspace.checksum(records.elements)
                checksum = joined(checksum, part, part_bytes)
                byte_count += part_bytes
                record_count += len(records)
                last_revision = int(records.keys.main[-1]) if len(records) else last_revision
                overflowing += self._keyspace.overflowing(records)
                hashes += self._look_inside(phase, records, findings)
        except UnevenTree:
            return Result(chunk, is_uneven=True)
        return Result(
            chunk,
            checksum=checksum,
            byte_count=byte_count,
            record_count=record_count,
            last_revision=last_revision,
            segment=self._kept(hashes) if phase.hashes else None,
            overflowing=overflowing,
            findings=findings.to_plain(),
        )

    def _look_inside(self, phase: CheckChunk, records: Records, findings: Findings) -> list[Words]:
        if not (phase.values or phase.hashes):
            return []
        keys = self._keyspace.user_keys(records)
        if phase.values:
            self._keyspace.check_values(records, keys, findings)
        return [self._keyspace.key_hashes(records, keys, self._hasher)] if phase.hashes else []

    def _kept(self, hashes: list[Words]) -> Segment | None:
        return self._store.append(hashes[0] if len(hashes) == 1 else np.concatenate(hashes))

    def _count_live(self, phase: CountLive, partition: int) -> Result:
        partitioning = self._partitioning(phase)
        room = np.empty(self._table.record_count // partitioning.count * 9 // 8 + 1024, dtype=np.uint64)
        filled = 0
        for chunk in range(len(self._table.counts)):
            every = self._hashes(chunk)
            hashes = every[partitioning.has(every, partition)]
            if filled + len(hashes) > len(room):  # one key with very many records
                room = np.concatenate([room, np.empty(len(room) + len(hashes), dtype=np.uint64)])
            room[filled : filled + len(hashes)] = hashes
            filled += len(hashes)
        return Result(partition, live_count=live_count(room[:filled]))

    def _mark_dropped(self, phase: MarkDropped, partition: int) -> Result:
        members = list(self._members(self._partitioning(phase), partition, phase.end))
        ordinals = np.concatenate([_NONE, *(ordinals for ordinals, _ in members)])
        hashes = np.concatenate([_NONE.view(np.uint64), *(hashes for _, hashes in members)])
        gone = superseded_or_deleted(hashes)
        if phase.before_bump:
            gone |= hashes == np.uint64(self._hasher.of_empty_key)
        self.dropped()[ordinals[gone & (ordinals < phase.compacted)]] = 1
        return Result(partition, live_count=int(np.count_nonzero(~gone)))

    def _hash(self, phase: HashChunk, chunk: int) -> Result:
        findings = Findings()
        base, checksum, byte_count = int(self._table.bases()[chunk]), 0, 0
        for records in self._keyspace.records(chunk, findings):
            kept = self._counts_in(phase, records, base)
            part, part_bytes = self._keyspace.checksum(records.elements, None if kept.all() else kept)
            checksum = joined(checksum, part, part_bytes)
            byte_count += part_bytes
            base += len(records)
        return Result(chunk, checksum=checksum, byte_count=byte_count, findings=findings.to_plain())

    def _counts_in(self, phase: HashChunk, records: Records, base: int) -> Flags:
        """Say for each record whether it takes part in the hash."""
        ordinals = base + np.arange(len(records), dtype=np.int64)
        kept = ordinals < phase.end
        if phase.compacted > base:
            dropped = self.dropped()[base : base + len(records)].astype(np.bool_)
            kept &= ~(dropped & (ordinals < phase.compacted))
        if phase.at_compaction >= 0:
            kept &= ~((records.keys.main == phase.at_compaction) & records.keys.is_tombstone)
        return kept

    def _members(self, partitioning: Partitioning, partition: int, end: int) -> Iterator[tuple[Ints, Words]]:
        """Yield, chunk by chunk, ordinals and hashes of a partition's records below ordinal `end`."""
        for chunk, base in enumerate(self._table.bases()[:-1].tolist()):
            if base >= end:
                break
            hashes = self._hashes(chunk)[: end - base]
            members = np.flatnonzero(partitioning.has(hashes, partition))
            yield base + members, hashes[members]

    def _hashes(self, chunk: int) -> Words:
        segment = self._table.segments[chunk]
        if segment is not None:
            return self._store.read(segment)
        parts = [
            self._keyspace.key_hashes(records, self._keyspace.user_keys(records), self._hasher)
            for records in self._keyspace.records(chunk, Findings())
        ]
        return np.concatenate(parts)
