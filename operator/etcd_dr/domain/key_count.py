"""How many live keys a cluster has, as one member answered, and when they were found to have vanished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class KeyCount:
    """One answer of etcd: live keys in a range, with what its header says of the moment it is true of."""

    keys: int
    revision: int
    raft_term: int
    cluster_id: int


@dataclass(frozen=True, slots=True)
class KeyReading:
    """One look at a cluster. `keys` are all live keys, `counted` those without the prefixes that are not counted."""

    at: datetime
    keys: int
    counted: int
    revision: int
    raft_term: int
    cluster_id: int
    endpoint: str = ""
    seconds: float = 0.0


class KeyFall(BaseModel):
    """Keys that vanished: how many there were, last seen when, and how many were left; kept with a pin."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    keys_before: int
    before_at: AwareDatetime
    keys_after: int
    at: AwareDatetime

    @property
    def lost(self) -> int:
        return self.keys_before - self.keys_after

    @property
    def percent(self) -> float:
        """How much of all keys is gone, in percent."""
        return 100.0 * self.lost / self.keys_before if self.keys_before else 0.0
