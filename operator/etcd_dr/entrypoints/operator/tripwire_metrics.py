"""What the tripwire knows, from what the board holds, and its metrics (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etcd_dr.domain.tripwire import Trip, open_trip
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.ports.clock import Clock

_GAUGES = {
    "keys": "Live keys when they were last counted",
    "keys_counted": "Of those, the ones that the tripwire weighs",
    "keys_timestamp_seconds": "When they were last counted",
    "keys_count_seconds": "How long that took",
    "tripwire_watching": "Whether live keys are counted between snapshots",
    "mass_deletion": "Whether keys have vanished and nobody has acknowledged it",
    "mass_deletion_keys_before": "Live keys before that",
    "mass_deletion_keys_after": "Live keys when it was noticed",
    "mass_deletion_timestamp_seconds": "When it was noticed",
}


def trip_of(state: ClusterState, *, now: datetime) -> Trip | None:
    """Return the fall that nobody has acknowledged yet, as the catalogue's pins tell it."""
    if state.catalogue is None or state.tripwire is None:
        return None
    return open_trip(state.catalogue, hold=state.tripwire.hold, now=now)


class TripwireCollector(Collector):
    """Gauges made at each scrape."""

    def __init__(self, board: StatusBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def describe(self) -> Sequence[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        place = ("cluster", "store")
        families = {name: GaugeMetricFamily(f"etcd_dr_{name}", text, labels=place) for name, text in _GAUGES.items()}
        now = self._clock.now()
        for state in self._board.all():
            if state.tripwire is None:
                continue
            for name, value in _values(state, trip_of(state, now=now)).items():
                if value is not None:
                    families[name].add_metric([state.cluster, state.store], value)
        yield from families.values()


def _values(state: ClusterState, trip: Trip | None) -> dict[str, float | None]:
    keys = state.keys
    return {
        "keys": keys.keys if keys else None,
        "keys_counted": keys.counted if keys else None,
        "keys_timestamp_seconds": keys.at.timestamp() if keys else None,
        "keys_count_seconds": keys.seconds if keys else None,
        "tripwire_watching": float(keys is not None and state.keys_failure is None),
        "mass_deletion": float(trip is not None) if state.catalogue is not None else None,
        "mass_deletion_keys_before": trip.fall.keys_before if trip else None,
        "mass_deletion_keys_after": trip.fall.keys_after if trip else None,
        "mass_deletion_timestamp_seconds": trip.fall.at.timestamp() if trip else None,
    }
