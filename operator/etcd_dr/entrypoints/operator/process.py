"""The operator process: keepers for all clusters, a scheduler that calls them, and the HTTP answers.

- A pool for each kind of work, so that nothing waits for something of another kind: health rounds, readings of the
  catalogue (a store may hang), counts of keys (which end in a snapshot when they trip), snapshots on schedule, those of
  clusters that did not answer lately, and slow reading (verification, sweeps). What comes periodically comes at another
  moment for each cluster.
- Jobs are coalesced and never run twice at once; a late job still runs, because the store decides whether it is due.
- A stop is a wish that running work hears between chunks: uploads are aborted, nothing half-made stays visible.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.triggers.date import DateTrigger

from etcd_dr import __version__
from etcd_dr.adapters.allocator import steady_allocator
from etcd_dr.adapters.library_log import library_records_told
from etcd_dr.bootstrap.drill import drill_schedule
from etcd_dr.bootstrap.envelope import make_encoder
from etcd_dr.bootstrap.schedules import cron_schedule
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Config, resolve_all
from etcd_dr.config.cluster_model import ClusterSection
from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.entrypoints.operator.board import StatusBoard
from etcd_dr.entrypoints.operator.http import Answer, HttpServer, bind, build_app
from etcd_dr.entrypoints.operator.job_scheduler import JobScheduler
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.keeper_maker import KeeperMaker, first_state
from etcd_dr.entrypoints.operator.leadership_parts import LeadershipCollector, make_leadership, told_lines
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.entrypoints.operator.notification_desk import make_desk, speaks_of
from etcd_dr.entrypoints.operator.objective_metrics import ObjectiveCollector
from etcd_dr.entrypoints.operator.readiness import ReadinessCollector
from etcd_dr.entrypoints.operator.recovery_metrics import RecoveryCollector
from etcd_dr.entrypoints.operator.requests import make_clerk
from etcd_dr.entrypoints.operator.triggers import CronSlotTrigger, SteadyTrigger
from etcd_dr.entrypoints.operator.tripwire_metrics import TripwireCollector
from etcd_dr.errors import ConfigError

if TYPE_CHECKING:
    from etcd_dr.entrypoints.web.status_page import StatusPage

_VERIFY_JITTER = timedelta(minutes=30)
_SWEEP_EVERY = timedelta(hours=6)
_MOST_ROUND_WORKERS = 16
_MOST_CATALOGUE_WORKERS = 4
_MOST_TRIPWIRE_WORKERS = 4
_STUCK_AFTER_SECONDS = 300.0
_LOOKS_AT_ONCE = 10  # all but one end at once; were there one only, a look that asks for the next would lose it


def run_operator(config: Config, surroundings: Surroundings) -> bool:
    """Run until `surroundings.cancellation` asks to stop. Returns False when work did not end within the grace.

    Raises ConfigError for what cannot ever work: no clusters, unusable recipients, an address that is taken.
    """
    steady_allocator()  # before there are threads, whose arenas would stay as they were made
    stopped = Event()
    with (
        library_records_told(surroundings.events),
        surroundings.cancellation.on_cancel(stopped.set),
        OperatorProcess(config, surroundings) as process,
    ):
        process.start()
        stopped.wait()
        return process.stop()


class OperatorProcess:
    """All parts of the process; a context that closes the stores. `start` and `stop` belong to one thread."""

    def __init__(self, config: Config, surroundings: Surroundings) -> None:
        if not config.clusters:
            raise ConfigError(
                "names no clusters, so there is nothing to do",
                subject="clusters",
                next_step="Describe at least one cluster. Every key: etcd-dr docs configuration",
            )
        self._config = config
        self._surroundings = surroundings
        self._stack = ExitStack()
        self._targets = {target.name or "": target for target in resolve_all(config)}
        for target in self._targets.values():
            make_encoder(target.need_recipients(), target.compression)  # a wrong key is told now, not tonight
        self.board = StatusBoard(
            first_state(name, target, now=surroundings.clock.now(), reading_interval=config.operator.catalogue_interval)
            for name, target in self._targets.items()
        )
        self.metrics = OperatorMetrics(self.board)
        self.metrics.registry.register(ReadinessCollector(self.board, surroundings.clock))
        self.metrics.registry.register(ObjectiveCollector(self.board, surroundings.clock))
        self.metrics.registry.register(TripwireCollector(self.board, surroundings.clock))
        self.metrics.registry.register(RecoveryCollector(self.board))
        self.leadership = make_leadership(config.kubernetes, self._targets, surroundings, look=self._look_now)
        self.metrics.registry.register(LeadershipCollector(self.leadership))
        self._scheduler = _make_scheduler(config, surroundings)
        self._listener = bind(config.operator.listen)
        app = build_app(registry=self.metrics.registry, healthz=self.healthz, readyz=self.readyz)
        self._http = HttpServer(app, self._listener)
        self.page = self._make_page()
        self._desk = make_desk(
            config, surroundings, board=self.board, metrics=self.metrics, may_speak=partial(speaks_of, self.leadership)
        )
        self.keepers = KeeperMaker(
            config=config,
            targets=self._targets,
            surroundings=surroundings,
            board=self.board,
            metrics=self.metrics,
            leadership=self.leadership,
            look_again=self._look_again,
        ).make_all(self._stack)
        self._clerk = make_clerk(
            config,
            surroundings,
            keepers=self.keepers,
            board=self.board,
            leadership=self.leadership,
            registry=self.metrics.registry,
        )

    def __enter__(self) -> OperatorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.leadership.stop(is_clean=False)  # where no stop came before: nothing is known of what still runs
        self._http.stop()
        if self.page is not None:
            self.page.stop()
        self._stack.close()

    @property
    def port(self) -> int:
        """The port of the HTTP answers, once bound."""
        return self._http.port

    def start(self) -> None:
        """Start the jobs, each with a first look at once, and the HTTP answers."""
        for cluster in self._config.clusters:
            self._add_jobs(self.keepers[cluster.name], cluster)
        self._scheduler.start()
        self.leadership.start()
        self._desk.start()
        if self._clerk is not None:
            self._clerk.start()
        self._http.start()
        if self.page is not None:
            self.page.start()
        self._surroundings.events.emit(
            "operator.started",
            clusters=len(self.keepers),
            listen=f"{self._config.operator.listen.rpartition(':')[0]}:{self._http.port}",
            version=__version__,
        )

    def stop(self) -> bool:
        """Let running work end within the grace, and say whether it did. Safe when nothing was started."""
        grace = self._config.operator.shutdown_grace.total_seconds()
        cancellation = self._surroundings.cancellation
        self._surroundings.events.emit("operator.stopping", reason=cancellation.reason, grace_seconds=grace)
        ended = Event()
        waiter = Thread(target=self._end_work, args=(ended,), name="stop", daemon=True)
        waiter.start()
        waiter.join(timeout=grace)
        self._desk.stop()
        self._http.stop()
        is_clean = ended.is_set()
        self.leadership.stop(is_clean=is_clean)  # after the work, so that whoever follows finds it done or given up
        self._surroundings.events.emit("operator.stopped", level="info" if is_clean else "error", is_clean=is_clean)
        return is_clean

    def healthz(self) -> Answer:
        """Say whether the scheduler lives and no health round hangs."""
        now = self._surroundings.clock.monotonic()
        stuck = [
            state.cluster
            for state in self.board.all()
            if state.round_begun_at is not None and now - state.round_begun_at > _STUCK_AFTER_SECONDS
        ]
        is_running = self._scheduler.is_alive
        lines = [f"scheduler: {'running' if is_running else 'stopped'}"]
        lines += [f"{cluster}: its health round hangs" for cluster in stuck]
        return Answer(is_running and not stuck, tuple(lines))

    def readyz(self) -> Answer:
        """Say whether every cluster was looked at once."""
        states = self.board.all()
        words = {True: "looked at", False: "not looked at yet"}
        ready = self._scheduler.is_alive and all(state.was_looked_at for state in states)
        lines = tuple(f"{state.cluster}: {words[state.was_looked_at]}" for state in states)
        return Answer(ready, (*lines, *told_lines(self.leadership)))

    def _end_work(self, ended: Event) -> None:
        """End what runs; `ended` is set when all of it has. An error on the way leaves the scheduler no less stopped."""
        try:
            if self._clerk is not None:
                self._clerk.stop()
        finally:
            self._scheduler.stop()
        ended.set()

    def _make_page(self) -> StatusPage | None:
        if not self._config.page.enabled:
            return None
        from etcd_dr.entrypoints.web.status_page import StatusPage  # noqa: PLC0415 - templates only where there is a page

        surroundings = self._surroundings
        return StatusPage(
            self._config.page,
            self.board,
            leadership=self.leadership,
            clock=surroundings.clock,
            events=surroundings.events,
        )

    def _add_jobs(self, keeper: ClusterKeeper, cluster: ClusterSection) -> None:
        name = cluster.name
        self._every(cluster.health.interval, keeper.check_health, job=f"{name}/health", pool="rounds")
        self._every(
            self._config.operator.catalogue_interval, keeper.refresh, job=f"{name}/catalogue", pool="catalogues"
        )
        if cluster.tripwire.enabled:
            self._every(cluster.tripwire.interval, keeper.watch_keys, job=f"{name}/tripwire", pool="tripwires")
        self._every(_SWEEP_EVERY, keeper.sweep, job=f"{name}/sweep", pool="reading")
        if cluster.schedule is not None:
            trigger = CronSlotTrigger(cron_schedule(cluster.schedule, cluster=name))
            now = self._surroundings.clock.now()
            work = partial(self._look_in_turn, name)
            self._add(work, trigger, job=f"{name}/schedule", pool="snapshots", next_run_time=now)
        if cluster.verify is not None:
            trigger = CronSlotTrigger(
                CronSchedule(cluster.verify.cron, cluster.verify.time_zone, name, jitter=_VERIFY_JITTER)
            )
            self._add(keeper.reverify, trigger, job=f"{name}/verification", pool="reading")

        drills = drill_schedule(self._targets[name], cluster=name)
        if drills is not None:
            now = self._surroundings.clock.now()
            self._add(keeper.drill, CronSlotTrigger(drills), job=f"{name}/drill", pool="reading", next_run_time=now)

    def _every(self, period: timedelta, work: Any, *, job: str, pool: str) -> None:
        trigger = SteadyTrigger(period, name=job)
        self._add(work, trigger, job=job, pool=pool, next_run_time=self._surroundings.clock.now())

    def _add(self, work: Any, trigger: Any, *, job: str, pool: str, **more: Any) -> None:
        def unless_stopping() -> None:
            # A pool that is shut down still does what waits in its queue.
            if not self._surroundings.cancellation.is_cancelled:
                work()

        self._scheduler.add_job(
            unless_stopping, trigger, id=job, name=job, executor=pool, replace_existing=True, **more
        )

    def _look_now(self, cluster: str) -> None:
        """Look at what may be due: this process has come to lead the cluster, or nobody can tell who does."""
        self._look_again(cluster, self._surroundings.clock.now())
        if drill_schedule(self._targets[cluster], cluster=cluster) is not None:
            self._add(
                self.keepers[cluster].drill,
                DateTrigger(),
                job=f"{cluster}/drill-again",
                pool="reading",
                max_instances=_LOOKS_AT_ONCE,
            )

    def _look_again(self, cluster: str, at: datetime) -> None:
        if not self._surroundings.cancellation.is_cancelled:
            work = partial(self._look_in_turn, cluster)
            self._add(work, DateTrigger(at), job=f"{cluster}/again", pool="snapshots", max_instances=_LOOKS_AT_ONCE)

    def _look_in_turn(self, cluster: str) -> None:
        """Look at the schedule; where no member has answered, in a pool of its own: it will wait, and others need not."""
        report = self.board.of(cluster).report
        if report is None or not report.is_silent:
            self.keepers[cluster].look_at_schedule()
            return
        work, now = self.keepers[cluster].look_at_schedule, self._surroundings.clock.now()
        self._add(work, DateTrigger(now), job=f"{cluster}/silent", pool="silent", max_instances=_LOOKS_AT_ONCE)


def _make_scheduler(config: Config, surroundings: Surroundings) -> JobScheduler:
    count = len(config.clusters)
    return JobScheduler(
        clock=surroundings.clock,
        events=surroundings.events,
        timezone=UTC,
        executors={
            "rounds": ThreadPoolExecutor(min(_MOST_ROUND_WORKERS, 2 * count)),
            "catalogues": ThreadPoolExecutor(min(_MOST_CATALOGUE_WORKERS, count)),
            "tripwires": ThreadPoolExecutor(min(_MOST_TRIPWIRE_WORKERS, count)),
            "snapshots": ThreadPoolExecutor(config.operator.snapshot_workers),
            "silent": ThreadPoolExecutor(config.operator.snapshot_workers),
            "reading": ThreadPoolExecutor(1),
        },
        # A late job still runs (misfire_grace_time None): the default of one second drops backups on a busy machine.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
