"""Keeps the records right: what the store holds, as people see it with kubectl. Only the leader of a cluster writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

from etcd_dr.domain.records import plan_records
from etcd_dr.domain.request import Request
from etcd_dr.domain.request_status import recorded, snapshot_answer, snapshot_completed
from etcd_dr.entrypoints.operator.board import StatusBoard
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.errors import ApiUnreachable, KubernetesError, ResourceConflict, ResourceMissing
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.leadership import Leadership
from etcd_dr.ports.request_desk import Record, RequestDesk


class RecordShelf:
    """`mark` may be called from any thread; `show` belongs to one. `limit` is for each cluster; 0: what an earlier
    configuration showed goes."""

    def __init__(
        self,
        desk: RequestDesk,
        *,
        clusters: Iterable[str],
        board: StatusBoard,
        leadership: Leadership,
        clock: Clock,
        metrics: RequestMetrics,
        limit: int,
    ) -> None:
        self._desk = desk
        self._clusters = frozenset(clusters)
        self._board = board
        self._leadership = leadership
        self._clock = clock
        self._metrics = metrics
        self._limit = limit
        self._lock = Lock()
        self._unshown = set(self._clusters)

    def mark(self, cluster: str | None = None) -> None:
        """Say that the records of a cluster, or of all, may no longer be right."""
        with self._lock:
            self._unshown.update(self._clusters if cluster is None else {cluster})

    def show(self, seen: Sequence[Request]) -> None:
        """Correct what is marked; what fails stays marked. Raises ApiUnreachable."""
        with self._lock:
            marked = sorted(self._unshown)
        for cluster in marked:
            with self._lock:
                self._unshown.discard(cluster)
            try:
                self._show(cluster, seen)
            except KubernetesError as error:
                self.mark(cluster)
                self._metrics.failures.labels(code=error.code).inc()
                if isinstance(error, ApiUnreachable):
                    raise

    def _show(self, cluster: str, seen: Sequence[Request]) -> None:
        state = self._board.of(cluster)
        if state.catalogue is None:
            return
        now = self._clock.now()
        changes = plan_records(state.catalogue, seen, store=state.store, limit=self._limit, now=now)
        if not (changes.to_put or changes.to_remove or changes.to_refresh):
            return
        with self._leadership.work(cluster) as term:
            if term is None:
                return
            for gone in changes.to_remove:
                try:
                    self._desk.remove(gone)
                except (ResourceMissing, ResourceConflict):
                    continue
            for request, snapshot in changes.to_refresh:
                at = request.finished_at or now
                try:
                    self._desk.write_status(request, snapshot_completed(request, snapshot, store=state.store, at=at))
                except (ResourceMissing, ResourceConflict):
                    continue
            for snapshot in changes.to_put:
                answer = snapshot_answer(snapshot, store=state.store)
                self._desk.put_record(Record(cluster, recorded(snapshot, store=state.store), answer))
