"""Looking at control-plane nodes for the doctor: everything that may matter, in one go, changing nothing.

Contract:
- `examine` raises nothing but Cancelled: what failed is in the observation, with what was answered before it failed.
- It ends at its deadline, whatever hangs on the node.
- Nodes are independent: different nodes may be examined from different threads at once, one node by one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etcd_dr.domain.doctor.hosts.observation import HostObservation


class ExaminedNode(Protocol):
    """One node; its owner closes it."""

    @property
    def name(self) -> str: ...

    def examine(self, *, deadline: float) -> HostObservation:
        """Return the evidence; `deadline` is in seconds."""
        ...

    def close(self) -> None:
        """Release the connection. Safe to call twice, and after a call that still hangs."""
        ...


class ExaminedNodes(Protocol):
    """The nodes of one cluster, in the configured order; `platform` is `static-pod` or `systemd`."""

    @property
    def platform(self) -> str: ...

    @property
    def nodes(self) -> Sequence[ExaminedNode]: ...
