"""Which record of each key is its last one: the question behind live keys and behind HashKV.

Rules this module keeps:
- Records are known by their tagged hashes (`Keyspace.key_hashes`) in record order: the higher bits tell keys apart,
  the lowest one marks a deletion.
- Keys are dealt into partitions by the highest bits of their hashes. A partition is answered alone, so that memory
  stays small and partitions can be worked on side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb.image import Flags, Ints, Words

RECORDS_PER_PARTITION = 524_288
RECORDS_PER_COMPUTED_PARTITION = 2_097_152
"""Where hashes are not stored, each partition costs a pass over all records: fewer and larger ones, then."""
_TAG = np.uint64(1)
_TABLE_BITS = 16


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How hashes are dealt: by their `bits` highest bits."""

    bits: int

    @classmethod
    def of(cls, record_count: int, *, stored: bool) -> Partitioning:
        """Return a partitioning into parts of about the size that is handled at once."""
        size = RECORDS_PER_PARTITION if stored else RECORDS_PER_COMPUTED_PARTITION
        return cls((record_count // size).bit_length())

    @property
    def count(self) -> int:
        """Number of partitions."""
        return 1 << self.bits

    def members(self, hashes: Words, partition: int) -> Ints:
        """Return the indices of the hashes that belong to a partition."""
        if self.bits == 0:
            return np.arange(len(hashes), dtype=np.int64)
        return np.flatnonzero(hashes >> np.uint64(64 - self.bits) == np.uint64(partition))


def live_count(hashes: Words) -> int:
    """Count the keys of a partition whose last record is not a deletion. The order of `hashes` is the records'."""
    is_deletion = (hashes & _TAG).astype(np.bool_)
    if not is_deletion.any():
        return _distinct(hashes)
    # Keys that never saw a deletion are most of them, and need no order: set them apart by a small table.
    bits = np.uint64(_TABLE_BITS)
    slots = (hashes >> _TAG) & ((_TAG << bits) - _TAG)
    table = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
    table[slots[is_deletion]] = True
    maybe_deleted = table[slots]
    mixed = hashes[maybe_deleted]
    last = mixed[last_of_each_key(mixed)]
    return _distinct(hashes[~maybe_deleted]) + int(np.count_nonzero((last & _TAG) == 0))


def last_of_each_key(hashes: Words) -> Ints:
    """Return the index of the last record of each key."""
    if len(hashes) == 0:
        return np.zeros(0, dtype=np.int64)
    keys = hashes >> _TAG
    by_key = np.argsort(keys)
    keys = keys[by_key]
    firsts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return np.maximum.reduceat(by_key, firsts)


def superseded_or_deleted(hashes: Words) -> Flags:
    """Say for each record whether it is not the last of its key, or is a deletion."""
    gone = np.ones(len(hashes), dtype=np.bool_)
    last = last_of_each_key(hashes)
    gone[last] = (hashes[last] & _TAG).astype(np.bool_)
    return gone


def _distinct(hashes: Words) -> int:
    if len(hashes) == 0:
        return 0
    ordered = np.sort(hashes)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
