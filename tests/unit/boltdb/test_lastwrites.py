"""Which record of a key is its last one, by hashes alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.boltdb.lastwrites import Partitioning, live_count, superseded_or_deleted

writes = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=200)


def tagged(operations: list[tuple[int, bool]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Hashes of few keys, spread over all bits, the lowest one for deletions."""
    spread = [(key * 0x9E3779B97F4A7C15 % (1 << 64)) & ~1 | deleted for key, deleted in operations]
    return np.array(spread, dtype=np.uint64)


@given(writes)
def test_live_keys_are_those_whose_last_write_is_no_deletion(operations: list[tuple[int, bool]]) -> None:
    """Counting by hashes equals counting with a dictionary."""
    last = dict(operations)

    assert live_count(tagged(operations)) == sum(not deleted for deleted in last.values())


@given(writes)
def test_everything_but_the_last_put_is_gone(operations: list[tuple[int, bool]]) -> None:
    """A record is kept when it is the last of its key and no deletion."""
    last = {key: index for index, (key, _) in enumerate(operations)}
    expected = [index != last[key] or deleted for index, (key, deleted) in enumerate(operations)]

    assert superseded_or_deleted(tagged(operations)).tolist() == expected


@given(writes, st.integers(0, 4))
def test_partitions_split_the_keys_and_lose_none(operations: list[tuple[int, bool]], bits: int) -> None:
    """Each record belongs to one partition, and the answers of the partitions add up."""
    hashes, partitioning = tagged(operations), Partitioning(bits)
    belongs = [partitioning.has(hashes, number) for number in range(partitioning.count)]

    assert (sum(mask.astype(int) for mask in belongs) == 1).all() or not operations
    assert sum(live_count(hashes[mask]) for mask in belongs) == live_count(hashes.copy())


def test_partitions_grow_with_the_records() -> None:
    """Small keyspaces are one partition, larger ones at least two, and none is much larger than asked for."""
    assert Partitioning.of(50_000, at_once=1 << 20).count == 1
    assert Partitioning.of(200_000, at_once=1 << 20).count == 2
    assert Partitioning.of(100 << 20, at_once=1 << 20).count == 128
