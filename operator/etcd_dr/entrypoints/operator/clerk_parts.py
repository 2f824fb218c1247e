"""What the clerk of requests works with, and how it tells what happens to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from etcd_dr.domain.request import Request, RequestStatus
from etcd_dr.entrypoints.operator.board import StatusBoard
from etcd_dr.entrypoints.operator.keeper import ClusterKeeper
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.errors import EtcdDrError
from etcd_dr.ports.leadership import Leadership
from etcd_dr.workflows.answer_request import AnsweringPorts


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


class RequestTeller:
    """Counts, and tells each thing once; safe from any thread."""

    def __init__(self, parts: ClerkParts) -> None:
        self._parts = parts
        self._lock = Lock()
        self._told: dict[str, str] = {}  # uid -> the code that was told last

    def answered(self, request: Request, status: RequestStatus) -> None:
        with self._lock:
            self._told.pop(request.uid, None)
        cluster = request.cluster if request.cluster in self._parts.keepers else ""
        labels = {"cluster": cluster, "kind": request.kind.value, "phase": status.phase.value}
        self._parts.metrics.answered.labels(**labels).inc()

    def waits(self, request: Request, error: EtcdDrError) -> None:
        """Count what is in the way of a request, and say it when it is another thing than the last time."""
        self.counted(error)
        with self._lock:
            is_news = self._told.get(request.uid) != error.code
            self._told[request.uid] = error.code
        if is_news:
            self._parts.ports.events.emit(
                "request.waits",
                level="warning",
                cluster=request.cluster,
                request=f"{request.kind}/{request.name}",
                error_code=error.code,
                error=str(error),
                next_step=error.next_step,
            )

    def wondered(self, error: EtcdDrError) -> None:
        """Tell what nobody foresaw."""
        self.counted(error)
        self._parts.ports.events.emit(
            "requests.failed",
            level="error",
            error_code=error.code,
            error=str(error),
            next_step=error.next_step,
            **{f"context_{key}": value for key, value in error.context.items()},
        )

    def counted(self, error: EtcdDrError) -> None:
        self._parts.metrics.failures.labels(code=error.code).inc()
