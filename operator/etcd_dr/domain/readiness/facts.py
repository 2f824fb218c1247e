"""What the verdict on readiness rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.proof import Proof, ProofLevel
from etcd_dr.domain.quorum import Quorum


@dataclass(frozen=True, slots=True)
class ReadinessTerms:
    """What the configuration asks of this cluster.

    `drill_max_age`: how old the last good drill may be; None: 90 days, as a kit is judged. `rto_objective` is the RTO
    that is hoped for. `keeps_companions`: whether files beside the database are asked for. `reading_max_age`: how old
    a reading of the store may be before it says nothing about now. `mass_deletion_hold`: how long a mass deletion is told.
    """

    platform: str = "etcd"
    drill_max_age: timedelta | None = None
    rto_objective: timedelta | None = None
    rpo_objective: timedelta | None = None
    keeps_companions: bool = False
    reading_max_age: timedelta = timedelta(minutes=30)
    mass_deletion_hold: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessFacts:
    """What is known at `now`.

    `catalogue` is the last good reading, made at `read_at`; `store_failure` is why there is no newer one. `failures`
    counts scheduled runs that failed in a row. `quorum` None: the members were not asked.
    """

    cluster: str
    now: datetime
    catalogue: Catalogue | None = None
    read_at: datetime | None = None
    store_failure: Failure | None = None
    schedule_gap: timedelta | None = None
    next_start_at: datetime | None = None
    failures: int = 0
    quorum: Quorum | None = None
    terms: ReadinessTerms = ReadinessTerms()

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        return self.catalogue.snapshots if self.catalogue is not None else ()

    @property
    def source(self) -> Snapshot | None:
        """The snapshot that a recovery would begin with: the newest proven one."""
        return self.catalogue.newest_proven if self.catalogue is not None else None

    @property
    def last_drill(self) -> Proof | None:
        """The newest drill of any snapshot that came to a conclusion, however it ended."""
        return max(drills_of(self.snapshots), key=lambda proof: proof.at, default=None)

    @property
    def last_good_drill(self) -> Proof | None:
        return max((p for p in drills_of(self.snapshots) if p.passed), key=lambda proof: proof.at, default=None)

    @property
    def was_opened(self) -> bool:
        """Whether a stored object was ever opened with a key that opens `source` too.

        Whatever key opened it was one of its recipients; so those must all be recipients of `source`.
        """
        source = self.source
        if source is None:
            return False
        keys = recipients_of(source)
        return any(s.opened_at for s in self.snapshots if s.manifest.is_encrypted and recipients_of(s) <= keys)


def drills_of(snapshots: Iterable[Snapshot]) -> list[Proof]:
    """Return the newest drill of each snapshot that has one; those without a conclusion are none."""
    found = (snapshot.newest_proofs.get(ProofLevel.RESTORABLE) for snapshot in snapshots)
    return [proof for proof in found if proof is not None and proof.result != "inconclusive"]


def recipients_of(snapshot: Snapshot) -> frozenset[str]:
    """Return the public keys that a snapshot is encrypted to; empty where it is not encrypted."""
    found: set[str] = set()
    for stage in snapshot.manifest.stages:
        told = stage.parameters.get("recipients", ()) if stage.name == "age" else ()
        found.update(told if isinstance(told, tuple) else (str(told),))
    return frozenset(found)
