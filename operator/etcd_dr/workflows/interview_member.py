"""Puts one endpoint's questions, in three lanes, and tells at any time what was answered so far.

- *identity*: status, member list, local read, status again. After a status that fails nothing more is asked.
- *quorum*: a linearizable read, then alarms. Both hang without quorum, so they must not hold up the others.
- *http*: pages, clock and certificate.

Each lane has the whole deadline for itself. A question under way when somebody looks is a failure `etcd.timeout`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.cluster import MemberList
from etcd_dr.domain.observation import EndpointObservation, HttpProbe
from etcd_dr.errors import EtcdDrError, MemberTimeout
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.etcd import EtcdConnector, EtcdMember
from etcd_dr.ports.member_probe import MemberProbe
from etcd_dr.workflows.ask_in_lanes import Lane, Lanes
from etcd_dr.workflows.read_with_quorum import read_with_quorum

_LEAST_SECONDS = 0.1
_QUESTIONS = {
    "identity": ("status", "members", "local_read", "status_again"),
    "quorum": ("quorum_read", "alarms"),
}

T = TypeVar("T")


@dataclass(slots=True)
class Interview:
    """One endpoint and its answers. Lanes write, anybody reads; `close` ends whatever still waits."""

    endpoint: str
    is_configured: bool
    deadline: float
    clock: Clock
    lanes: dict[str, Lane] = field(default_factory=dict)
    _answers: dict[str, Answer[Any]] = field(default_factory=dict)
    _http: HttpProbe | None = None
    _member: EtcdMember | None = None

    def ask_member(self, connector: EtcdConnector, lanes: Lanes, *, on_list: Callable[[MemberList], None]) -> None:
        """Start the first two lanes. `on_list` is called, in a lane's thread, with the member list."""
        try:
            member = self._member = connector.connect(self.endpoint)
        except EtcdDrError as error:
            self._answers["status"] = Answer.failed(Failure.of(error))
            return
        self._start(lanes, "identity", lambda: self._identify(member, on_list))
        self._start(lanes, "quorum", lambda: self._test_quorum(member))

    def ask_pages(self, probe: MemberProbe, lanes: Lanes, *, page_url: str | None) -> None:
        """Start the third lane; `page_url` serves the pages where the endpoint itself does not."""
        self._start(lanes, "http", lambda: self._visit(probe, page_url))

    def so_far(self) -> EndpointObservation:
        """Return the answers there are; the question that each unfinished lane waits for failed."""
        answers = dict(self._answers)
        for name, questions in _QUESTIONS.items():
            missing = next((q for q in questions if q not in answers), None)
            if self._hangs(name) and missing is not None:
                answers[missing] = Answer.failed(self._silence())
        http = self._http or HttpProbe()
        return EndpointObservation(
            endpoint=self.endpoint,
            is_configured=self.is_configured,
            status=answers.get("status", NOT_ASKED),
            status_again=answers.get("status_again", NOT_ASKED),
            members=answers.get("members", NOT_ASKED),
            local_read=answers.get("local_read", NOT_ASKED),
            quorum_read=answers.get("quorum_read", NOT_ASKED),
            alarms=answers.get("alarms", NOT_ASKED),
            http=replace(http, health=Answer.failed(self._silence())) if self._hangs("http") else http,
        )

    def close(self) -> None:
        """Close the connection; a call that still hangs on it is cut short. Safe to call twice."""
        if self._member is not None:
            self._member.close()

    def _start(self, lanes: Lanes, name: str, ask: Callable[[], None]) -> None:
        self.lanes[name] = lanes.start(f"{name} {self.endpoint}", ask)

    def _hangs(self, name: str) -> bool:
        lane = self.lanes.get(name)
        return lane is not None and (lane.was_refused or not lane.is_done)

    def _identify(self, member: EtcdMember, on_list: Callable[[MemberList], None]) -> None:
        ends = self.clock.monotonic() + self.deadline
        if not self._note("status", lambda: member.status(deadline=self.deadline)).is_known:
            return
        members = self._note("members", lambda: member.member_list(linearizable=False, deadline=self._left(ends)))
        if members.value is not None:
            on_list(members.value)
        self._note("local_read", lambda: member.read(linearizable=False, deadline=self._left(ends)))
        self._note("status_again", lambda: member.status(deadline=self._left(ends)))

    def _test_quorum(self, member: EtcdMember) -> None:
        ends = self.clock.monotonic() + self.deadline
        self._note("quorum_read", lambda: read_with_quorum(member, deadline=self.deadline))
        if self.clock.monotonic() < ends:
            self._note("alarms", lambda: member.alarms(deadline=self._left(ends)))

    def _visit(self, probe: MemberProbe, page_url: str | None) -> None:
        told = probe.visit(page_url or self.endpoint, deadline=self.deadline)
        if page_url is not None:
            shown = probe.certificate(self.endpoint, role=CertificateRole.SERVER, deadline=self.deadline)
            told = replace(told, certificate=shown)
        self._http = told

    def _note(self, question: str, ask: Callable[[], T]) -> Answer[T]:
        begun = self.clock.monotonic()
        try:
            answer = Answer(ask(), seconds=self.clock.monotonic() - begun)
        except EtcdDrError as error:
            answer = Answer.failed(Failure.of(error), seconds=self.clock.monotonic() - begun)
        self._answers[question] = answer
        return answer

    def _left(self, ends: float) -> float:
        return max(_LEAST_SECONDS, ends - self.clock.monotonic())

    def _silence(self) -> Failure:
        return Failure.of(MemberTimeout(f"no answer within {self.deadline:g} s"))
