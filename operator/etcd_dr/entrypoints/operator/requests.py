"""The clerk: decides on every request that is known, and hands what is to be done to `request_runs`.

- One thread decides, so that no two decisions meet. It is woken by news and looks again every few seconds, because
  time passes (a request has had its), leadership moves, and answers wait for an API that was gone.
- Only the leader of a cluster acts on its requests and shows its records. A request for a cluster that nobody here
  protects is refused by whoever sees it first.
- Old news begins nothing again: a claim is taken only of what nobody wrote since it was seen.
- Nothing in here is needed to protect a cluster: whatever fails is told, and tried again at the next look.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from threading import Condition, Thread

from prometheus_client import CollectorRegistry

from etcd_dr.bootstrap.leadership import replica_name
from etcd_dr.bootstrap.requests import answering_ports
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Config
from etcd_dr.domain.request import UID_LABEL, Action, Decision, Request, RequestKind, RequestStatus, decide
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.clerk_parts import ClerkParts, RequestTeller
from etcd_dr.entrypoints.operator.job_door import as_ours
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.record_shelf import RecordShelf
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.entrypoints.operator.request_runs import RequestRuns
from etcd_dr.entrypoints.operator.request_watch import RequestWatch
from etcd_dr.errors import ApiUnreachable, EtcdDrError, KubernetesError, ResourceConflict, ResourceMissing
from etcd_dr.ports.leadership import Leadership
from etcd_dr.workflows.answer_request import refuse, settle

_LOOK_EVERY_SECONDS = 5.0


class RequestClerk:
    """Threads between `start` and `stop`; `look` is one round of deciding, for whoever has no threads."""

    def __init__(self, parts: ClerkParts) -> None:
        self._parts = parts
        self._ports = parts.ports
        self._wake = Condition()
        self._is_awake = False
        self._is_stopping = False
        self._teller = RequestTeller(parts)
        self._runs = RequestRuns(parts, teller=self._teller, on_end=self._notify)
        self._shelf = RecordShelf(
            parts.ports.desk,
            clusters=parts.keepers,
            board=parts.board,
            leadership=parts.leadership,
            clock=parts.ports.clock,
            metrics=parts.metrics,
            limit=parts.records,
        )
        self._thread = Thread(target=self._run, name="requests", daemon=True)
        self.watches = {kind: self._watch(kind) for kind in RequestKind if parts.carries_out or self._shows(kind)}
        parts.board.on_change(self._on_board)

    def start(self) -> None:
        for watch in self.watches.values():
            watch.start()
        self._thread.start()

    def stop(self) -> None:
        """End the threads, and wait for the work that they began."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        for watch in self.watches.values():
            watch.stop()
        self._runs.stop()
        for watch in self.watches.values():
            watch.join()
        if self._thread.is_alive():
            self._thread.join()

    def wait_for_work(self) -> None:
        """Return when what was begun so far has ended."""
        self._runs.wait()

    def look(self) -> None:
        """Decide on all that is known, once. Raises nothing of ours."""
        try:
            self._runs.report()
            for watch in self.watches.values():
                for request in watch.known():
                    self._act(request, self._decide(request))
            snapshots = self.watches.get(RequestKind.SNAPSHOT)
            if snapshots is not None and snapshots.listings:
                self._shelf.show(snapshots.known())
        except ApiUnreachable as error:
            self._teller.counted(error)

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
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the last door of the thread: what one look meets ends no other
                self._teller.wondered(as_ours(error))

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

    def _decide(self, request: Request) -> Decision:
        if not self._parts.carries_out and not request.is_record:
            return Decision(Action.LEAVE)
        return decide(
            request,
            now=self._ports.clock.now(),
            clusters=self._parts.keepers,
            me=self._ports.holder,
            held=self._runs.held(),
            ttl=self._parts.ttl,
        )

    def _act(self, request: Request, decision: Decision) -> None:
        try:
            if decision.action is Action.REFUSE:
                status = refuse(request, reason=decision.reason, message=decision.message, ports=self._ports)
                self._answered(request, status)
            elif decision.action is Action.RUN:
                self._runs.begin(request)
            elif decision.action is not Action.LEAVE:
                self._tidy(request, decision.action)
        except ApiUnreachable:
            raise
        except KubernetesError as error:
            self._teller.waits(request, error)

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
            self._teller.waits(request, error)  # without the store nobody knows: look again
            return
        store = self._parts.board.of(request.cluster).store
        self._answered(request, settle(request, stored, store=store, ports=self._ports))

    def _answered(self, request: Request, status: RequestStatus | None) -> None:
        if status is not None:
            self._teller.answered(request, status)


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
