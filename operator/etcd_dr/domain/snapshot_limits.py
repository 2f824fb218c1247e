"""How long and how often a snapshot may try, and how much it may ask of live members."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class SnapshotLimits:
    """Limits of one run. Deadlines are seconds; those of long calls grow with the database, so that none of them is
    a hidden size limit (fixed 30-second limits have broken backups of large clusters: k3s #11122)."""

    call_deadline: float = 5.0
    """One small call: status, member list, a read."""
    stall_deadline: float = 30.0
    """The longest silence within a stream."""
    total_deadline: float | None = None
    """The whole stream; None: 5 minutes, and 5 minutes more for each GiB."""
    attempts: int = 3
    """How many members are tried in one run."""
    hash_live_members: bool = True
    """Whether members are asked for HashKV at all."""
    hashed_by: Literal["member", "copy"] = "member"
    """Who computes a live member's hash: itself, or this program from a second snapshot that it sends."""
    hash_max_bytes: int = 4 * _GIB
    """Above this database size one follower is asked, the source not included."""
    witness_count: int = 2
    """How many members are asked below it."""
    max_applied_lag: int = 1000
    """Raft entries that a member may have committed and not applied, and still serve a snapshot."""

    def stream_deadline(self, database_bytes: int) -> float:
        """Return the limit for one whole stream of a database of this size."""
        if self.total_deadline is not None:
            return self.total_deadline
        return 300.0 * (1 + math.ceil(database_bytes / _GIB))

    def hash_deadline(self, database_bytes: int) -> float:
        """Return the limit for one HashKV: 1-4 s per GiB were measured, 13 s on a busy machine."""
        if self.hashed_by == "copy":
            return self.stream_deadline(database_bytes)
        return 15.0 + 30.0 * database_bytes / _GIB
