"""Leadership of a process that knows of no other: it leads every cluster, always."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.leadership import LeadershipMode, Term


class SoleLeadership:
    """Implements ports.leadership.Leadership."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation

    @property
    def mode(self) -> LeadershipMode:
        return LeadershipMode.SOLE

    @contextmanager
    def work(
        self,
        cluster: str,
        *,
        is_urgent: bool = False,  # noqa: ARG002 - the port asks for it; here all work is let through
    ) -> Iterator[Term | None]:
        yield Term(cluster=cluster, cancellation=self._cancellation)
