"""`etcd-dr health`: one report, or one after the other; the exit status is what Nagios reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Annotated

import typer

from etcd_dr.bootstrap.drill import drill_max_age
from etcd_dr.bootstrap.health import health_watch
from etcd_dr.bootstrap.members import check_members
from etcd_dr.bootstrap.objectives import stored_objectives
from etcd_dr.bootstrap.schedules import cron_schedule
from etcd_dr.bootstrap.stores import layout_of, open_store
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.duration import parse_duration
from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Catalogue, ClusterMarker
from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.health_document import health_document
from etcd_dr.domain.objectives import ObjectivesReport
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.domain.tripwire import open_trip
from etcd_dr.entrypoints.cli.answers import Output, stream_text
from etcd_dr.entrypoints.cli.health_page import change_line, report_page
from etcd_dr.entrypoints.cli.place import NAME_FOR_THE_FIRST, name_by_members
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import draw, rendered
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.errors import EtcdDrError, StoreError, UsageError
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.claim_prefix import look_at_marker
from etcd_dr.workflows.read_catalogue import RecordCache, read_catalogue

_HOME, _TO_END_OF_LINE, _TO_END_OF_SCREEN, _CLEAR = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"

_LOOK_FOR_READER_SECONDS = 1.0


def command(
    run: Run,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until stopped, and show every change.")] = False,
    interval: Annotated[
        str | None, typer.Option("--interval", metavar="TIME", help="Time between rounds of --watch, such as 10s.")
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots/--no-snapshots", help="Judge the age and proofs of stored snapshots, too.")
    ] = True,
) -> int:
    """Judge the members, the quorum and the snapshots.

    Exit status 0 is ok, 1 warning, 2 critical, 3 unknown, as Nagios has it.
    """
    target, pause = run.target(), _pause(interval)
    with stopped_by_signals() as switch, ExitStack() as opened:
        shared = run.surroundings(switch, with_events=False)
        check_members(target, shared)
        stored = _open(target, shared, opened) if snapshots and target.store is not None else None
        cluster = target.name or (stored.layout.cluster if stored else NAME_FOR_THE_FIRST)
        rounds = health_watch(target, shared, cluster=cluster)

        def look() -> HealthReport:
            return _pasteable(run, rounds.round(stored.facts() if stored else None))

        if not watch:
            report = look()
            run.answer(health_document(report), table=lambda: draw(run.screen, report_page(report)))
            return report.exit_status
        stopped = Event()
        with switch.on_cancel(stopped.set):
            return _watch(run, look, stopped, pause or target.health.interval)


def _pasteable(run: Run, report: HealthReport) -> HealthReport:
    completed = run.paste.completed
    findings = (replace(finding, next_step=completed(finding.next_step)) for finding in report.findings)
    quorum = replace(report.quorum, would_tell=completed(report.quorum.would_tell))
    return replace(report, findings=tuple(findings), quorum=quorum)


def _pause(interval: str | None) -> timedelta | None:
    if interval is None:
        return None
    try:
        pause = parse_duration(interval)
    except ValueError as error:
        raise UsageError(str(error), subject="--interval") from error
    if pause <= timedelta(0):
        raise UsageError("must be longer than 0s", subject="--interval")
    return pause


def _watch(run: Run, look: Callable[[], HealthReport], stopped: Event, pause: timedelta) -> int:
    """Show every round on a terminal, every change elsewhere; return the status of the last one."""
    page = _Page(run)
    report = look()
    page.show(report)
    while not _waited(run.screen, stopped, seconds=pause.total_seconds()):
        report = look()
        page.show(report)
    return report.exit_status


def _waited(screen: Screen, stopped: Event, *, seconds: float) -> bool:
    """Wait, and return whether somebody stopped us. A reader that went away ends it within a second."""
    whole, rest = divmod(seconds, _LOOK_FOR_READER_SECONDS)
    for step in [_LOOK_FOR_READER_SECONDS] * int(whole) + [rest]:
        screen.check_reader()
        if stopped.wait(step):
            return True
    return False


class _Page:
    """Where a watch is shown."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._said: object = None

    def show(self, report: HealthReport) -> None:
        screen = self._run.screen
        if self._run.output is Output.TABLE and screen.can_redraw:
            self._redraw(report)
            return
        says = (report.quorum.verdict, {(f.identity, f.severity) for f in report.findings})
        if says == self._said:
            return
        self._said = says
        if self._run.output is Output.TABLE:
            screen.line(change_line(report))
        else:
            screen.write(stream_text(self._run.output, health_document(report)))

    def _redraw(self, report: HealthReport) -> None:
        screen = self._run.screen
        begin = _HOME if self._said else _CLEAR + _HOME
        self._said = True
        text = f"{report.taken_at:%Y-%m-%d %H:%M:%S} UTC\n{rendered(screen, report_page(report, folds_commands=True), crops=True)}"
        lines = clipped(text.splitlines(), rows=shutil.get_terminal_size().lines)
        screen.write(begin + "".join(f"{line}{_TO_END_OF_LINE}\n" for line in lines) + _TO_END_OF_SCREEN)


def clipped(lines: list[str], *, rows: int) -> list[str]:
    """Return as many lines as fit above the cursor, so that the verdict on top never scrolls away."""
    if len(lines) < rows:
        return lines
    shown = lines[: max(rows - 2, 1)]
    return [*shown, f"... {len(lines) - len(shown)} more lines; all of it: etcd-dr health"]


class _Stored:
    """What the store says about the cluster's snapshots, round after round."""

    def __init__(self, target: Target, store: ObjectStore, layout: ClusterLayout, shared: Surroundings) -> None:
        self.layout = layout
        self._target = target
        self._store = store
        self._shared = shared
        self._cache = RecordCache()
        self.just_failed: StoreError | None = None

    def facts(self) -> SnapshotFacts:
        """Return the facts; a store that cannot be asked is one of them, and is not asked twice for one round."""
        failed, self.just_failed = self.just_failed, None
        if failed is not None:
            return self._unknown(failed)
        try:
            catalogue = read_catalogue(self._store, self.layout, cache=self._cache)
            marker = look_at_marker(self._store, self.layout)
        except EtcdDrError as error:
            return self._unknown(error)
        return SnapshotFacts.from_catalogue(
            catalogue,
            store=self._store.url(),
            interval=self._interval(),
            marker=marker.value,
            marker_failure=marker.failure,
            drill_max_age=drill_max_age(self._target, now=self._shared.clock.now()),
            objectives=self._objectives(catalogue, marker.value),
            trip=open_trip(catalogue, hold=self._target.tripwire.hold, now=self._shared.clock.now()),
        )

    def _unknown(self, error: EtcdDrError) -> SnapshotFacts:
        return SnapshotFacts(store=self._store.url(), failure=Failure.of(error), interval=self._interval())

    def _objectives(self, catalogue: Catalogue, marker: ClusterMarker | None) -> ObjectivesReport:
        since = marker.created_at if marker is not None else None
        return stored_objectives(self._target, catalogue, now=self._shared.clock.now(), watching_since=since)

    def _interval(self) -> timedelta | None:
        if self._target.schedule is None:
            return None
        schedule = cron_schedule(self._target.schedule, cluster=self.layout.cluster)
        return schedule.longest_gap(self._shared.clock.now())


def _open(target: Target, shared: Surroundings, opened: ExitStack) -> _Stored:
    section = target.need_store()
    store = opened.enter_context(closing(open_store(section, shared)))
    failed: StoreError | None = None
    cluster = NAME_FOR_THE_FIRST
    try:
        cluster = target.name or name_by_members(target, store, shared)
    except StoreError as error:  # reported as a fact about the snapshots; the members are judged all the same
        failed = error
    stored = _Stored(target, store, layout_of(section, cluster), shared)
    stored.just_failed = failed
    return stored
