"""Which of several copies of a database file is kept, when etcd no longer answers.

All members apply one log, so whoever applied more of it holds everything that the others hold: the term and index of
the entry that was applied last order the copies. A database that does not say them (etcd before 3.5 writes no term)
is ordered by its revision.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.database import DatabaseStatus


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """What one node gave. `status` None: nothing that could be used, and `problem` says why."""

    address: str
    size_bytes: int = 0
    status: DatabaseStatus | None = None
    problem: str = ""

    @property
    def progress(self) -> tuple[int, int, int]:
        """How far it has come; compare it between copies of one cluster only."""
        if self.status is None:
            return (-1, -1, -1)
        return (self.status.term or 0, self.status.consistent_index or 0, self.status.revision)

    def is_better_than(self, other: DatabaseCopy | None) -> bool:
        """Tell whether this one is kept rather than the other; of equal ones the first stays."""
        return self.status is not None and (other is None or self.progress > other.progress)
