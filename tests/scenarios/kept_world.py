"""A store with snapshots in it, for stories about what is kept and what goes.

world = KeptWorld()
world.plant(snapshot("2026-08-20 03:00"))
outcome = world.prune(keep_daily=7)
"""

from __future__ import annotations

from datetime import datetime

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.manifest import canonical_json
from etcd_dr.domain.proof_name import ProofName
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.workflows.apply_retention import RetentionOutcome, apply_retention
from etcd_dr.workflows.read_catalogue import read_catalogue
from fakes.catalogue import moment, snapshot
from fakes.clock import CountingTokens, FakeClock
from fakes.events import RecordingEvents
from fakes.object_store import FakeObjectStore

NOON = moment("2026-08-20 12:00")


class KeptWorld:
    def __init__(self, *, put_if_absent: bool = True) -> None:
        self.clock = FakeClock(NOON)
        self.store = FakeObjectStore(now=self.clock.now, object_lock=True, put_if_absent=put_if_absent)
        self.layout = ClusterLayout(prefix="backups", cluster="prod")
        self.events = RecordingEvents()
        self.cancellation = CancellationSwitch()
        self._tokens = CountingTokens()

    def plant(self, planted: Snapshot, *, layout: ClusterLayout | None = None) -> Snapshot:
        """Put a snapshot into the store as the pipeline does; its data are what its digest was made of."""
        layout = layout or self.layout
        self.store.plant(layout.data(planted.id), b"x" * planted.manifest.stored_size_bytes)
        for proof in planted.proofs:
            name = ProofName(proof.level, proof.at, self._tokens.token())
            self.store.plant(f"{layout.proofs(planted.id)}{name}", canonical_json(proof))
        if planted.pin is not None:
            self.store.plant(layout.pin(planted.id), canonical_json(planted.pin))
        self.store.plant(layout.manifest(planted.id), canonical_json(planted.manifest))
        return planted

    def plant_days(self, *days: int) -> dict[int, Snapshot]:
        """Plant one proven snapshot of 10 bytes at 03:00 of each day of August 2026."""
        return {day: self.plant(snapshot(datetime(2026, 8, day, 3), plain=b"x" * 10)) for day in days}

    @property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.store, self.layout)

    @property
    def ids(self) -> list[SnapshotId]:
        return [found.id for found in self.catalogue.snapshots]

    def prune(self, catalogue: Catalogue | None = None, *, dry_run: bool = False, **policy: object) -> RetentionOutcome:
        return apply_retention(
            self.store,
            self.layout,
            catalogue or self.catalogue,
            policy=RetentionPolicy(**policy),
            now=self.clock.now(),
            events=self.events,
            cancellation=self.cancellation,
            dry_run=dry_run,
        )
