"""The drills of one cluster: of what is stored where it can be opened here, else of the next snapshot's plain copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.drill_schedule import drill_is_due
from etcd_dr.entrypoints.operator.catalogue_reader import CatalogueReader
from etcd_dr.entrypoints.operator.job_door import JobDoor
from etcd_dr.entrypoints.operator.keeper_parts import KeeperDrills, KeeperParts
from etcd_dr.errors import ConfigError
from etcd_dr.ports.leadership import Term
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.drill_restore import DrillOptions, DrillOutcome, DrillPorts, drill_restore
from etcd_dr.workflows.take_snapshot import SnapshotOutcome

Save = Callable[[PipelinePorts], SnapshotOutcome]
"""Takes and counts one snapshot with these ports."""


class DrillRuns:
    """`deleting` is held over a drill of what is stored, so that nothing disappears under its hands."""

    def __init__(self, parts: KeeperParts, *, door: JobDoor, reader: CatalogueReader, deleting: Lock) -> None:
        self._parts = parts
        self._door = door
        self._reader = reader
        self._deleting = deleting
        self._wants_next_save = False

    def drill_if_due(self, drills: KeeperDrills, term: Term) -> None:
        """Rehearse the recovery of the newest proven snapshot, if a drill is due."""
        catalogue = self._reader.read()
        now = self._parts.surroundings.clock.now()
        if drills.schedule is not None and drill_is_due(catalogue, drills.schedule, now=now):
            self._drill(drills, catalogue.newest_proven, term)
            self._reader.read()

    def save(self, pipeline: PipelinePorts, take: Save, term: Term) -> SnapshotOutcome:
        """Take a snapshot; where a drill waits for one, drill the plain copy of the very snapshot."""
        drills = self._parts.drills
        if drills is None or not self._wants_next_save:
            return take(pipeline)
        ports = self._ports(term)
        with self._keeping_copy(pipeline, ports) as (keeping, kept):
            outcome = take(keeping)
            self._wants_next_save = False
            with self._door.job("drill"):
                self._drill_copy(outcome.snapshot, kept[-1], ports)
        return outcome

    def save_and_drill(self, pipeline: PipelinePorts, take: Save, term: Term) -> DrillOutcome:
        """Take a snapshot and drill its plain copy. Raises ConfigError where drills are not set up, and as both do."""
        ports = self._ports(term)
        with self._keeping_copy(pipeline, ports) as (keeping, kept):
            return self._drill_copy(take(keeping).snapshot, kept[-1], ports)

    def drill_stored(self, snapshot: Snapshot, term: Term) -> DrillOutcome:
        """Drill a snapshot of the store. Raises as drill_restore does, IdentityMissing where it cannot be opened."""
        ports = self._ports(term)
        with self._deleting:
            return self._counted(drill_restore(snapshot, self._parts.layout, ports=ports, options=self._options()))

    def can_open(self, snapshot: Snapshot, term: Term) -> bool:
        """Whether what is stored of it can be read here."""
        return not snapshot.manifest.is_encrypted or self._ports(term).decoder.has_identities

    @contextmanager
    def _keeping_copy(self, pipeline: PipelinePorts, ports: DrillPorts) -> Iterator[tuple[PipelinePorts, list[Path]]]:
        """Yield a pipeline that keeps the plain copy of what it takes, and where that will lie, in a room of its own."""
        with ports.rooms.open(expected_bytes=self._newest_size_bytes()) as room:
            kept: list[Path] = []

            def keep(plain: Path) -> None:
                kept[:] = [ports.rooms.take_in(room, plain)]

            yield replace(pipeline, keep_copy=keep), kept

    def _drill_copy(self, snapshot: Snapshot, copy: Path, ports: DrillPorts) -> DrillOutcome:
        layout, options = self._parts.layout, self._options()
        return self._counted(drill_restore(snapshot, layout, ports=ports, options=options, scratch=copy))

    def _ports(self, term: Term) -> DrillPorts:
        return replace(self._set_up().ports(), cancellation=term.cancellation)

    def _options(self) -> DrillOptions:
        return self._set_up().options

    def _set_up(self) -> KeeperDrills:
        if self._parts.drills is None:
            raise ConfigError("drills are not set up here", subject=self._parts.cluster)
        return self._parts.drills

    def _counted(self, outcome: DrillOutcome) -> DrillOutcome:
        self._count(outcome)
        return outcome

    def _drill(self, drills: KeeperDrills, newest: Snapshot | None, term: Term) -> None:
        """Drill what is stored, or leave it to the next save where it cannot be opened here."""
        ports = replace(drills.ports(), cancellation=term.cancellation)
        if newest is None or (newest.manifest.is_encrypted and not ports.decoder.has_identities):
            self._wants_next_save = True
            return
        with self._deleting:
            self._count(drill_restore(newest, self._parts.layout, ports=ports, options=drills.options))

    def _newest_size_bytes(self) -> int:
        catalogue = self._parts.board.of(self._parts.cluster).catalogue
        newest = catalogue.newest if catalogue else None
        return newest.manifest.database.size_bytes if newest else 0

    def _count(self, outcome: DrillOutcome) -> None:
        self._parts.metrics.drills.labels(**self._parts.place, result=outcome.proof.result.value).inc()
