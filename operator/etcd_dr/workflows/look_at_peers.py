"""Looks at the certificate behind each peer URL of a cluster: once each, side by side, from the first list on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.cluster import MemberList
from etcd_dr.domain.observation import PeerCertificate
from etcd_dr.errors import MemberTimeout
from etcd_dr.ports.member_probe import MemberProbe
from etcd_dr.workflows.ask_in_lanes import Lane, Lanes

_MAX_URLS = 32  # a member list is another party's word; nobody has that many peers


@dataclass(slots=True)
class PeerLook:
    """One round's look. `add` may be called by several threads, with lists that overlap."""

    probe: MemberProbe
    deadline: float
    taken_at: datetime
    _members: dict[str, int] = field(default_factory=dict)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _shown: dict[str, Answer[Certificate]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, members: MemberList, lanes: Lanes) -> None:
        """Start to look at the TLS peer URLs that no earlier list had."""
        with self._lock:
            for member in members.members:
                for url in member.peer_urls:
                    if url.startswith("https://") and url not in self._members and len(self._members) < _MAX_URLS:
                        self._members[url] = member.id
                        self._lanes[url] = self._start(url, lanes)

    def lanes(self) -> tuple[Lane, ...]:
        with self._lock:
            return tuple(self._lanes.values())

    def so_far(self) -> tuple[PeerCertificate, ...]:
        """Return what was shown; a port that has not answered failed with `etcd.timeout`."""
        silence: Answer[Certificate] = Answer.failed(Failure.of(MemberTimeout(f"no answer within {self.deadline:g} s")))
        with self._lock:
            return tuple(
                PeerCertificate(member_id, url, self._shown.get(url, silence), self.taken_at)
                for url, member_id in self._members.items()
            )

    def _start(self, url: str, lanes: Lanes) -> Lane:
        def look() -> None:
            self._shown[url] = self.probe.certificate(url, role=CertificateRole.PEER, deadline=self.deadline)

        return lanes.start(f"peer {url}", look)
