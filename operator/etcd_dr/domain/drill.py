"""What a drill measures and compares: values and arithmetic, no I/O.

- A recovery needs `fetching`, `verifying`, `restoring` and `starting`; their sum is the RTO that a drill measures. It
  leaves out what only people and the nodes add: noticing, deciding, stopping writers, copying data to the nodes.
- `comparing` is the drill's own work and no part of that sum.
- A drill from the scratch copy of a snapshot that was just taken fetches nothing, so it measures no RTO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PhaseName = Literal["fetching", "verifying", "restoring", "starting", "comparing"]
RECOVERY_PHASES: tuple[PhaseName, ...] = ("fetching", "verifying", "restoring", "starting")


class DrillRecord(BaseModel):
    """What a `restorable` proof keeps of its drill. Times are seconds; `phases` are in the order they were run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phases: dict[str, float]
    rto_seconds: float | None = Field(default=None, description="None where the drill did not run every phase")
    objective_seconds: float | None = None
    restored_with: str = Field(default="", description="version of the tool that restored")
    started_with: str = Field(default="", description="version of etcd that was started")
    keys_compared: int = 0

    @property
    def meets_objective(self) -> bool | None:
        """Whether the RTO is within the objective; None where either is not known."""
        if self.rto_seconds is None or self.objective_seconds is None:
            return None
        return self.rto_seconds <= self.objective_seconds


@dataclass(frozen=True, slots=True)
class DrillCheck:
    """One comparison, in words. `passed` None: it could not be made."""

    name: str
    detail: str
    passed: bool | None


def rto_seconds(phases: Mapping[str, float]) -> float | None:
    """Return the sum of the phases that a recovery needs, or None where one of them was not run."""
    if not all(name in phases for name in RECOVERY_PHASES):
        return None
    return round(sum(phases[name] for name in RECOVERY_PHASES), 3)


def drill_record(
    phases: Mapping[str, float],
    *,
    objective: timedelta | None,
    restored_with: str,
    started_with: str,
    keys_compared: int,
) -> DrillRecord:
    """Return the record of a drill that ran these phases."""
    return DrillRecord(
        phases={name: round(seconds, 3) for name, seconds in phases.items()},
        rto_seconds=rto_seconds(phases),
        objective_seconds=objective.total_seconds() if objective is not None else None,
        restored_with=restored_with,
        started_with=started_with,
        keys_compared=keys_compared,
    )


def room_needed_bytes(database_bytes: int) -> int:
    """Return the disk that a drill takes: the plain file, its restored copy, and etcd's log.

    etcd allocates 64 MB for each of two log files ahead (wal.go, SegmentSizeBytes).
    """
    return 2 * database_bytes + 2 * (64 << 20)


def verdict(checks: Sequence[DrillCheck]) -> bool | None:
    """Return whether the comparisons prove the snapshot restorable; None where one could not be made and none failed."""
    if any(check.passed is False for check in checks):
        return False
    return None if any(check.passed is None for check in checks) else True
