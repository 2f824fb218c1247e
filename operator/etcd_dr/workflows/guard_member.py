"""Keep two pieces of heavy work of one process away from the same member.

A snapshot stream that stands still while Defragment runs on its member freezes that member wholly, reads included
(etcd's backend.go: defrag holds the locks while bbolt waits for the stream's read transaction). So whoever streams or
defragments holds the member first; nobody waits, because the second one has better things to do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from etcd_dr.errors import Busy


class MemberGuard:
    """Remembers what this process does with each member. One for the whole process; safe from any thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held: dict[tuple[int, int], str] = {}

    @contextmanager
    def hold(self, cluster_id: int, member_id: int, *, work: str, subject: str) -> Iterator[None]:
        """Hold a member for `work` (one word, for the message to others). Raises Busy when it is held already."""
        key = (cluster_id, member_id)
        with self._mutex:
            other = self._held.get(key)
            if other is not None:
                raise Busy(
                    f"{other} is under way on this member",
                    subject=subject,
                    next_step="Wait for it to end, or name another member with --endpoint.",
                )
            self._held[key] = work
        try:
            yield
        finally:
            with self._mutex:
                del self._held[key]
