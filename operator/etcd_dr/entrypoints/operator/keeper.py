"""Keeps one cluster recoverable: what the operator does for it, one method for each kind of job.

Rules:
- Whether a snapshot is due is read from the store each time (domain/schedule.py): cron triggers, retries and starts
  only say *when to look*. So two looks never make two snapshots, and a restart forgets none.
- One snapshot at a time, never two; a second look that comes meanwhile is dropped, because the first one looks again
  when it ends.
- Verification holds `deleting` for one snapshot at a time, and whatever deletes holds it too: nothing disappears under
  the hands of a verification, and a long one delays retention by one snapshot only. It never delays a new snapshot.
- A failure is a value on the board, a counter and an event; it never ends the process and never stops another job.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.catalogue import Catalogue, ClusterMarker, Snapshot
from etcd_dr.domain.drill_schedule import drill_is_due
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.reverification import choose_for_reverification
from etcd_dr.domain.schedule import CronSchedule, next_run, retry_delay
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.entrypoints.operator.board import StatusBoard
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.errors import Cancelled, EtcdDrError, ObjectMissing
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.apply_retention import apply_retention
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.claim_prefix import look_at_marker
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.drill_restore import DrillOptions, DrillOutcome, DrillPorts, drill_restore
from etcd_dr.workflows.read_catalogue import RecordCache, read_catalogue
from etcd_dr.workflows.sweep_uploads import sweep_uploads
from etcd_dr.workflows.take_snapshot import SnapshotOutcome, take_snapshot
from etcd_dr.workflows.verify_snapshot import VerifyPorts, verify_snapshot

TAKEN_BY = "etcd-dr operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperDrills:
    """How this cluster is drilled. `ports` is called for each drill; `schedule` None: health alone asks for drills."""

    ports: Callable[[], DrillPorts]
    options: DrillOptions
    schedule: CronSchedule | None = None
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperParts:
    """What a keeper works with.

    `pipeline` and `verification` are called for each run, so that keys and recipients in files are read afresh; they
    raise ConfigError and FileUnreadable. `look_again` asks for another look at the schedule at a moment.
    `schedule` None: snapshots on demand only.
    """

    cluster: str
    store_name: str
    store: ObjectStore
    layout: ClusterLayout
    watch: HealthWatch
    surroundings: Surroundings
    board: StatusBoard
    metrics: OperatorMetrics
    look_again: Callable[[str, datetime], None]
    pipeline: Callable[[], PipelinePorts]
    verification: Callable[[], VerifyPorts]
    limits: SnapshotLimits
    policy: RetentionPolicy
    schedule: CronSchedule | None = None
    verified_fraction: float = 0.1
    upload_grace: timedelta = timedelta(hours=24)
    endpoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = "etcd"
    drills: KeeperDrills | None = None


class ClusterKeeper:
    """The jobs of one cluster; every public method may be called from any thread and raises nothing."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._cluster = parts.cluster
        self._clock = parts.surroundings.clock
        self._place = {"cluster": parts.cluster, "store": parts.store_name}
        self._records = RecordCache()
        self._marker: Answer[ClusterMarker] = NOT_ASKED
        self._saving = Lock()
        self._deleting = Lock()
        self._drills_next_save = False

    def check_health(self) -> None:
        """Make one health round."""
        self._parts.board.update(self._cluster, round_begun_at=self._clock.monotonic())
        with self._job("health"):
            report = self._parts.watch.round(self._snapshot_facts())
            self._parts.board.update(self._cluster, report=report, round_begun_at=None)

    def look_at_schedule(self) -> None:
        """Take a snapshot if one is due, then see to it that the next look comes in time."""
        schedule = self._parts.schedule
        if schedule is None or not self._saving.acquire(blocking=False):
            return
        try:
            with self._job("snapshot", on_failure=lambda error: self._run_failed(error, schedule)):
                self._save_if_due(schedule)
        finally:
            self._saving.release()

    def refresh(self) -> None:
        """Read the catalogue anew."""
        with self._job("catalogue"):
            self._read_catalogue()

    def reverify(self) -> None:
        """Verify a share of the stored snapshots again, oldest proof first."""
        with self._job("verification"):
            chosen = choose_for_reverification(
                self._read_catalogue().snapshots, fraction=self._parts.verified_fraction, now=self._clock.now()
            )
            for snapshot in chosen:
                self._verify(snapshot)
            self._read_catalogue()

    def drill(self) -> None:
        """Rehearse the recovery of the newest proven snapshot, if a drill is due."""
        drills = self._parts.drills
        if drills is None or drills.schedule is None:
            return
        with self._job("drill"):
            catalogue = self._read_catalogue()
            if drill_is_due(catalogue, drills.schedule, now=self._clock.now()):
                self._drill(drills, catalogue.newest_proven)
                self._read_catalogue()

    def sweep(self) -> None:
        """Remove what interrupted runs left behind, once it is older than the grace period."""
        with self._job("sweep"), self._deleting:
            sweep_uploads(
                self._parts.store,
                self._parts.layout,
                now=self._clock.now(),
                grace=self._parts.upload_grace,
                events=self._parts.surroundings.events,
            )

    def _save_if_due(self, schedule: CronSchedule) -> None:
        now = self._clock.now()
        catalogue = self._read_catalogue()
        run = next_run(schedule, newest_taken_at=_newest_taken_at(catalogue), now=now)
        if run.is_due(now):
            self._save()
            catalogue = self._retain(self._read_catalogue())
            now = self._clock.now()
            run = next_run(schedule, newest_taken_at=_newest_taken_at(catalogue), now=now)
        self._parts.board.update(
            self._cluster,
            next_start_at=run.start_at,
            failures=0,
            last_failure=None,
            guarantees=self._parts.store.guarantees(),
        )
        self._parts.look_again(self._cluster, max(run.start_at, now))

    def _save(self) -> None:
        parts = self._parts
        order = SnapshotOrder(
            layout=parts.layout,
            reason="scheduled",
            taken_by=TAKEN_BY,
            endpoint=parts.endpoint,
            labels=parts.labels,
            platform=parts.platform,
        )
        if parts.drills is None or not self._drills_next_save:
            self._count(take_snapshot(order, ports=parts.pipeline(), limits=parts.limits))
            return
        self._save_and_drill(order, parts.drills)

    def _save_and_drill(self, order: SnapshotOrder, drills: KeeperDrills) -> None:
        """Save, and drill the plain copy of the very snapshot: what is stored cannot be opened here."""
        pipeline, ports = self._parts.pipeline(), drills.ports()
        size_bytes = self._newest_size_bytes()
        with ports.rooms.open(expected_bytes=size_bytes) as room:
            kept: list[Path] = []

            def keep(plain: Path) -> None:
                kept[:] = [ports.rooms.take_in(room, plain)]

            outcome = take_snapshot(order, ports=replace(pipeline, keep_copy=keep), limits=self._parts.limits)
            self._count(outcome)
            self._drills_next_save = False
            with self._job("drill"):
                layout, options = self._parts.layout, drills.options
                self._count_drill(
                    drill_restore(outcome.snapshot, layout, ports=ports, options=options, scratch=kept[-1])
                )

    def _newest_size_bytes(self) -> int:
        catalogue = self._parts.board.of(self._cluster).catalogue
        newest = catalogue.newest if catalogue else None
        return newest.manifest.database.size_bytes if newest else 0

    def _drill(self, drills: KeeperDrills, newest: Snapshot | None) -> None:
        """Drill what is stored, or leave it to the next save where it cannot be opened here."""
        ports = drills.ports()
        if newest is None or (newest.manifest.is_encrypted and not ports.decoder.has_identities):
            self._drills_next_save = True
            return
        with self._deleting:
            self._count_drill(drill_restore(newest, self._parts.layout, ports=ports, options=drills.options))

    def _count_drill(self, outcome: DrillOutcome) -> None:
        self._parts.metrics.drills.labels(**self._place, result=outcome.proof.result.value).inc()

    def _count(self, outcome: SnapshotOutcome) -> None:
        metrics = self._parts.metrics
        result = "unproven" if outcome.failed_proofs else "success"
        metrics.snapshots.labels(**self._place, result=result).inc()
        metrics.snapshot_seconds.labels(**self._place).observe(outcome.duration_seconds)
        metrics.stored_bytes.labels(**self._place).inc(outcome.snapshot.manifest.stored_size_bytes)
        for phase in outcome.phases:
            metrics.phase_seconds.labels(**self._place, phase=phase.name).inc(phase.seconds)

    def _run_failed(self, error: EtcdDrError, schedule: CronSchedule) -> None:
        """Count a failed run and look again soon: a daily snapshot must not wait for tomorrow."""
        if isinstance(error, Cancelled):
            return
        now = self._clock.now()
        failures = self._parts.board.of(self._cluster).failures + 1
        again_at = now + retry_delay(failures=failures, gap=schedule.longest_gap(now))
        self._parts.metrics.snapshots.labels(**self._place, result="failure").inc()
        self._parts.board.update(
            self._cluster, failures=failures, last_failure=Failure.of(error), next_start_at=again_at
        )
        self._parts.look_again(self._cluster, again_at)

    def _retain(self, catalogue: Catalogue) -> Catalogue:
        """Apply retention and return the catalogue as it is then. A failure is no reason to repeat the snapshot."""
        with self._job("retention"), self._deleting:
            outcome = apply_retention(
                self._parts.store,
                self._parts.layout,
                catalogue,
                policy=self._parts.policy,
                now=self._clock.now(),
                events=self._parts.surroundings.events,
                cancellation=self._parts.surroundings.cancellation,
            )
            for result, count in (("removed", len(outcome.removed)), ("refused", len(outcome.refused))):
                self._parts.metrics.removals.labels(**self._place, result=result).inc(count)
            if outcome.removed:
                return self._read_catalogue()
        return catalogue

    def _verify(self, snapshot: Snapshot) -> None:
        ports = self._parts.verification()
        level = ProofLevel.INTACT if ports.decoder.has_identities else ProofLevel.STORED
        with self._deleting:
            try:
                self._parts.store.head(self._parts.layout.manifest(snapshot.id))
            except ObjectMissing:
                return  # removed since it was chosen, which is no damage
            outcome = verify_snapshot(snapshot, self._parts.layout, up_to=level, ports=ports, limits=self._parts.limits)
        result = "damaged" if outcome.is_damaged else "sound"
        self._parts.metrics.verifications.labels(**self._place, result=result).inc()

    def _read_catalogue(self) -> Catalogue:
        """Read the catalogue and put it on the board; a failure goes there too, beside the last good one."""
        board = self._parts.board
        try:
            catalogue = read_catalogue(self._parts.store, self._parts.layout, cache=self._records)
            self._marker = look_at_marker(self._parts.store, self._parts.layout)
        except EtcdDrError as error:
            board.update(self._cluster, store_was_asked=True, store_failure=Failure.of(error))
            raise
        board.update(
            self._cluster,
            catalogue=catalogue,
            catalogue_read_at=self._clock.now(),
            store_was_asked=True,
            store_failure=None,
        )
        return catalogue

    def _snapshot_facts(self) -> SnapshotFacts | None:
        """Return what the store said last, for the health rules; None before the first reading."""
        state = self._parts.board.of(self._cluster)
        if state.store_failure is not None:
            return SnapshotFacts(store=self._place["store"], failure=state.store_failure)
        if state.catalogue is None:
            return None
        return SnapshotFacts.from_catalogue(
            state.catalogue,
            store=self._place["store"],
            interval=state.schedule_gap,
            marker=self._marker.value,
            marker_failure=self._marker.failure,
            drill_max_age=self._parts.drills.max_age if self._parts.drills else None,
        )

    @contextmanager
    def _job(self, name: str, *, on_failure: Callable[[EtcdDrError], None] | None = None) -> Iterator[None]:
        """Carry out a job; an error of ours is counted and told, and ends here."""
        failing = self._parts.metrics.failing.labels(cluster=self._cluster, task=name)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the last door of a job: the process protects the other clusters
            ours = error if isinstance(error, EtcdDrError) else _bug(error)
            failing.set(not isinstance(ours, Cancelled))
            self._tell_failure(name, ours)
            if on_failure is not None:
                on_failure(ours)
        else:
            failing.set(0)

    def _tell_failure(self, job: str, error: EtcdDrError) -> None:
        self._parts.metrics.errors.labels(cluster=self._cluster, task=job, code=error.code).inc()
        self._parts.surroundings.events.emit(
            f"{job}.failed",
            level="info" if isinstance(error, Cancelled) else "error",
            cluster=self._cluster,
            store=self._place["store"],
            error_code=error.code,
            error=str(error),
            next_step=error.next_step,
            **{f"context_{key}": value for key, value in error.context.items()},
        )


def _bug(error: Exception) -> EtcdDrError:
    """Return an error that nobody foresaw as one that can be counted and told, with where it happened."""
    return EtcdDrError(
        f"unexpected {type(error).__name__}: {error}",
        next_step="This is a bug in etcd-dr. Report it with this line; the other jobs go on.",
        context={"trace": "".join(traceback.format_exception(error))},
    )


def _newest_taken_at(catalogue: Catalogue) -> datetime | None:
    return catalogue.newest.taken_at if catalogue.newest else None
