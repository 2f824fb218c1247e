"""What a rule is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.health import Finding
from etcd_dr.domain.health_rules.commands import Commands
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.observation import EndpointObservation, Observation
from etcd_dr.domain.quorum import Quorum
from etcd_dr.domain.snapshot_facts import SnapshotFacts

Sighting = tuple[datetime, EndpointObservation]


@dataclass(frozen=True)
class Situation:
    """One round with everything that rules may weigh. `history` is oldest first, without this round.

    `platform` is `talos`, `static-pod`, `systemd` or `local`; empty where the configuration does not say.

    No `slots`: the views of the past are worked out once, when the first rule asks.
    """

    observation: Observation
    view: ClusterView
    quorum: Quorum
    history: tuple[Observation, ...]
    thresholds: Thresholds
    snapshots: SnapshotFacts | None
    platform: str = ""

    @property
    def commands(self) -> Commands:
        """The commands that next steps offer on this platform."""
        return Commands(self.platform)

    @property
    def now(self) -> datetime:
        return self.observation.taken_at

    @cached_property
    def past(self) -> Mapping[int, tuple[Sighting, ...]]:
        """Earlier answers of each member, by id, oldest first."""
        found: dict[int, list[Sighting]] = {}
        for earlier in self.history:
            for endpoint in earlier.endpoints:
                status = endpoint.latest_status
                if status is not None and status.cluster_id == self.view.cluster_id:
                    found.setdefault(status.member_id, []).append((earlier.taken_at, endpoint))
        return {member: tuple(sightings) for member, sightings in found.items()}

    def oldest_within(self, endpoint: EndpointObservation, window_seconds: float) -> Sighting | None:
        """Return this member's oldest answer that is not older than the window, or None."""
        sightings = self.past.get(self.view.member_id(endpoint), ())
        return next((s for s in sightings if (self.now - s[0]).total_seconds() <= window_seconds), None)


Judge = Callable[[Situation], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pure function with the codes that it may find; docs/health.md has one line for each code."""

    judge: Judge
    codes: tuple[str, ...]

    @classmethod
    def of(cls, judge: Judge, *codes: str) -> Rule:
        return cls(judge, codes)


def listing(values: Iterable[object]) -> str:
    """Return evidence that has several values as one text."""
    return ", ".join(str(value) for value in values)
