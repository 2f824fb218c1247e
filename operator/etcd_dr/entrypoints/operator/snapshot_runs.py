"""The snapshots of one cluster: whether one is due, the run, the retry, and retention after it.

- Whether a snapshot is due is read from the store each time (domain/schedule.py): cron triggers, retries and starts
  only say *when to look*. So two looks never make two snapshots, and a restart forgets none.
- Retention waits for seconds only while something is read that must not disappear (a verification, a drill): then it is
  put off by some minutes, so that no snapshot waits, of this cluster or of others, which share the threads.
- One snapshot at a time; a look that comes meanwhile is dropped, and made up for when the first one has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.schedule import CronSchedule, next_run, retry_delay
from etcd_dr.entrypoints.operator.catalogue_reader import CatalogueReader
from etcd_dr.entrypoints.operator.drill_runs import DrillRuns, Save
from etcd_dr.entrypoints.operator.job_door import JobDoor
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts
from etcd_dr.entrypoints.operator.slot_turns import Confirm, SlotTurns
from etcd_dr.errors import Cancelled, EtcdDrError
from etcd_dr.ports.leadership import Term
from etcd_dr.workflows.apply_retention import apply_retention
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.drill_restore import DrillOutcome
from etcd_dr.workflows.receive_stream import raise_if_cancelled
from etcd_dr.workflows.take_snapshot import SnapshotOutcome, take_snapshot

TAKEN_BY = "etcd-dr operator"
_FAILURES_BEFORE_GIVING_WAY = 3  # of one replica, which may be the one that cannot reach etcd or the store
_LOOK_UP_SECONDS = 1.0
_RETENTION_WAITS_SECONDS = 3.0
_RETENTION_AGAIN = timedelta(minutes=5)
_UNSEEN_AGAIN = timedelta(minutes=1)


class SnapshotRuns:
    """`deleting` is held over retention. Public methods may be called from any thread.

    `before_retention` is called each time with the new snapshot in the catalogue: what is needed still can be pinned.
    """

    def __init__(
        self, parts: KeeperParts, *, door: JobDoor, reader: CatalogueReader, drills: DrillRuns, deleting: Lock
    ) -> None:
        self._parts = parts
        self._door = door
        self._reader = reader
        self._drills = drills
        self._deleting = deleting
        self._saving = Lock()
        self._look_was_dropped = False
        self._owes_retention = False
        self._turns = SlotTurns(parts)
        self._clock = parts.surroundings.clock
        self.before_retention: Callable[[Term], None] | None = None

    def look_at_schedule(self) -> None:
        """Take a snapshot if one is due, then see to it that the next look comes in time."""
        schedule = self._parts.schedule
        if schedule is None:
            return
        self._look_was_dropped = True  # before it is tried: whoever lets go just then sees it
        if not self._saving.acquire(blocking=False):
            return
        self._look_was_dropped = False
        try:
            with self._parts.leadership.work(self._parts.cluster, is_urgent=True) as term:
                if term is None:
                    self._tell_next(schedule)
                    return
                with self._door.job("snapshot", on_failure=lambda error: self._run_failed(error, schedule)):
                    self._save_if_due(schedule, term)
        finally:
            self._let_looks_in()

    def take_now(self, term: Term, *, reason: str, labels: Mapping[str, str]) -> bool:
        """Take a snapshot beside the schedule; False: one is under way already. Raises what a snapshot raises."""
        if not self._saving.acquire(blocking=False):
            return False
        try:
            self._save(term, None, reason=reason, labels=labels)
        finally:
            self._let_looks_in()
        return True

    def take_on_demand(
        self, term: Term, *, reason: str, labels: Mapping[str, str] | None = None, taken_by: str = TAKEN_BY
    ) -> SnapshotOutcome:
        """Take a snapshot whether or not one is due, after one that is under way. Raises as take_snapshot does."""
        take = self._counting_failures(self._taker(term, reason=reason, taken_by=taken_by, labels=labels or {}))
        with self._alone(term):
            outcome = take(replace(self._parts.pipeline(), cancellation=term.overtaken))
            self._retain(self._reader.read(), term)
        return outcome

    def take_and_drill(
        self, term: Term, *, reason: str, labels: Mapping[str, str] | None = None, taken_by: str = TAKEN_BY
    ) -> DrillOutcome:
        """Take a snapshot now and drill its plain copy. Raises as take_snapshot and drill_restore do."""
        take = self._counting_failures(self._taker(term, reason=reason, taken_by=taken_by, labels=labels or {}))
        with self._alone(term):
            pipeline = replace(self._parts.pipeline(), cancellation=term.overtaken)
            return self._drills.save_and_drill(pipeline, take, term)

    def _save_if_due(self, schedule: CronSchedule, term: Term) -> None:
        now = self._clock.now()
        catalogue = self._reader.read()
        run = next_run(schedule, newest_taken_at=_newest_taken_at(catalogue), now=now)
        earliest = now
        if run.is_due(now):
            served = run.slot
            again_at = self._turns.take(run, schedule, term, save=self._save)
            if again_at is not None:
                self._look_later(again_at)
                return
            catalogue = self._retain(self._reader.read(), term)
            now = self._clock.now()
            run = next_run(schedule, newest_taken_at=_newest_taken_at(catalogue), now=now)
            earliest = now + _UNSEEN_AGAIN if run.slot <= served else now  # a store may be late to list what it holds
        elif self._owes_retention:
            self._retain(catalogue, term)
        self._parts.board.update(
            self._parts.cluster,
            next_start_at=run.start_at,
            failures=0,
            last_failure=None,
            guarantees=self._parts.store.guarantees(),
        )
        again_at = max(run.start_at, earliest)
        self._parts.look_again(
            self._parts.cluster, min(again_at, now + _RETENTION_AGAIN) if self._owes_retention else again_at
        )

    def _look_later(self, again_at: datetime) -> None:
        """Another replica is at it, or comes first: see at that moment how it went."""
        self._parts.board.update(self._parts.cluster, next_start_at=again_at, guarantees=self._parts.store.guarantees())
        self._parts.look_again(self._parts.cluster, again_at)

    def _tell_next(self, schedule: CronSchedule) -> None:
        """Say when the next snapshot comes, whoever takes it, from what was read last."""
        parts = self._parts
        catalogue = parts.board.of(parts.cluster).catalogue
        if catalogue is not None:
            run = next_run(schedule, newest_taken_at=_newest_taken_at(catalogue), now=self._clock.now())
            parts.board.update(parts.cluster, next_start_at=run.start_at, failures=0, last_failure=None)

    def _save(
        self,
        term: Term,
        confirm: Confirm | None,
        *,
        reason: str = "scheduled",
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        pipeline = replace(self._parts.pipeline(), cancellation=term.overtaken, confirm=confirm)
        self._drills.save(pipeline, self._taker(term, reason=reason, taken_by=TAKEN_BY, labels=labels), term)

    def _taker(self, term: Term, *, reason: str, taken_by: str, labels: Mapping[str, str]) -> Save:
        parts = self._parts
        order = SnapshotOrder(
            layout=parts.layout,
            reason=reason,
            taken_by=taken_by,
            endpoint=parts.endpoint,
            labels={**parts.labels, **labels},
            fencing=term.fencing,
            platform=parts.platform,
        )

        def take(pipeline: PipelinePorts) -> SnapshotOutcome:
            outcome = take_snapshot(order, ports=pipeline, limits=parts.limits)
            self._count(outcome)
            return outcome

        return take

    def _counting_failures(self, take: Save) -> Save:
        def counting(pipeline: PipelinePorts) -> SnapshotOutcome:
            try:
                return take(pipeline)
            except EtcdDrError as error:
                if not isinstance(error, Cancelled):
                    self._parts.metrics.snapshots.labels(**self._parts.place, result="failure").inc()
                raise

        return counting

    @contextmanager
    def _alone(self, term: Term) -> Iterator[None]:
        """Wait for a snapshot that is under way, then hold off others. Raises Cancelled."""
        while not self._saving.acquire(timeout=_LOOK_UP_SECONDS):
            raise_if_cancelled(term.cancellation)
        try:
            yield
        finally:
            self._let_looks_in()

    def _let_looks_in(self) -> None:
        """End work. A look that came meanwhile is made up for: it may be the one that the work itself has asked for."""
        self._saving.release()
        if self._look_was_dropped:
            self._look_was_dropped = False
            self._parts.look_again(self._parts.cluster, self._clock.now())

    def _count(self, outcome: SnapshotOutcome) -> None:
        metrics, place = self._parts.metrics, self._parts.place
        result = "unproven" if outcome.failed_proofs else "success"
        metrics.snapshots.labels(**place, result=result).inc()
        metrics.snapshot_seconds.labels(**place).observe(outcome.duration_seconds)
        metrics.stored_bytes.labels(**place).inc(outcome.snapshot.manifest.stored_size_bytes)
        for phase in outcome.phases:
            metrics.phase_seconds.labels(**place, phase=phase.name).inc(phase.seconds)

    def _run_failed(self, error: EtcdDrError, schedule: CronSchedule) -> None:
        """Count a failed run and look again soon: a daily snapshot must not wait for tomorrow."""
        if isinstance(error, Cancelled):
            return
        parts, now = self._parts, self._clock.now()
        failures = parts.board.of(parts.cluster).failures + 1
        again_at = now + retry_delay(failures=failures, gap=schedule.longest_gap(now))
        parts.metrics.snapshots.labels(**parts.place, result="failure").inc()
        parts.board.update(parts.cluster, failures=failures, last_failure=Failure.of(error), next_start_at=again_at)
        parts.look_again(parts.cluster, again_at)
        if failures % _FAILURES_BEFORE_GIVING_WAY == 0:
            parts.leadership.give_way(parts.cluster)

    def _retain(self, catalogue: Catalogue, term: Term) -> Catalogue:
        """Apply retention and return the catalogue as it is then. A failure is no reason to repeat the snapshot."""
        parts = self._parts
        if self.before_retention is not None:
            self.before_retention(term)
            catalogue = parts.board.of(parts.cluster).catalogue or catalogue
        self._owes_retention = not self._deleting.acquire(timeout=_RETENTION_WAITS_SECONDS)
        if self._owes_retention:
            return catalogue
        try:
            return self._removed(catalogue, term)
        finally:
            self._deleting.release()

    def _removed(self, catalogue: Catalogue, term: Term) -> Catalogue:
        parts = self._parts
        with self._door.job("retention"):
            outcome = apply_retention(
                parts.store,
                parts.layout,
                catalogue,
                policy=parts.policy,
                now=self._clock.now(),
                events=parts.surroundings.events,
                cancellation=term.cancellation,
            )
            for result, count in (("removed", len(outcome.removed)), ("refused", len(outcome.refused))):
                parts.metrics.removals.labels(**parts.place, result=result).inc(count)
            if outcome.removed:
                return self._reader.read()
        return catalogue


def _newest_taken_at(catalogue: Catalogue) -> datetime | None:
    return catalogue.newest.taken_at if catalogue.newest else None
