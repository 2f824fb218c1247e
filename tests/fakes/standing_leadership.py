"""Leadership that stands as a test says, for who only asks how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etcd_dr.ports.leadership import LeadershipMode, Standing, Term


@dataclass
class StandingLeadership:
    """Implements ports.leadership.Leadership; nobody works with it."""

    mode: LeadershipMode = LeadershipMode.SOLE
    silence: str = ""
    standing: tuple[Standing, ...] = ()

    def standings(self) -> tuple[Standing, ...]:
        return self.standing

    @contextmanager
    def work(self, cluster: str, *, is_urgent: bool = False) -> Iterator[Term | None]:
        yield None
