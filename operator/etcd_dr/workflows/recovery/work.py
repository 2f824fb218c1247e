"""What a step sees while it is carried out: its plan, the ports, what earlier steps found out, and its place."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from etcd_dr.domain.recovery.journal import Facts, JournalProgress
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.step import Step
from etcd_dr.errors import EtcdDrError, EtcdError, MemberTimeout, MemberUnreachable, RecoveryError, UsageError
from etcd_dr.ports.control_plane import Node
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.etcd_admin import EtcdAdmin
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.work_place import WorkPlace
from etcd_dr.workflows.recovery.proven_once import ProvenOnce
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts

Answer = TypeVar("Answer")

SETTLING_SECONDS = 30.0
"""An election is over in a few; etcd refuses changes until all members were connected for 5 (server.go, HealthInterval)."""


@dataclass(frozen=True, slots=True)
class Work:
    """One run over one plan. `progress` is asked anew each time: steps beside this one go on meanwhile."""

    plan: Plan
    ports: RecoveryPorts
    place: WorkPlace
    by: str
    progress: Callable[[], JournalProgress]
    proven: ProvenOnce = field(default_factory=ProvenOnce)

    @property
    def recovery_id(self) -> str:
        return self.plan.recovery_id

    @property
    def node_deadline(self) -> float:
        return self.ports.limits.node_deadline

    def node(self, name: str) -> Node:
        """Return the node of that name. Raises UsageError where the configuration has none."""
        for node in self.ports.control_plane.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.ports.control_plane.nodes)
        raise UsageError(
            f"is not among the configured nodes: {known}",
            subject=f"node {name}",
            next_step="The plan was made with another configuration. Go on with that one: --config FILE",
        )

    def store(self) -> ObjectStore:
        """Return the store. Raises RecoveryError where this recovery goes without one."""
        if self.ports.store is None:
            raise RecoveryError("this step needs the store, and the recovery goes without it", subject=self.recovery_id)
        return self.ports.store

    def is_done(self, *, kind: str, node: str = "", member: str = "") -> bool:
        """Whether a step of this kind, for this node or member, was carried out and not taken back."""
        return any(True for _ in self._done(kind, node=node, member=member))

    def facts_of(self, *kinds: str, node: str = "", member: str = "") -> Facts | None:
        """Return what the last step that was done of these kinds found out, None where there is none."""
        found: Facts | None = None
        for kind in kinds:
            for facts in self._done(kind, node=node, member=member):
                found = facts
        return found

    def _done(self, kind: str, *, node: str = "", member: str = "") -> Iterator[Facts]:
        progress = self.progress()
        for step in self.plan.steps:
            is_meant = step.kind == kind and node in ("", step.node) and member in ("", _member_of(step))
            if is_meant and step.id in progress.done:
                yield progress.facts.get(step.id, {})

    @contextmanager
    def member(self, endpoint: str) -> Iterator[EtcdMember]:
        with closing(self.ports.connector.connect(endpoint)) as connection:
            yield connection

    @contextmanager
    def admin(self, endpoint: str) -> Iterator[EtcdAdmin]:
        with closing(self.ports.admins.administer(endpoint)) as connection:
            yield connection

    def quorum_endpoint(self) -> str:
        """Return the first configured endpoint that reads through quorum. Raises what the last one said."""
        last: EtcdError | None = None
        for endpoint in self.ports.connector.endpoints:
            try:
                with self.member(endpoint) as member:
                    member.read(linearizable=True, deadline=self.ports.limits.call_deadline)
            except EtcdError as error:
                last = error
            else:
                return endpoint
        raise last or RecoveryError("no endpoint is configured", subject=self.recovery_id)

    def patiently(
        self, act: Callable[[], Answer], *, refusals: Container[str] = (), seconds: float = SETTLING_SECONDS
    ) -> Answer:
        """Act, and again while members do not answer or etcd refuses for one of these reasons.

        An election cuts a call off whether it was done or not: `act` looks each time at what is left to do. `seconds` run
        from the first failure, however long it took to come about. Raises MemberTimeout with the last problem, Cancelled.
        """
        clock, ends_at = self.ports.clock, float("inf")
        while True:
            try:
                return act()
            except EtcdError as error:
                is_unanswered = isinstance(error, MemberTimeout | MemberUnreachable)
                if not is_unanswered and error.context.get("reason") not in refusals:
                    raise
                problem = f"{error.subject}: {error.message}" if error.subject else error.message
                ends_at = min(ends_at, clock.monotonic() + seconds)
                if clock.monotonic() >= ends_at:
                    raise self._waited(problem, seconds) from error
            self.ports.pause(self.ports.limits.look_again_seconds)

    def wait_for(self, look: Callable[[], Answer | None], *, seconds: float, problem: Callable[[], str]) -> Answer:
        """Look until there is an answer. Raises MemberTimeout with the last problem, Cancelled."""
        ends_at = self.ports.clock.monotonic() + seconds
        while True:
            found = look()
            if found is not None:
                return found
            if self.ports.clock.monotonic() >= ends_at:
                raise self._waited(problem(), seconds)
            self.ports.pause(self.ports.limits.look_again_seconds)

    def _waited(self, problem: str, seconds: float) -> MemberTimeout:
        return MemberTimeout(
            f"{problem} (waited {seconds:.0f} s)",
            subject=self.plan.cluster,
            next_step="See how the members are: etcd-dr health",
            context={"reason": "deadline"},
        )

    def warn(self, event: str, *, node: str, error: EtcdDrError) -> None:
        """Tell of something that was coped with."""
        self.ports.events.emit(
            event,
            level="warning",
            cluster=self.plan.cluster,
            recovery=self.recovery_id,
            node=node,
            error_code=error.code,
            reason=error.message,
        )


def _member_of(step: Step) -> str:
    return str(getattr(step, "member", ""))
