"""The operator's clerk over a fake desk and the fakes of OperatorWorld, without threads but those of its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.domain.request import Request, RequestKind, RequestPhase, Wish
from etcd_dr.entrypoints.operator.clerk_parts import ClerkParts
from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.entrypoints.operator.requests import RequestClerk
from etcd_dr.entrypoints.operator.sole_leadership import SoleLeadership
from etcd_dr.workflows.answer_request import AnsweringPorts
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from fakes.request_desk import FakeRequestDesk
from scenarios.test_operator_drills import DrillingWorld

TTL = timedelta(days=1)


class RequestWorld(DrillingWorld):
    """`hear()` lists, `settle()` decides and waits for the work; `new_process()` is the clerk of another process."""

    def __init__(self, directory: Path, *, records: int = 3) -> None:
        super().__init__(directory)
        self.records = records
        self.meanwhile: Callable[[], object] = lambda: None
        """Happens when a snapshot begins, after its request was claimed."""
        self.desk = FakeRequestDesk(self.clock)
        self._processes = 0
        self.new_process()

    def new_process(self) -> None:
        """Forget everything that a new process would not know."""
        self.restart()
        self._processes += 1
        self.holder = f"process-{self._processes}"
        ports = AnsweringPorts(desk=self.desk, clock=self.clock, events=self.events, holder=self.holder)
        self.request_registry = CollectorRegistry()
        self.clerk = RequestClerk(
            ClerkParts(
                ports=ports,
                keepers={"prod": self.keeper},
                board=self.board,
                leadership=self.leadership,
                metrics=RequestMetrics(self.request_registry),
                carries_out=True,
                records=self.records,
                ttl=TTL,
                resync=timedelta(0),
                workers=1,
            )
        )

    def ask(self, kind: RequestKind, name: str, *, cluster: str = "prod", **wishes: Any) -> Request:
        """Leave a request, as a person does."""
        return self.desk.leave(Wish(kind, cluster, name, **wishes))

    def hear(self) -> None:
        """List what is there, as a watch would."""
        for watch in self.clerk.watches.values():
            watch.look_once()

    def go_on(self, *, rounds: int = 2) -> None:
        """Hear and decide, and wait for what was begun, so often that nothing is left to do."""
        for _ in range(rounds):
            self.hear()
            self.clerk.look()
            self.clerk.wait_for_work()

    def forget_the_stop(self) -> None:
        """Let work go on, as in a process that nobody has stopped yet."""
        self.cancellation = CancellationSwitch()
        self.leadership = SoleLeadership(["prod"], self.cancellation)

    def _parts(self) -> KeeperParts:
        return replace(super()._parts(), pipeline=self._pipeline)

    def _pipeline(self) -> PipelinePorts:
        self.meanwhile()
        return self.ports

    def now(self, request: Request) -> Request:
        return self.desk.now(request)

    def record_names(self) -> list[str]:
        return sorted(each.name for each in self.desk.list(RequestKind.SNAPSHOT).requests if each.is_record)

    def phase(self, request: Request) -> RequestPhase | None:
        return self.now(request).phase

    def counted(self, name: str, **labels: str) -> float | None:
        return self.request_registry.get_sample_value(name, labels)
