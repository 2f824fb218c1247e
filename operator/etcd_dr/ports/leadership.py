"""Who may write for a cluster: of several operator processes that protect it, one at a time.

Contract:
- Reading, health and metrics need no leave. Whatever writes to the store or loads a member asks for it first.
- A leave can end under running work (the lease was lost). `Term.cancellation` says so between chunks, and is also
  thrown by whatever stops the process. It ends no write that is already on its way: what may exist only once is
  arbitrated by the store (workflows/settle_slot.py).
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
    process among the replicas. `led_last`: this process was the last one here that held the lease, as far as it knows.
    """

    cluster: str
    cancellation: Cancellation
    mode: LeadershipMode = LeadershipMode.SOLE
    fencing: int | None = None
    holder: str = ""
    led_last: bool = True


class Leadership(Protocol):
    """Safe from any thread; never blocks and never raises."""

    @property
    def mode(self) -> LeadershipMode: ...

    def work(self, cluster: str, *, is_urgent: bool = False) -> AbstractContextManager[Term | None]:
        """Yield the term in which to work, or None: another process leads, or none does just now.

        In survival mode only urgent work (a scheduled snapshot) is let through: the rest waits for the leases.
        """
        ...
