"""Leadership of a process that knows of no other: it leads every cluster, always."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.leadership import LeadershipMode, Standing, Term


class SoleLeadership:
    """Implements ports.leadership.Leadership."""

    def __init__(self, clusters: Iterable[str], cancellation: Cancellation) -> None:
        self._clusters = tuple(clusters)
        self._cancellation = cancellation

    @property
    def mode(self) -> LeadershipMode:
        return LeadershipMode.SOLE

    @property
    def silence(self) -> str:
        return ""

    def standings(self) -> tuple[Standing, ...]:
        return tuple(Standing(cluster, leads=True) for cluster in self._clusters)

    @contextmanager
    def work(
        self,
        cluster: str,
        *,
        is_urgent: bool = False,  # noqa: ARG002 - the port asks for it; here all work is let through
    ) -> Iterator[Term | None]:
        yield Term(cluster=cluster, cancellation=self._cancellation, overtaken=self._cancellation)

    def give_way(self, cluster: str) -> None:
        """There is nobody to give way to."""

    def start(self) -> None:
        """Nothing needs to be done."""

    def stop(self, *, is_clean: bool) -> None:
        """Nothing needs to be done."""
