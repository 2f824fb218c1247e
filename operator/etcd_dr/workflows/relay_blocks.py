"""Hand blocks from the thread that receives a snapshot to the thread that stores it, through the scratch file.

The scratch file has to be written anyway; as the queue between the two it has no bound, so that a slow store never
holds up the stream. That matters to etcd: an open stream pins a read transaction, the database grows meanwhile, and a
defragmentation would freeze the member (workflows/guard_member.py). Memory stays flat: one block on each side, and
what the reader takes comes from the page cache.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from etcd_dr.errors import Cancelled
from etcd_dr.ports.local_files import ScratchFile

BLOCK_BYTES = 1 << 20


class BlockRelay:
    """One writer, one reader. The writer ends with `finish` or `abandon`; without either the reader waits for ever."""

    def __init__(self, scratch: ScratchFile) -> None:
        self._scratch = scratch
        self._changed = threading.Condition()
        self._written = 0
        self._is_whole = False
        self._is_abandoned = False

    def append(self, block: bytes | bytearray | memoryview) -> None:
        """Write a block and let the reader have it. Raises LocalStorageFull."""
        self._scratch.append(block)
        with self._changed:
            self._written += len(block)
            self._changed.notify()

    def finish(self) -> None:
        """Say that everything was appended."""
        with self._changed:
            self._is_whole = True
            self._changed.notify()

    def abandon(self) -> None:
        """Make the reader stop with Cancelled at its next block, also after `finish`. Safe to call twice."""
        with self._changed:
            self._is_abandoned = True
            self._changed.notify()

    def __iter__(self) -> Iterator[bytes]:
        offset = 0
        while available := self._wait_for(offset):
            block = self._scratch.read_at(offset, min(available, BLOCK_BYTES))
            offset += len(block)
            yield block

    def _wait_for(self, offset: int) -> int:
        """Return how many bytes there are from `offset` on; 0 only at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._written > offset or self._is_whole or self._is_abandoned)
            if self._is_abandoned:
                raise Cancelled("the snapshot was given up while it was being stored")
            return self._written - offset
