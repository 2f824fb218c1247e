"""The tripwire of one cluster: count, compare, and keep what is still good when keys vanish (domain/tripwire.py).

- A trip pins the last good snapshot, takes another one of what is left, and is told by the pin from then on: the next
  health round finds it in the catalogue, and so does every other process.
- It also looks after each snapshot, before retention: the last good one may be the next to go.
- What fails is tried again at the next look, because the fall is forgotten only when all of it is done. It is told once.
- A slow count is made more rarely: it is never under way for more than half a percent of the time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.key_count import KeyFall, KeyReading
from etcd_dr.domain.tripwire import (
    PINNED_BY,
    TripwireTerms,
    fall_between,
    fall_between_snapshots,
    fall_since,
    is_known,
    is_of_what_is_left,
    last_good,
    pin_reason,
    remember,
)
from etcd_dr.entrypoints.operator.catalogue_reader import CatalogueReader
from etcd_dr.entrypoints.operator.job_door import JobDoor
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts, KeeperTripwire
from etcd_dr.entrypoints.operator.snapshot_runs import SnapshotRuns
from etcd_dr.errors import AccessDenied, EtcdError, MemberUnreachable
from etcd_dr.ports.leadership import Term
from etcd_dr.workflows.pin_snapshot import pin_snapshot

_QUIET = timedelta(minutes=15)  # a deletion that goes on is one deletion
_REST_PER_COUNT = 200
_REASON = "mass-deletion"


class TripwireRuns:
    """Looks at one cluster's keys; one look at a time, from any thread. Public methods raise nothing."""

    def __init__(self, parts: KeeperParts, *, door: JobDoor, reader: CatalogueReader, runs: SnapshotRuns) -> None:
        self._parts = parts
        self._clock = parts.surroundings.clock
        self._door = door
        self._reader = reader
        self._runs = runs
        self._mutex = Lock()
        self._forget()
        self._told: KeyFall | None = None
        self._rests_until = 0.0
        self._quiet_until: datetime | None = None

    def look(self) -> None:
        """Count once, and act if keys have vanished. Only where this process leads the cluster."""
        tripwire = self._parts.tripwire
        if tripwire is None:
            return
        with self._parts.leadership.work(self._parts.cluster, is_urgent=True) as term:
            if term is None:
                self._forget()
                return
            self._look(tripwire, term)

    def look_before_retention(self, term: Term) -> None:
        """Look now, whatever the rest: what vanished since the last look must not lose its snapshot to retention."""
        if self._parts.tripwire is not None:
            self._rests_until = 0.0
            self._look(self._parts.tripwire, term)

    def _look(self, tripwire: KeeperTripwire, term: Term) -> None:
        with self._mutex, self._door.job("tripwire"):
            fall = self._find(tripwire)
            if fall is not None:
                self._trip(fall, tripwire.terms, term)

    def _forget(self) -> None:
        self._readings: tuple[KeyReading, ...] = ()
        self._is_fresh = True  # nothing was compared with the newest snapshot yet
        self._owed: KeyFall | None = None  # it was told and pinned, and what it left could not be saved yet

    def _find(self, tripwire: KeeperTripwire) -> KeyFall | None:
        if self._clock.monotonic() < self._rests_until:
            return None
        try:
            reading = self._count(tripwire)
        except AccessDenied as error:
            self._parts.board.update(self._parts.cluster, keys_failure=Failure.of(error))
            return self._between_snapshots(tripwire.terms)
        except EtcdError:
            return None  # nobody answers: health tells that, and says why
        if reading is None:
            return self._between_snapshots(tripwire.terms)
        self._parts.board.update(self._parts.cluster, keys=reading, keys_failure=None)
        self._rests_until = self._clock.monotonic() + _REST_PER_COUNT * reading.seconds
        self._readings = remember(self._readings, reading, within=tripwire.terms.within)
        if self._quiet_until is not None and reading.at < self._quiet_until:
            return None
        found = fall_between(self._readings, tripwire.terms) or self._since_snapshot(reading, tripwire.terms)
        return found or self._owed

    def _count(self, tripwire: KeeperTripwire) -> KeyReading | None:
        """Return a reading; None: there is no way to count. Raises EtcdError."""
        if tripwire.counter is None:
            return None
        report = self._parts.board.of(self._parts.cluster).report
        if report is not None and report.is_silent:
            raise MemberUnreachable("no member answered the last health round", subject=self._parts.cluster)
        return tripwire.counter.count(report)

    def _since_snapshot(self, reading: KeyReading, terms: TripwireTerms) -> KeyFall | None:
        catalogue = self._parts.board.of(self._parts.cluster).catalogue
        if not self._is_fresh or catalogue is None:
            return None
        fall = fall_since(catalogue.newest_proven, reading, terms)
        self._is_fresh = fall is not None
        return fall

    def _between_snapshots(self, terms: TripwireTerms) -> KeyFall | None:
        catalogue = self._parts.board.of(self._parts.cluster).catalogue
        fall = fall_between_snapshots(catalogue, terms) if catalogue is not None else None
        return fall if fall != self._told else None

    def _trip(self, fall: KeyFall, terms: TripwireTerms, term: Term) -> None:
        catalogue = self._reader.read()
        if self._owed is not None or not is_known(catalogue, fall):
            good = last_good(catalogue, fall, terms)
            if self._owed is None:
                self._tell(fall, good)
            if good is not None:
                self._pin(good, fall)
            self._owed = fall
            has_one = catalogue.newest is not None and is_of_what_is_left(catalogue.newest, fall)
            if not has_one and not self._runs.take_now(term, reason=_REASON, labels={"tripwire": _REASON}):
                self._reader.read()
                return  # a run is under way, which may have begun before: the next look comes after it
            self._owed = None
            self._reader.read()
        self._told = fall
        self._quiet_until = self._clock.now() + _QUIET
        self._readings, self._is_fresh = self._readings[-1:], False

    def _tell(self, fall: KeyFall, good: Snapshot | None) -> None:
        self._parts.surroundings.events.emit(
            "tripwire.tripped",
            level="error",
            cluster=self._parts.cluster,
            store=self._parts.store_name,
            keys_before=fall.keys_before,
            keys_after=fall.keys_after,
            pinned=str(good.id) if good is not None else None,
        )

    def _pin(self, good: Snapshot, fall: KeyFall) -> None:
        pin_snapshot(
            self._parts.store,
            self._parts.layout,
            good.id,
            pinned_by=PINNED_BY,
            reason=pin_reason(fall, earlier=good.pin),
            now=self._clock.now(),
            events=self._parts.surroundings.events,
            fall=fall,
        )
