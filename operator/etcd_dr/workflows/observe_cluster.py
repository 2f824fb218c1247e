"""Looks at every member at once, and returns what was seen as one observation, whatever hangs or fails.

1. For each configured endpoint, side by side: *identity* (status, member list, local read, status again), *quorum*
   (a linearizable read, then alarms: both hang without quorum, so they have a lane of their own) and *http*.
2. As soon as a member shows its list, the peer ports on it are looked at, if this round does that.
3. When identities are known or the deadline is over: the same lanes for listed members that nobody answered for and
   no configured endpoint leads to.
4. Whatever was noted by the deadline is the observation; what was not is a failure `etcd.timeout`.

The whole takes one deadline, a second one only where step 3 finds somebody to ask, and a short grace for the threads.
HashKV is never asked for: it stops a member's reads and writes while it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.cluster import Member, MemberList
from etcd_dr.domain.cluster_view import ClusterView, same_place
from etcd_dr.domain.observation import EndpointObservation, HttpProbe, Observation, PeerCertificate
from etcd_dr.errors import EtcdDrError, MemberTimeout
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.etcd import EtcdConnector, EtcdMember
from etcd_dr.ports.member_probe import MemberProbe
from etcd_dr.workflows.ask_in_lanes import Lane, Lanes

_GRACE_SECONDS = 0.5
_LEAST_SECONDS = 0.1
_MAX_UNCONFIGURED = 16
_MAX_PEER_URLS = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObserveOptions:
    """How a round is made. `deadline_seconds` is for each member.

    `asks_unconfigured`: listed members without a configured endpoint are asked at their own client URLs, where these
    can be reached from here. `http_urls` maps an endpoint to the URL that serves its pages, where etcd has
    --listen-metrics-urls or --listen-client-http-urls.
    """

    deadline_seconds: float = 3.0
    asks_unconfigured: bool = True
    http_urls: Mapping[str, str] = field(default_factory=dict)


class ClusterObserver:
    """Makes observations of one cluster; keeps nothing between them but the lanes that still hang.

    `probe` None: no pages, clocks and certificates.
    """

    def __init__(
        self,
        connector: EtcdConnector,
        probe: MemberProbe | None,
        *,
        clock: Clock,
        options: ObserveOptions | None = None,
    ) -> None:
        self._connector = connector
        self._probe = probe
        self._clock = clock
        self._options = options or ObserveOptions()
        self._lanes = Lanes(clock)

    def observe(self, *, looks_at_peers: bool = True) -> Observation:
        """Return one observation. Raises nothing: every failure is a value in it."""
        return _Round(self._connector, self._probe, self._clock, self._options, self._lanes, looks_at_peers).run()


@dataclass(slots=True)
class _Notes:
    """What was answered for one endpoint so far; lanes write, the round reads whenever it must."""

    endpoint: str
    is_configured: bool
    member: EtcdMember | None = None
    answers: dict[str, Answer[Any]] = field(default_factory=dict)
    http: HttpProbe = HttpProbe()
    lanes: dict[str, Lane] = field(default_factory=dict)

    def as_observation(self, silence: Failure) -> EndpointObservation:
        """Return the answers; a lane that is still under way failed with `silence` at its next question."""
        answers = dict(self.answers)
        for lane, questions in _QUESTIONS.items():
            if lane in self.lanes and (not self.lanes[lane].is_done or self.lanes[lane].was_refused):
                missing = next((q for q in questions if q not in answers), None)
                failed_before = any(answers[q].failure for q in questions if q in answers)
                if missing is not None and not failed_before:
                    answers[missing] = Answer.failed(silence)
        observation = EndpointObservation(endpoint=self.endpoint, is_configured=self.is_configured, http=self.http)
        return replace(observation, **answers)


_QUESTIONS = {
    "identity": ("status", "members", "local_read", "status_again"),
    "quorum": ("quorum_read", "alarms"),
}


class _Round:
    """One run of the four steps."""

    def __init__(
        self,
        connector: EtcdConnector,
        probe: MemberProbe | None,
        clock: Clock,
        options: ObserveOptions,
        lanes: Lanes,
        looks_at_peers: bool,  # noqa: FBT001 - private, and named at its one call
    ) -> None:
        self._connector = connector
        self._probe = probe
        self._clock = clock
        self._options = options
        self._lanes = lanes
        self._looks_at_peers = looks_at_peers
        self._notes: list[_Notes] = []
        self._peers: dict[str, tuple[PeerCertificate, Lane | None]] = {}
        self._lock = threading.Lock()
        self._taken_at = clock.now()
        self._deadline = options.deadline_seconds
        self._silence = Failure.of(MemberTimeout(f"no answer within {self._deadline:g} s"))

    def run(self) -> Observation:
        begun = self._clock.monotonic()
        own = self._probe.own_certificates() if self._probe else NOT_ASKED
        try:
            for endpoint in self._connector.endpoints:
                self._ask(endpoint, is_configured=True)
            self._wait(begun, only="identity")
            resumed = self._clock.monotonic()
            unconfigured = self._unconfigured() if self._options.asks_unconfigured else []
            for endpoint in unconfigured:
                self._ask(endpoint, is_configured=False)
            self._wait(resumed if unconfigured else begun)
            endpoints = tuple(notes.as_observation(self._silence) for notes in self._notes)
        finally:
            self._close()
        return Observation(
            taken_at=self._taken_at,
            endpoints=endpoints,
            seconds=self._clock.monotonic() - begun,
            peer_certificates=self._peer_certificates(),
            own_certificates=own,
        )

    def _ask(self, endpoint: str, *, is_configured: bool) -> None:
        notes = _Notes(endpoint, is_configured)
        self._notes.append(notes)
        try:
            notes.member = self._connector.connect(endpoint)
        except EtcdDrError as error:
            notes.answers["status"] = Answer.failed(Failure.of(error))
        else:
            member = notes.member
            self._start(notes, "identity", lambda: self._identify(notes, member))
            self._start(notes, "quorum", lambda: self._test_quorum(notes, member))
        if self._probe is not None:
            self._start(notes, "http", lambda: self._visit(notes))

    def _start(self, notes: _Notes, lane: str, ask: Callable[[], None]) -> None:
        notes.lanes[lane] = self._lanes.start(f"{lane} {notes.endpoint}", ask)

    def _identify(self, notes: _Notes, member: EtcdMember) -> None:
        ends = self._clock.monotonic() + self._deadline
        status = self._note(notes, "status", lambda: member.status(deadline=self._deadline))
        if not status.is_known:
            return
        members = self._note(
            notes, "members", lambda: member.member_list(linearizable=False, deadline=self._left(ends))
        )
        if members.value is not None:
            self._look_at_peers(members.value)
        self._note(notes, "local_read", lambda: member.read(linearizable=False, deadline=self._left(ends)))
        self._note(notes, "status_again", lambda: member.status(deadline=self._left(ends)))

    def _test_quorum(self, notes: _Notes, member: EtcdMember) -> None:
        ends = self._clock.monotonic() + self._deadline
        self._note(notes, "quorum_read", lambda: member.read(linearizable=True, deadline=self._deadline))
        if self._clock.monotonic() < ends:
            self._note(notes, "alarms", lambda: member.alarms(deadline=self._left(ends)))

    def _visit(self, notes: _Notes) -> None:
        if self._probe is None:
            return
        page_url = self._options.http_urls.get(notes.endpoint)
        notes.http = self._probe.visit(page_url or notes.endpoint, deadline=self._deadline)
        if page_url is not None:
            role = CertificateRole.SERVER
            shown = self._probe.certificate(notes.endpoint, role=role, deadline=self._deadline)
            notes.http = replace(notes.http, certificate=shown)

    def _note(self, notes: _Notes, question: str, ask: Callable[[], T]) -> Answer[T]:
        begun = self._clock.monotonic()
        try:
            answer = Answer(ask(), seconds=self._clock.monotonic() - begun)
        except EtcdDrError as error:
            answer = Answer.failed(Failure.of(error), seconds=self._clock.monotonic() - begun)
        notes.answers[question] = answer
        return answer

    def _left(self, ends: float) -> float:
        return max(_LEAST_SECONDS, ends - self._clock.monotonic())

    def _look_at_peers(self, members: MemberList) -> None:
        """Start a look at each TLS peer port that was not looked at yet; called by whichever lane is first."""
        if self._probe is None or not self._looks_at_peers:
            return
        for member in members.members:
            for url in member.peer_urls:
                with self._lock:
                    is_new = url not in self._peers and len(self._peers) < _MAX_PEER_URLS
                    if is_new and url.startswith("https://"):
                        waiting = PeerCertificate(member.id, url, Answer.failed(self._silence), self._taken_at)
                        self._peers[url] = (waiting, None)
                    else:
                        continue
                lane = self._lanes.start(f"peer {url}", lambda url=url: self._look_at_peer(url))  # type: ignore[misc]  # default binds the loop's value
                with self._lock:
                    self._peers[url] = (self._peers[url][0], lane)

    def _look_at_peer(self, url: str) -> None:
        if self._probe is None:
            return
        shown = self._probe.certificate(url, role=CertificateRole.PEER, deadline=self._deadline)
        with self._lock:
            peer, lane = self._peers[url]
            self._peers[url] = (replace(peer, certificate=shown), lane)

    def _peer_certificates(self) -> tuple[PeerCertificate, ...]:
        with self._lock:
            return tuple(peer for peer, _ in self._peers.values())

    def _wait(self, begun: float, *, only: str | None = None) -> None:
        lanes = [lane for notes in self._notes for name, lane in notes.lanes.items() if only in (None, name)]
        if only is None:
            with self._lock:
                lanes += [lane for _, lane in self._peers.values() if lane is not None]
        self._lanes.wait(lanes, until=begun + self._deadline + _GRACE_SECONDS)

    def _unconfigured(self) -> list[str]:
        """Return one reachable client URL for each listed member that has no endpoint of its own."""
        seen = tuple(notes.as_observation(self._silence) for notes in self._notes)
        view = ClusterView.of(Observation(self._taken_at, seen))
        asked = [notes.endpoint for notes in self._notes]
        urls = (_reachable_url(seat.member, asked) for seat in view.seats if seat.seen is None and not seat.tried)
        return [url for url in urls if url is not None][:_MAX_UNCONFIGURED]

    def _close(self) -> None:
        """Close all connections; what still waits on one is cut short by it."""
        for notes in self._notes:
            if notes.member is not None:
                notes.member.close()


def _reachable_url(member: Member, asked: list[str]) -> str | None:
    """Return the member's first client URL that can mean the same host from here: loopback only if we use it too."""
    for url in member.client_urls:
        host = urlsplit(url).hostname or ""
        is_web = url.startswith(("http://", "https://"))
        is_loopback = _is_loopback(host)
        if not is_web or host in ("", "0.0.0.0", "::") or any(same_place(url, other) for other in asked):  # noqa: S104 - compared, not bound
            continue
        if not is_loopback or any(_is_loopback(urlsplit(other).hostname or "") for other in asked):
            return url
    return None


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
