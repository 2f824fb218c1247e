"""What the store says about a cluster's snapshots, reduced to what health rules ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Catalogue, ClusterMarker
from etcd_dr.domain.objectives import ObjectivesReport
from etcd_dr.domain.proof import HashKvWitness, ProofLevel
from etcd_dr.domain.tripwire import Trip


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """The freshness and soundness of what is stored.

    `failure`: the store could not be asked, and everything else is unknown. `interval`: the longest wait between two
    runs of the schedule; None: no schedule, so no snapshot is ever late. `watching_since`: since when snapshots were
    due; None: not known. `marker_cluster_ids`: the etcd clusters that this store prefix belongs to; `marker_failure`:
    why nobody can tell. `drilled_at`: the last drill that passed; `drill_max_age`: how old it may be, None: nobody asks.
    `witnesses`: what live members answered for the newest snapshot's hash. `objectives`: how those stand, also while the
    store cannot be asked; None: nothing is known.
    `trip`: keys vanished, and nobody has acknowledged it; `keys_failure`: why they may not be counted.
    """

    store: str
    failure: Failure | None = None
    interval: timedelta | None = None
    watching_since: datetime | None = None
    count: int = 0
    unreadable: int = 0
    newest_id: str | None = None
    newest_taken_at: datetime | None = None
    newest_damage: str | None = None
    newest_proven_id: str | None = None
    newest_proven_at: datetime | None = None
    marker_cluster_ids: tuple[int, ...] = ()
    marker_failure: Failure | None = None
    witnesses: tuple[HashKvWitness, ...] = ()
    drilled_at: datetime | None = None
    drill_max_age: timedelta | None = None
    objectives: ObjectivesReport | None = None
    trip: Trip | None = None
    keys_failure: Failure | None = None

    @classmethod
    def from_catalogue(
        cls,
        catalogue: Catalogue,
        *,
        store: str,
        interval: timedelta | None,
        marker: ClusterMarker | None = None,
        marker_failure: Failure | None = None,
        drill_max_age: timedelta | None = None,
        objectives: ObjectivesReport | None = None,
        trip: Trip | None = None,
        keys_failure: Failure | None = None,
    ) -> SnapshotFacts:
        """Return the facts of a catalogue that was read. `marker` is the prefix's `cluster.json`, `marker_failure` why
        that cannot be read."""
        newest, proven = catalogue.newest, catalogue.newest_proven
        consistent = newest.newest_proofs.get(ProofLevel.CONSISTENT) if newest else None
        return cls(
            store=store,
            interval=interval,
            watching_since=marker.created_at if marker else None,
            count=len(catalogue.snapshots),
            unreadable=len(catalogue.unreadable),
            newest_id=str(newest.id) if newest else None,
            newest_taken_at=newest.taken_at if newest else None,
            newest_damage=(newest.damage or None) if newest else None,
            marker_failure=marker_failure,
            newest_proven_id=str(proven.id) if proven else None,
            newest_proven_at=proven.taken_at if proven else None,
            marker_cluster_ids=_ids(marker),
            witnesses=consistent.witnesses if consistent else (),
            drilled_at=last_good_drill_at(catalogue),
            drill_max_age=drill_max_age,
            objectives=objectives,
            trip=trip,
            keys_failure=keys_failure,
        )


def last_good_drill_at(catalogue: Catalogue) -> datetime | None:
    """Return when a drill last passed, on whatever snapshot."""
    drills = [
        s.newest_proofs[ProofLevel.RESTORABLE] for s in catalogue.snapshots if ProofLevel.RESTORABLE in s.newest_proofs
    ]
    return max((proof.at for proof in drills if proof.passed), default=None)


def _ids(marker: ClusterMarker | None) -> tuple[int, ...]:
    if marker is None:
        return ()
    return tuple(int(text, 16) for text in marker.etcd_cluster_ids if _is_hex(text))


def _is_hex(text: str) -> bool:
    return bool(text) and len(text) <= 16 and all(c in "0123456789abcdef" for c in text)
