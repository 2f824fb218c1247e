"""Which record of each key is its last one: the question behind live keys and behind HashKV.

Rules this module keeps:
- Records are known by their tagged hashes (`Keyspace.key_hashes`) in record order: the higher bits tell keys apart,
  the lowest one marks a deletion.
- Keys are dealt into partitions by the highest bits of their hashes. A partition is answered alone, so that memory
  stays small and partitions can be worked on side by side.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from etcd_dr.boltdb.image import Flags, Ints, Words

COUNTED_AT_ONCE = 2_097_152
"""Records of a partition whose live keys are counted: one array of hashes, sorted in place."""
MARKED_AT_ONCE = 524_288
"""Records of a partition whose last records are marked: that takes several arrays more."""
_TAG = np.uint64(1)
_WORTH_SHARING = 100_000


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How hashes are dealt: by their `bits` highest bits."""

    bits: int

    @classmethod
    def of(cls, record_count: int, *, at_once: int) -> Partitioning:
        """Return a partitioning into parts of at most about so many records, two at least where it is worth it."""
        return cls(max((record_count // at_once).bit_length(), int(record_count > _WORTH_SHARING)))

    @property
    def count(self) -> int:
        """Number of partitions."""
        return 1 << self.bits

    def has(self, hashes: Words, partition: int) -> Flags:
        """Say for each hash whether it belongs to a partition."""
        if self.bits == 0:
            return np.ones(len(hashes), dtype=np.bool_)
        belongs: Flags = hashes >> np.uint64(64 - self.bits) == np.uint64(partition)
        return belongs


def live_count(hashes: Words) -> int:
    """Count the keys of a partition whose last record is not a deletion.

    `hashes` come in record order; they are the caller's no longer.
    """
    is_deletion = _tags(hashes)
    if not is_deletion.any():
        return _distinct(hashes)
    # Keys that never saw a deletion are most of them, and need no order: they are set apart first.
    is_candidate = _maybe_among(hashes, hashes[is_deletion])
    candidates = hashes[is_candidate]
    last = candidates[_last_of_each_key(candidates)]
    return _distinct(hashes[~is_candidate]) + int(np.count_nonzero(~_tags(last)))


def superseded_or_deleted(hashes: Words) -> Flags:
    """Say for each record whether it is not the last of its key, or is a deletion."""
    gone = _tags(hashes)
    ordered = np.sort(hashes >> _TAG)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(repeated):
        # Only keys with several records need an order, and in a compacted database they are few.
        candidates = np.flatnonzero(_maybe_among(hashes, repeated << _TAG))
        last = _last_of_each_key(hashes[candidates])
        is_last = np.zeros(len(candidates), dtype=np.bool_)
        is_last[last] = True
        gone[candidates] |= ~is_last
    return gone


def _maybe_among(hashes: Words, wanted: Words) -> Flags:
    """Say for each hash whether its key may be one of the wanted; yes for all that are, and for a few more."""
    slot_bits = np.uint64(min(24, max(16, len(wanted).bit_length() + 3)))
    mask = (_TAG << slot_bits) - _TAG
    table = np.zeros(1 << int(slot_bits), dtype=np.bool_)
    table[(wanted >> _TAG) & mask] = True
    may_be: Flags = table[(hashes >> _TAG) & mask]
    return may_be


def _last_of_each_key(hashes: Words) -> Ints:
    """Return the index of the last record of each key."""
    if len(hashes) == 0:
        return np.zeros(0, dtype=np.int64)
    keys = hashes >> _TAG
    by_key = np.argsort(keys)
    keys = keys[by_key]
    firsts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return np.maximum.reduceat(by_key, firsts)


def _tags(hashes: Words) -> Flags:
    lowest_bytes = hashes.view(np.uint8)[::8] if sys.byteorder == "little" else hashes.view(np.uint8)[7::8]
    return (lowest_bytes & 1).astype(np.bool_)


def _distinct(hashes: Words) -> int:
    if len(hashes) == 0:
        return 0
    hashes.sort()
    return 1 + int(np.count_nonzero(hashes[1:] != hashes[:-1]))
