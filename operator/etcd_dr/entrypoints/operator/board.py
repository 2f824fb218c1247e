"""The last known state of every cluster: written by jobs, read by metrics and probes, heard by whoever listens.

One frozen value for each cluster, replaced as a whole, so that a scrape never sees half of an update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.key_count import KeyReading
from etcd_dr.domain.objectives import Objectives
from etcd_dr.domain.readiness.facts import ReadinessTerms
from etcd_dr.domain.recovery.watched import WatchedRecovery
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.tripwire import TripwireTerms
from etcd_dr.ports.object_store import StoreGuarantees


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What is known of one cluster. `None` means not known yet; a failed reading leaves the last good one in place.

    `schedule_gap`: the longest time between two slots; None: snapshots on demand only. A run may begin
    `schedule_jitter` later. `drill_max_age`: how old the last good drill may be; None: nobody said. `terms`: what its
    readiness is judged by. `objectives` and `policy` are the configuration's; `watching_since`: since when snapshots
    are due. `tripwire` None: keys are not watched; `keys` is the last count, `keys_failure` why they may not be
    counted. `recovery` is the one that is under way or ended lately. `failures` counts failed scheduled runs in a row.
    """

    cluster: str
    store: str
    schedule_gap: timedelta | None = None
    schedule_jitter: timedelta = timedelta(0)
    drill_max_age: timedelta | None = None
    terms: ReadinessTerms = field(default_factory=ReadinessTerms)
    objectives: Objectives = field(default_factory=Objectives)
    policy: RetentionPolicy = field(default_factory=RetentionPolicy)
    watching_since: datetime | None = None
    tripwire: TripwireTerms | None = None
    keys: KeyReading | None = None
    keys_failure: Failure | None = None
    report: HealthReport | None = None
    catalogue: Catalogue | None = None
    catalogue_read_at: datetime | None = None
    store_failure: Failure | None = None
    store_was_asked: bool = False
    recovery: Answer[WatchedRecovery] = NOT_ASKED
    guarantees: StoreGuarantees | None = None
    next_start_at: datetime | None = None
    failures: int = 0
    last_failure: Failure | None = None
    round_begun_at: float | None = None

    @property
    def was_looked_at(self) -> bool:
        """Whether the first round and the first reading of the store are over, however they ended."""
        return self.report is not None and self.store_was_asked


Listener = Callable[[ClusterState, ClusterState], None]
"""Hears of each update, with the state before and after; called in the job's thread, so it is quick and never raises."""


class StatusBoard:
    """Holds the states; safe from any thread."""

    def __init__(self, states: Iterable[ClusterState]) -> None:
        self._lock = Lock()
        self._states = {state.cluster: state for state in states}
        self._listeners: tuple[Listener, ...] = ()

    def on_change(self, listener: Listener) -> None:
        """Call `listener` after every update from now on, outside the lock: it may read the board."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def update(self, cluster: str, **changes: Any) -> ClusterState:
        """Replace fields of one cluster's state and return the new state."""
        with self._lock:
            before = self._states[cluster]
            after = self._states[cluster] = replace(before, **changes)
            listeners = self._listeners
        for listener in listeners:
            listener(before, after)
        return after

    def of(self, cluster: str) -> ClusterState:
        with self._lock:
            return self._states[cluster]

    def all(self) -> tuple[ClusterState, ...]:
        """Return the states of all clusters, in the order of the configuration."""
        with self._lock:
            return tuple(self._states.values())
