"""Keeps one cluster recoverable: what the operator does for it, one method for each kind of job.

Rules:
- Health and the catalogue are looked at by every replica; whatever writes to the store or loads a member is done only
  where this process leads the cluster (ports/leadership.py), and otherwise passed over without a word.
- Verification holds `deleting` for one snapshot at a time, and whatever deletes holds it too: nothing disappears under
  the hands of a verification. Retention does not wait for it, but comes later: it never delays a new snapshot.
- A failure is a value on the board, a counter and an event; it never ends the process and never stops another job.

Snapshots are in snapshot_runs, drills in drill_runs, the tripwire in tripwire_runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock

from etcd_dr.domain.catalogue import Pin, Snapshot
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.reverification import choose_for_reverification
from etcd_dr.domain.selection import parse_selector, select
from etcd_dr.entrypoints.operator.catalogue_reader import CatalogueReader
from etcd_dr.entrypoints.operator.drill_runs import DrillRuns
from etcd_dr.entrypoints.operator.job_door import JobDoor
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts
from etcd_dr.entrypoints.operator.snapshot_runs import SnapshotRuns
from etcd_dr.entrypoints.operator.tripwire_runs import TripwireRuns
from etcd_dr.errors import ObjectMissing
from etcd_dr.ports.leadership import Term
from etcd_dr.workflows.drill_restore import DrillOutcome
from etcd_dr.workflows.pin_snapshot import pin_snapshot
from etcd_dr.workflows.settle_slot import sweep_claims
from etcd_dr.workflows.sweep_uploads import sweep_uploads
from etcd_dr.workflows.verify_snapshot import verify_snapshot


class ClusterKeeper:
    """The jobs of one cluster; every public method may be called from any thread and raises nothing."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._cluster = parts.cluster
        self._clock = parts.surroundings.clock
        self._deleting = Lock()
        self._door = JobDoor(parts)
        self._reader = CatalogueReader(parts)
        self._drills = DrillRuns(parts, door=self._door, reader=self._reader, deleting=self._deleting)
        self._runs = SnapshotRuns(
            parts, door=self._door, reader=self._reader, drills=self._drills, deleting=self._deleting
        )
        self._tripwire = TripwireRuns(parts, door=self._door, reader=self._reader, runs=self._runs)
        self._runs.before_retention = self._tripwire.look_before_retention

    def check_health(self) -> None:
        """Make one health round."""
        self._parts.board.update(self._cluster, round_begun_at=self._clock.monotonic())
        with self._door.job("health"):
            try:
                report = self._parts.watch.round(self._reader.facts())
            except BaseException:
                self._parts.board.update(self._cluster, round_begun_at=None)  # it failed, and does not hang
                raise
            self._parts.board.update(self._cluster, report=report, round_begun_at=None)

    def refresh(self) -> None:
        """Read the catalogue anew."""
        with self._door.job("catalogue"):
            self._reader.read()

    def look_at_schedule(self) -> None:
        """Take a snapshot if one is due, then see to it that the next look comes in time."""
        self._runs.look_at_schedule()

    def watch_keys(self) -> None:
        """Count the live keys, and keep the last good snapshot when many have vanished."""
        self._tripwire.look()

    def save_now(
        self, term: Term, *, taken_by: str, labels: Mapping[str, str], pin_reason: str | None = None
    ) -> Snapshot:
        """Take a snapshot that somebody asked for, and pin it where a reason is given.

        Unlike the jobs, raises EtcdDrError.
        """
        snapshot = self._runs.take_on_demand(term, reason="on-demand", taken_by=taken_by, labels=labels).snapshot
        if pin_reason is not None:
            snapshot = replace(snapshot, pin=self._pin(snapshot, taken_by, pin_reason))
        self.refresh()
        return snapshot

    def find_labelled(self, key: str, value: str) -> Snapshot | None:
        """Return the newest snapshot of the store whose manifest has the label. Raises StoreError."""
        found = self._reader.read().snapshots
        return next((each for each in reversed(found) if each.manifest.labels.get(key) == value), None)

    def drill_now(self, term: Term, *, selector: str, taken_by: str, labels: Mapping[str, str]) -> DrillOutcome:
        """Drill what `selector` names, `fresh`, or as it comes (empty). Unlike the jobs, raises EtcdDrError."""
        outcome = self._drill_now(term, selector=selector, taken_by=taken_by, labels=labels)
        self.refresh()
        return outcome

    def _drill_now(self, term: Term, *, selector: str, taken_by: str, labels: Mapping[str, str]) -> DrillOutcome:
        if selector == "fresh":
            return self._runs.take_and_drill(term, reason="on-demand", taken_by=taken_by, labels=labels)
        catalogue = self._reader.read()
        if selector:
            return self._drills.drill_stored(select(catalogue, parse_selector(selector)).snapshot, term)
        newest = catalogue.newest_proven
        if newest is not None and self._drills.can_open(newest, term):
            return self._drills.drill_stored(newest, term)
        return self._runs.take_and_drill(term, reason="on-demand", taken_by=taken_by, labels=labels)

    def reverify(self) -> None:
        """Verify a share of the stored snapshots again, oldest proof first."""
        with self._parts.leadership.work(self._cluster) as term:
            if term is None:
                return
            with self._door.job("verification"):
                chosen = choose_for_reverification(
                    self._reader.read().snapshots, fraction=self._parts.verified_fraction, now=self._clock.now()
                )
                for snapshot in chosen:
                    self._verify(snapshot, term)
                self._reader.read()

    def drill(self) -> None:
        """Rehearse the recovery of the newest proven snapshot, if a drill is due."""
        drills = self._parts.drills
        if drills is None or drills.schedule is None:
            return
        with self._parts.leadership.work(self._cluster) as term:
            if term is None:
                return
            with self._door.job("drill"):
                self._drills.drill_if_due(drills, term)

    def sweep(self) -> None:
        """Remove what interrupted runs left behind, once it is older than the grace period."""
        with self._parts.leadership.work(self._cluster) as term:
            if term is None:
                return
            with self._door.job("sweep"), self._deleting:
                sweep_uploads(
                    self._parts.store,
                    self._parts.layout,
                    now=self._clock.now(),
                    grace=self._parts.upload_grace,
                    events=self._parts.surroundings.events,
                )
                sweep_claims(self._parts.store, self._parts.layout, now=self._clock.now())

    def _pin(self, snapshot: Snapshot, pinned_by: str, reason: str) -> Pin:
        parts = self._parts
        return pin_snapshot(
            parts.store,
            parts.layout,
            snapshot.id,
            pinned_by=pinned_by,
            reason=reason,
            now=self._clock.now(),
            events=parts.surroundings.events,
        )

    def _verify(self, snapshot: Snapshot, term: Term) -> None:
        parts = self._parts
        ports = replace(parts.verification(), cancellation=term.cancellation)
        level = ProofLevel.INTACT if ports.decoder.has_identities else ProofLevel.STORED
        with self._deleting:
            try:
                parts.store.head(parts.layout.manifest(snapshot.id))
            except ObjectMissing:
                return  # removed since it was chosen, which is no damage
            outcome = verify_snapshot(snapshot, parts.layout, up_to=level, ports=ports, limits=parts.limits)
        result = "damaged" if outcome.is_damaged else "sound"
        parts.metrics.verifications.labels(**parts.place, result=result).inc()
