"""The clerk: decides on every request that is known, hands the work to a few threads.

- One thread decides, so that no two decisions meet. It is woken by news and looks again every few seconds, because
  time passes (a request has had its), leadership moves, and answers wait for an API that was gone.
- Only the leader of a cluster acts on its requests and shows its records. A request for a cluster that nobody here
  protects is refused by whoever sees it first.
- A request that this process works on is held until its answer was seen, so that old news never begins it again.
- Nothing in here is needed to protect a cluster: whatever fails is told, and tried again at the next look.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition, Lock, Thread

from prometheus_client import CollectorRegistry

from etcd_dr.bootstrap.leadership import replica_name
from etcd_dr.bootstrap.requests import answering_ports
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Config
from etcd_dr.domain.request import (
    UID_LABEL,
    Action,
    Decision,
    Request,
    RequestKind,
    RequestPhase,
    RequestStatus,
    decide,
)
from etcd_dr.domain.request_status import drill_completed, snapshot_completed
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.record_shelf import RecordShelf
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.entrypoints.operator.request_watch import RequestWatch
from etcd_dr.errors import ApiUnreachable, EtcdDrError, KubernetesError, ResourceConflict, ResourceMissing
from etcd_dr.ports.leadership import Leadership, Term
from etcd_dr.workflows.answer_request import (
    AnsweringPorts,
    carry_out,
    claim,
    refuse,
    report,
    settle,
)

_LOOK_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClerkParts:
    """What the clerk works with. `records` is how many are shown for each cluster; `ttl` is for those without one."""

    ports: AnsweringPorts
    keepers: Mapping[str, ClusterKeeper]
    board: StatusBoard
    leadership: Leadership
    metrics: RequestMetrics
    carries_out: bool
    records: int
    ttl: timedelta
    resync: timedelta
    workers: int


@dataclass(frozen=True, slots=True)
class _Unreported:
    claimed: Request
    status: RequestStatus


class RequestClerk:
    """Threads between `start` and `stop`; `look` is one round of deciding, for whoever has no threads."""

    def __init__(self, parts: ClerkParts) -> None:
        self._parts = parts
        self._ports = parts.ports
        self._lock = Lock()
        self._wake = Condition()
        self._is_awake = False
        self._is_stopping = False
        self._held: set[str] = set()
        self._answered: dict[str, int] = {}  # uid -> number of listings when its answer was written
        self._unreported: list[_Unreported] = []
        self._shelf = RecordShelf(
            parts.ports.desk,
            clusters=parts.keepers,
            board=parts.board,
            leadership=parts.leadership,
            clock=parts.ports.clock,
            metrics=parts.metrics,
            limit=parts.records,
        )
        self._pool = ThreadPoolExecutor(parts.workers, thread_name_prefix="requests")
        self._works: list[Future[None]] = []
        self._thread = Thread(target=self._run, name="requests", daemon=True)
        self.watches = {kind: self._watch(kind) for kind in RequestKind if parts.carries_out or self._shows(kind)}
        parts.board.on_change(self._on_board)

    def start(self) -> None:
        for watch in self.watches.values():
            watch.start()
        self._thread.start()

    def stop(self) -> None:
        """End the threads and wait for the work that they began, which has heard the wish to stop by itself."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        for watch in self.watches.values():
            watch.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._report_again()  # what was given back when the work ended
        for watch in self.watches.values():
            watch.join()
        if self._thread.is_alive():
            self._thread.join()

    def wait_for_work(self) -> None:
        """Return when what was begun so far has ended."""
        with self._lock:
            works = tuple(self._works)
        wait(works)

    def look(self) -> None:
        """Decide on all that is known, once. Raises nothing of ours."""
        try:
            self._report_again()
            for watch in self.watches.values():
                if watch.listings:
                    for request in watch.known():
                        self._act(request, self._decide(request, watch))
            snapshots = self.watches.get(RequestKind.SNAPSHOT)
            if snapshots is not None and snapshots.listings:
                self._shelf.show(snapshots.known())
        except ApiUnreachable as error:
            self._parts.metrics.failures.labels(code=error.code).inc()

    def _shows(self, kind: RequestKind) -> bool:
        return kind is RequestKind.SNAPSHOT and self._parts.records > 0

    def _watch(self, kind: RequestKind) -> RequestWatch:
        return RequestWatch(
            kind,
            desk=self._ports.desk,
            clock=self._ports.clock,
            events=self._ports.events,
            metrics=self._parts.metrics,
            resync_seconds=self._parts.resync.total_seconds(),
            on_news=self._on_news,
        )

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._is_awake or self._is_stopping, timeout=_LOOK_EVERY_SECONDS)
                self._is_awake = False
                if self._is_stopping:
                    return
            self.look()

    def _on_news(self) -> None:
        self._shelf.mark()
        self._notify()

    def _on_board(self, before: ClusterState, after: ClusterState) -> None:
        if before.catalogue is not after.catalogue:
            self._shelf.mark(after.cluster)
            self._notify()

    def _notify(self) -> None:
        with self._wake:
            self._is_awake = True
            self._wake.notify()

    def _decide(self, request: Request, watch: RequestWatch) -> Decision:
        with self._lock:
            answered_at = self._answered.get(request.uid)
            is_final = request.phase is not None and request.phase.is_final
            if answered_at is not None and (is_final or watch.listings > answered_at):
                del self._answered[request.uid]
            held = self._held | set(self._answered)
        if not self._parts.carries_out and not request.is_record:
            return Decision(Action.LEAVE)
        now = self._ports.clock.now()
        return decide(
            request,
            now=now,
            clusters=self._parts.keepers,
            me=self._ports.holder,
            held=held,
            ttl=self._parts.ttl,
        )

    def _act(self, request: Request, decision: Decision) -> None:
        if decision.action is Action.LEAVE:
            return
        try:
            if decision.action is Action.REFUSE:
                self._count(
                    request, refuse(request, reason=decision.reason, message=decision.message, ports=self._ports)
                )
            elif decision.action is Action.RUN:
                self._hand_out(request)
            else:
                self._tidy(request, decision.action)
        except ApiUnreachable:
            raise
        except KubernetesError as error:
            self._tell(request, error)

    def _tidy(self, request: Request, action: Action) -> None:
        """Remove a request that has had its time, or settle one whose process is gone."""
        with ExitStack() as stack:
            keeper = self._parts.keepers.get(request.cluster)
            if keeper is not None and stack.enter_context(self._parts.leadership.work(request.cluster)) is None:
                return
            if action is Action.REMOVE:
                try:
                    self._ports.desk.remove(request)
                except (ResourceConflict, ResourceMissing):
                    return
            elif keeper is not None:
                self._settle(request, keeper)

    def _settle(self, request: Request, keeper: ClusterKeeper) -> None:
        try:
            stored = keeper.find_labelled(UID_LABEL, request.uid)
        except EtcdDrError as error:
            self._tell(request, error)  # without the store nobody knows: look again
            return
        store = self._parts.board.of(request.cluster).store
        status = settle(request, stored, store=store, ports=self._ports)
        self._mark_answered(request)
        self._count(request, status)

    def _hand_out(self, request: Request) -> None:
        with self._lock:
            self._held.add(request.uid)
        try:
            work = self._pool.submit(self._work, request)
        except RuntimeError:  # the process is stopping
            with self._lock:
                self._held.discard(request.uid)
            return
        with self._lock:
            self._works = [each for each in self._works if not each.done()] + [work]

    def _work(self, request: Request) -> None:
        was_claimed = False
        try:
            with self._parts.leadership.work(request.cluster) as term:
                claimed = claim(request, ports=self._ports) if term is not None else None
                if claimed is not None and term is not None:
                    was_claimed = True
                    self._answer(claimed, term)
        except KubernetesError as error:
            self._tell(request, error)
        if was_claimed:
            self._notify()
            return
        with self._lock:
            self._held.discard(request.uid)

    def _answer(self, claimed: Request, term: Term) -> None:
        status = carry_out(claimed, lambda mine: self._carry_out(mine, term), ports=self._ports)
        with self._lock:
            self._unreported.append(_Unreported(claimed, status))
        self._parts.metrics.unreported.inc()
        self._report_again(only=claimed.uid)

    def _carry_out(self, claimed: Request, term: Term) -> RequestStatus:
        keeper = self._parts.keepers[claimed.cluster]
        asked_by = f"{claimed.kind} {claimed.name}"
        labels = {"request": claimed.name, UID_LABEL: claimed.uid, **({"note": claimed.note} if claimed.note else {})}
        if claimed.kind is RequestKind.DRILL:
            outcome = keeper.drill_now(term, selector=claimed.selector, taken_by=asked_by, labels=labels)
            return drill_completed(
                claimed,
                outcome.snapshot,
                proof=outcome.proof,
                record=outcome.record,
                checks=outcome.checks,
                at=self._ports.clock.now(),
            )
        pin_reason = (claimed.note or f"asked for by {asked_by}") if claimed.wants_pin else None
        snapshot = keeper.save_now(term, taken_by=asked_by, labels=labels, pin_reason=pin_reason)
        store = self._parts.board.of(claimed.cluster).store
        return snapshot_completed(claimed, snapshot, store=store, at=self._ports.clock.now())

    def _report_again(self, *, only: str | None = None) -> None:
        """Write the answers that wait; what cannot be written waits for the next look."""
        with self._lock:  # taken out while it is written, so that no other thread writes it as well
            waiting = [each for each in self._unreported if only in (None, each.claimed.uid)]
            self._unreported = [each for each in self._unreported if each not in waiting]
        for each in waiting:
            try:
                report(each.claimed, each.status, ports=self._ports)
            except KubernetesError as error:
                with self._lock:
                    self._unreported.append(each)
                self._tell(each.claimed, error)
                continue
            self._mark_answered(each.claimed)
            with self._lock:
                self._held.discard(each.claimed.uid)
            self._parts.metrics.unreported.dec()
            self._count(each.claimed, each.status)

    def _mark_answered(self, request: Request) -> None:
        with self._lock:
            self._answered[request.uid] = self.watches[request.kind].listings

    def _count(self, request: Request, status: RequestStatus | None) -> None:
        if status is None:
            return
        cluster = request.cluster if request.cluster in self._parts.keepers else ""
        phase: RequestPhase = status.phase
        self._parts.metrics.answered.labels(cluster=cluster, kind=request.kind.value, phase=phase.value).inc()

    def _tell(self, request: Request, error: EtcdDrError) -> None:
        self._parts.metrics.failures.labels(code=error.code).inc()
        self._ports.events.emit(
            "request.waits",
            level="warning",
            cluster=request.cluster,
            request=f"{request.kind}/{request.name}",
            error_code=error.code,
            error=str(error),
            next_step=error.next_step,
        )


def make_clerk(
    config: Config,
    surroundings: Surroundings,
    *,
    keepers: Mapping[str, ClusterKeeper],
    board: StatusBoard,
    leadership: Leadership,
    registry: CollectorRegistry,
) -> RequestClerk | None:
    """Return the clerk that the configuration asks for, or None. Raises ConfigError; no call is made yet."""
    section = config.kubernetes
    if section is None or not (section.requests or section.records):
        return None
    return RequestClerk(
        ClerkParts(
            ports=answering_ports(section, surroundings, holder=replica_name(surroundings)),
            keepers=keepers,
            board=board,
            leadership=leadership,
            metrics=RequestMetrics(registry),
            carries_out=section.requests,
            records=section.records,
            ttl=section.ttl,
            resync=section.resync,
            workers=config.operator.snapshot_workers,
        )
    )
