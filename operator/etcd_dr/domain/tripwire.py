"""When keys vanish: a pure rule over counts of live keys, and what is to be kept then.

- A fall is sharp: a share of all keys, and a least number of them, within a time. What dwindles for weeks is no
  accident, and a handful of keys is no mass.
- Counts of one history are compared and no others. Another cluster id, a lower term or revision, or a leap of the
  revision as a recovery makes it (domain/recovery/revision_bump.py) begins a new one: restoring older data is no
  deletion. Compaction changes nothing, because only live keys are counted.
- After a start nothing is remembered: the first count is compared with the newest proven snapshot. Snapshots alone are
  compared where nobody may count.
- A trip is a pin with a fall in it, so it is in the store: every process and every command knows of it, and whoever
  takes the pin away has acknowledged it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Catalogue, Pin, Snapshot
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.key_count import KeyFall, KeyReading
from etcd_dr.domain.recovery.revision_bump import LEAST_BUMP

PINNED_BY = "etcd-dr tripwire"
_NEIGHBOURS = timedelta(minutes=15)  # counts that are further apart may have a million writes between them
_SNAPSHOT_AGE = timedelta(days=1)  # what went since an older snapshot did not go sharply


@dataclass(frozen=True, slots=True)
class TripwireTerms:
    """It trips when `fall_percent` of all keys are gone, and at least `min_keys`, within `within`. A trip is told for
    `hold`, unless its pin is taken away before."""

    fall_percent: float = 30.0
    min_keys: int = 500
    within: timedelta = timedelta(hours=1)
    hold: timedelta = timedelta(days=7)

    def is_fall(self, before: int, after: int) -> bool:
        """Return whether so many keys are gone."""
        lost = before - after
        return lost >= self.min_keys and 100.0 * lost >= self.fall_percent * before


def remember(readings: Sequence[KeyReading], newest: KeyReading, *, within: timedelta) -> tuple[KeyReading, ...]:
    """Return the readings that a later fall can be measured from, oldest first and `newest` last.

    Of those only the ones that no later reading exceeds: the highest count of the time is the first.
    """
    if readings and is_another_history(readings[-1], newest):
        return (newest,)
    kept = (r for r in readings if r.counted > newest.counted and newest.at - r.at <= within and r.at <= newest.at)
    return (*kept, newest)


def fall_between(readings: Sequence[KeyReading], terms: TripwireTerms) -> KeyFall | None:
    """Return the fall from the highest count that is remembered to the newest one; None: no such fall."""
    if len(readings) < 2:
        return None
    highest, newest = readings[0], readings[-1]
    if not terms.is_fall(highest.counted, newest.counted):
        return None
    return KeyFall(keys_before=highest.counted, before_at=highest.at, keys_after=newest.counted, at=newest.at)


def fall_since(snapshot: Snapshot | None, reading: KeyReading, terms: TripwireTerms) -> KeyFall | None:
    """Return the fall from a snapshot to a count of all keys; None: no such fall, or they cannot be compared."""
    if snapshot is None:
        return None
    database, source = snapshot.manifest.database, snapshot.manifest.source
    is_comparable = (
        source.cluster_id == id_text(reading.cluster_id)
        and database.revision <= reading.revision
        and timedelta(0) <= reading.at - snapshot.taken_at <= _SNAPSHOT_AGE
    )
    if not is_comparable or not terms.is_fall(database.live_keys, reading.keys):
        return None
    return KeyFall(keys_before=database.live_keys, before_at=snapshot.taken_at, keys_after=reading.keys, at=reading.at)


def fall_between_snapshots(catalogue: Catalogue, terms: TripwireTerms) -> KeyFall | None:
    """Return the fall from the newest proven snapshot but one to the newest; None: no such fall."""
    proven = [s for s in catalogue.snapshots if s.is_proven][-2:]
    if len(proven) < 2:
        return None
    older, newer = proven
    then, now = older.manifest, newer.manifest
    is_comparable = (
        then.source.cluster_id is not None
        and then.source.cluster_id == now.source.cluster_id
        and then.database.revision <= now.database.revision
        and newer.taken_at - older.taken_at <= _SNAPSHOT_AGE
    )
    if not is_comparable or not terms.is_fall(then.database.live_keys, now.database.live_keys):
        return None
    return KeyFall(
        keys_before=then.database.live_keys,
        before_at=older.taken_at,
        keys_after=now.database.live_keys,
        at=newer.taken_at,
    )


def last_good(catalogue: Catalogue, fall: KeyFall, terms: TripwireTerms) -> Snapshot | None:
    """Return the newest proven snapshot that still has the keys; the newest proven one where none has; None: none."""
    proven = [s for s in reversed(catalogue.snapshots) if s.is_proven and s.taken_at <= fall.at]
    whole = (s for s in proven if not terms.is_fall(fall.keys_before, s.manifest.database.live_keys))
    return next(whole, proven[0] if proven else None)


def is_of_what_is_left(snapshot: Snapshot, fall: KeyFall) -> bool:
    """Return whether a snapshot was taken after the fall: it has about as many keys as were left."""
    live_keys = snapshot.manifest.database.live_keys
    return live_keys - fall.keys_after < fall.keys_before - live_keys


def is_known(catalogue: Catalogue, fall: KeyFall) -> bool:
    """Return whether a pin of this fall, or of one after it, is in the store already."""
    pins = (snapshot.pin for snapshot in catalogue.snapshots)
    return any(pin is not None and pin.fall is not None and pin.fall.at >= fall.at for pin in pins)


def pin_reason(fall: KeyFall, *, earlier: Pin | None = None) -> str:
    """Return the words of the pin. What `earlier` said is kept: it was somebody's reason."""
    told = (
        f"mass deletion: {fall.keys_before} keys at {fall.before_at:%Y-%m-%d %H:%M} UTC, "
        f"{fall.keys_after} at {fall.at:%Y-%m-%d %H:%M} UTC ({-fall.percent:.0f} %)"
    )
    if earlier is None or earlier.fall is not None:
        return told
    return f"{told}; before that pinned by {earlier.by}: {earlier.reason or 'no reason given'}"


@dataclass(frozen=True, slots=True)
class Trip:
    """A fall that nobody has acknowledged: the snapshot that was pinned for it, and the first one of what was left."""

    fall: KeyFall
    snapshot_id: str
    pinned_at: datetime
    next_id: str | None = None


def open_trip(catalogue: Catalogue, *, hold: timedelta, now: datetime) -> Trip | None:
    """Return the newest fall whose pin is still there, for `hold` after it; None: all is well or acknowledged."""
    held = [
        (snapshot.pin.fall, snapshot.pin, snapshot)
        for snapshot in catalogue.snapshots
        if snapshot.pin is not None and snapshot.pin.fall is not None and now - snapshot.pin.fall.at <= hold
    ]
    if not held:
        return None
    fall, pin, snapshot = max(held, key=lambda entry: entry[0].at)
    after = next((s for s in catalogue.snapshots if s.order > snapshot.order and is_of_what_is_left(s, fall)), None)
    return Trip(fall, str(snapshot.id), pin.at, str(after.id) if after is not None else None)


def is_another_history(earlier: KeyReading, later: KeyReading) -> bool:
    """Return whether what lies between two counts is no course of events: a recovery, or another cluster."""
    if later.cluster_id != earlier.cluster_id:
        return True
    if later.revision < earlier.revision or later.raft_term < earlier.raft_term:
        return True
    return later.at - earlier.at <= _NEIGHBOURS and later.revision - earlier.revision >= LEAST_BUMP
