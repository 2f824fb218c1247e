"""Who may write for a cluster: of several operator processes that protect it, one at a time.

Contract:
- Reading, health and metrics need no leave. Whatever writes to the store or loads a member asks for it first.
- A leave can end under running work. `Term.cancellation` says so between chunks: the lease was lost, or could not be
  renewed in time, or the process stops. It ends no write that is already on its way.
- Work whose result the store arbitrates (a scheduled snapshot: workflows/settle_slot.py) listens to `Term.overtaken`
  instead: it goes on when the API merely went silent, which is when a snapshot matters most, and stops when another
  replica is seen to lead.
- While work is under way a leave is not given away to another replica.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from etcd_dr.ports.cancellation import Cancellation


class LeadershipMode(StrEnum):
    """How replicas are kept apart: there is one only; by leases; by the store alone, because no lease can be had."""

    SOLE = "sole"
    LEASES = "leases"
    SURVIVAL = "survival"


@dataclass(frozen=True, slots=True)
class Term:
    """A time in which this process may write for a cluster.

    `fencing` grows with each term of the cluster's lease; None where no lease stands behind it. `holder` names this
    process among the replicas. `led_last`: this process was the last one that held the lease, as far as it knows.
    `survived_seconds`: for how long survival mode has lasted.
    """

    cluster: str
    cancellation: Cancellation
    overtaken: Cancellation
    mode: LeadershipMode = LeadershipMode.SOLE
    fencing: int | None = None
    holder: str = ""
    led_last: bool = True
    survived_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How this process stands to one cluster. `holder`: who leads, as far as is known here; empty: nobody."""

    cluster: str
    leads: bool
    fencing: int | None = None
    holder: str = ""


class Leadership(Protocol):
    """Safe from any thread; never blocks and never raises."""

    @property
    def mode(self) -> LeadershipMode: ...

    @property
    def silence(self) -> str:
        """Why no lease can be had just now, for a person; empty where that is not so."""
        ...

    def standings(self) -> tuple[Standing, ...]:
        """Return how this process stands to each cluster, in the order of the configuration."""
        ...

    def work(self, cluster: str, *, is_urgent: bool = False) -> AbstractContextManager[Term | None]:
        """Yield the term in which to work, or None: another process leads, or none does just now.

        In survival mode only urgent work (a scheduled snapshot) is let through: the rest waits for the leases.
        """
        ...

    def give_way(self, cluster: str) -> None:
        """Let another replica lead, once no work is under way: this one fails at it. It leads on if nobody comes."""
        ...
