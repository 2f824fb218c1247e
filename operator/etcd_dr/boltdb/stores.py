"""Where the hashes of keys are kept between two phases, and which records a compaction would drop.

Rules this module keeps:
- Hashes are appended once and read often, segment by segment. Each process appends to a store of its own and reads
  everybody's; what is in a store never changes.
- The files are memory without a name (memfd): nothing is written to a disk, and nothing is left behind.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from etcd_dr.boltdb.image import Words

MAX_STORED_HASHES = 6_000_000
"""In all processes together: 48 MB."""

Segment = tuple[int, int, int]
"""Whose store, where in it, and how many hashes."""


class HashStore(Protocol):
    """Keeps hashes, segment by segment."""

    def append(self, hashes: Words) -> Segment | None:
        """Keep some hashes and return where they are; None when there is no room for them."""
        ...

    def read(self, segment: Segment) -> Words:
        """Return the hashes of a segment; they are the caller's."""
        ...


class PrivateHashStore:
    """Keeps hashes in this process."""

    def __init__(self, *, capacity: int = MAX_STORED_HASHES) -> None:
        self._segments: list[Words] = []
        self._room = capacity

    def append(self, hashes: Words) -> Segment | None:
        """See HashStore."""
        if len(hashes) > self._room:
            return None
        self._room -= len(hashes)
        self._segments.append(hashes)
        return 0, len(self._segments) - 1, len(hashes)

    def read(self, segment: Segment) -> Words:
        """See HashStore."""
        return self._segments[segment[1]]


class SharedHashStore:
    """Keeps hashes in files that several processes have open: `files[own]` is appended to, all of them are read."""

    def __init__(self, files: Sequence[int], own: int, *, capacity: int = MAX_STORED_HASHES) -> None:
        self._capacity_bytes = 8 * (capacity // len(files))
        self._files = files
        self._own = own
        self._end = 0

    def append(self, hashes: Words) -> Segment | None:
        """See HashStore."""
        if self._end + hashes.nbytes > self._capacity_bytes:
            return None
        segment = (self._own, self._end, len(hashes))
        rest = hashes.view(np.uint8).data
        while rest:
            written = os.pwrite(self._files[self._own], rest, self._end)
            self._end += written
            rest = rest[written:]
        return segment

    def read(self, segment: Segment) -> Words:
        """See HashStore."""
        owner, offset, count = segment
        hashes = np.empty(count, dtype=np.uint64)
        rest = hashes.view(np.uint8).data
        while rest:
            done = os.preadv(self._files[owner], [rest], offset)
            if done == 0:
                raise EOFError("a stored segment is shorter than it was")
            offset += done
            rest = rest[done:]
        return hashes


class DropMarks:
    """One byte per record: whether a compaction would drop it. In a file that several processes share, or alone."""

    def __init__(self, file: int | None = None) -> None:
        self._file = file
        self._array: NDArray[np.uint8] | None = None

    def array(self, record_count: int) -> NDArray[np.uint8]:
        """Return the marks, all zero at first."""
        if self._array is None:
            if self._file is None:
                self._array = np.zeros(record_count, dtype=np.uint8)
            else:
                size = max(1, record_count)
                os.ftruncate(self._file, size)
                self._array = np.frombuffer(mmap.mmap(self._file, size), dtype=np.uint8, count=record_count)
        return self._array
