"""Looks at every member at once, and returns what was seen as one observation, whatever hangs or fails.

1. Every configured endpoint is interviewed, side by side; the first member lists start the look at peer ports.
2. When identities are known or the deadline is over: the same for listed members that nobody answered for and that no
   configured endpoint leads to.
3. What was answered by the deadline is the observation; what was not is a failure in it.

The whole takes one deadline, a second one only where step 2 finds somebody to ask, and a short grace for the threads.
HashKV is never asked for: it stops a member's reads and writes while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from etcd_dr.domain.answer import NOT_ASKED
from etcd_dr.domain.cluster import Member, MemberList
from etcd_dr.domain.cluster_view import ClusterView, same_place
from etcd_dr.domain.observation import Observation
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.member_probe import MemberProbe
from etcd_dr.workflows.ask_in_lanes import Lanes
from etcd_dr.workflows.interview_member import Interview
from etcd_dr.workflows.look_at_peers import PeerLook

_GRACE_SECONDS = 0.7  # an adapter may look for the cause of a silence for half a second more
_MAX_UNCONFIGURED = 16  # a member list is another party's word


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

    `probe` None: no pages, clocks and certificates. `clock` is what observations are dated by.
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
        self.clock = clock
        self._options = options or ObserveOptions()
        self._lanes = Lanes(clock)

    def observe(self, *, looks_at_peers: bool = True) -> Observation:
        """Return one observation. Raises nothing: every failure is a value in it."""
        taken_at, begun = self.clock.now(), self.clock.monotonic()
        own = self._probe.own_certificates() if self._probe else NOT_ASKED
        deadline = self._options.deadline_seconds
        look = PeerLook(self._probe, deadline, taken_at) if self._probe and looks_at_peers else None
        interviews: list[Interview] = []
        try:
            interviews += self._begin(self._connector.endpoints, look, is_configured=True)
            self._wait(interviews, None, until=begun + deadline, only="identity")
            strangers = self._unconfigured(Observation(taken_at, tuple(i.so_far() for i in interviews)))
            until = (self.clock.monotonic() if strangers else begun) + deadline
            interviews += self._begin(strangers, look, is_configured=False)
            self._wait(interviews, look, until=until)
            endpoints = tuple(interview.so_far() for interview in interviews)
        finally:
            for interview in interviews:
                interview.close()
        return Observation(
            taken_at=taken_at,
            endpoints=endpoints,
            seconds=self.clock.monotonic() - begun,
            peer_certificates=look.so_far() if look else (),
            own_certificates=own,
        )

    def _begin(self, endpoints: Sequence[str], look: PeerLook | None, *, is_configured: bool) -> list[Interview]:
        def on_list(members: MemberList) -> None:
            if look is not None:
                look.add(members, self._lanes)

        options = self._options
        interviews = [Interview(e, is_configured, options.deadline_seconds, self.clock) for e in endpoints]
        for interview in interviews:
            interview.ask_member(self._connector, self._lanes, on_list=on_list)
            if self._probe is not None:
                page_url = options.http_urls.get(interview.endpoint)
                interview.ask_pages(self._probe, self._lanes, page_url=page_url)
        return interviews

    def _wait(
        self, interviews: Sequence[Interview], look: PeerLook | None, *, until: float, only: str | None = None
    ) -> None:
        lanes = [lane for i in interviews for name, lane in i.lanes.items() if only in (None, name)]
        self._lanes.wait([*lanes, *(look.lanes() if look else ())], until=until + _GRACE_SECONDS)

    def _unconfigured(self, seen: Observation) -> list[str]:
        """Return one reachable client URL for each listed member that no endpoint leads to."""
        if not self._options.asks_unconfigured:
            return []
        asked = [e.endpoint for e in seen.endpoints]
        seats = ClusterView.of(seen).seats
        urls = [reachable_url(seat.member, asked) for seat in seats if seat.seen is None and not seat.tried]
        return [url for url in urls if url is not None][:_MAX_UNCONFIGURED]


def reachable_url(member: Member, asked: Sequence[str]) -> str | None:
    """Return the member's first client URL that can mean the same host from here, or None.

    A loopback address means another host unless we ask for one ourselves; an unspecified one means none.
    """
    are_local = any(_is_loopback(url) for url in asked)
    for url in member.client_urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname in (None, "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            continue
        if (are_local or not _is_loopback(url)) and not any(same_place(url, other) for other in asked):
            return url
    return None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
