"""Reads the catalogue of one cluster and the recovery of the moment onto the board, and tells the health rules what it says."""

from __future__ import annotations

from itertools import count
from threading import Lock
from typing import Any

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.catalogue import Catalogue, ClusterMarker
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts
from etcd_dr.entrypoints.operator.objective_metrics import objectives_report
from etcd_dr.entrypoints.operator.tripwire_metrics import trip_of
from etcd_dr.errors import EtcdDrError
from etcd_dr.workflows.claim_prefix import look_at_marker
from etcd_dr.workflows.read_catalogue import RecordCache, read_catalogue
from etcd_dr.workflows.recovery.watch_recovery import RecoveryWatch


class CatalogueReader:
    """Remembers what it read, so that a second reading asks for what is new; safe from any thread.

    Of two readings at once the one that was begun later is shown: the other one may have been under way when a snapshot
    was stored or removed.
    """

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._records = RecordCache()
        self._marker: Answer[ClusterMarker] = NOT_ASKED
        self._recovery = RecoveryWatch(parts.store, parts.layout)
        self._numbers = count(1)
        self._showing = Lock()
        self._shown = 0

    def read(self) -> Catalogue:
        """Read the catalogue and put it on the board; a failure goes there too, beside the last good one.

        Raises StoreError.
        """
        parts, number = self._parts, next(self._numbers)
        try:
            catalogue = read_catalogue(parts.store, parts.layout, cache=self._records)
            self._marker = look_at_marker(parts.store, parts.layout)
        except EtcdDrError as error:
            self._show(number, store_was_asked=True, store_failure=Failure.of(error))
            raise
        self._show(
            number,
            catalogue=catalogue,
            catalogue_read_at=parts.surroundings.clock.now(),
            recovery=self._recovery.look(now=parts.surroundings.clock.now()),
            store_was_asked=True,
            store_failure=None,
            watching_since=self._marker.value.created_at if self._marker.value is not None else None,
        )
        return catalogue

    def _show(self, number: int, **changes: Any) -> None:
        with self._showing:
            if number > self._shown:
                self._shown = number
                self._parts.board.update(self._parts.cluster, **changes)

    def facts(self) -> SnapshotFacts | None:
        """Return what the store said last, for the health rules; None before the first reading."""
        parts = self._parts
        state = parts.board.of(parts.cluster)
        now = parts.surroundings.clock.now()
        objectives, trip = objectives_report(state, now=now), trip_of(state, now=now)
        if state.store_failure is not None:
            return SnapshotFacts(store=parts.store_name, failure=state.store_failure, objectives=objectives, trip=trip)
        if state.catalogue is None:
            return None
        return SnapshotFacts.from_catalogue(
            state.catalogue,
            store=parts.store_name,
            interval=state.schedule_gap,
            marker=self._marker.value,
            marker_failure=self._marker.failure,
            drill_max_age=state.drill_max_age,
            objectives=objectives,
            trip=trip,
            keys_failure=state.keys_failure,
        )
