"""The HTTP side of a FakeCluster's members, to be bent: clocks, pages, certificates, and visits that hang.

Rules this fake keeps:
- It answers as etcd does: /health is false without a leader or with an alarm, /readyz without quorum, and versions
  before 3.4.29 and 3.5.11 have neither /livez nor /readyz (`http.404`).
- A member that is stopped, hangs or refuses TLS fails every page with the code that the real probe would give; with a
  TLS problem the certificate is shown all the same.
- Nothing sleeps, but `hold` makes a URL hang until `release`: as a name lookup does, beyond every deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.member_metrics import MemberMetrics
from etcd_dr.domain.observation import HttpChecks, HttpHealth, HttpProbe
from fakes.clock import MORNING
from fakes.etcd import FakeCluster, FakeMember

_NO_PAGE = Failure("http.404", "answers with status 404")


class FakeMemberProbe:
    """Implements ports.member_probe.MemberProbe over a FakeCluster; every field may be changed by a test.

    `clock_offsets` and `metrics` are by member name, `certificates` by URL; what a URL shows without an entry holds
    for a year from `now`. `calls` tells what was asked.
    """

    def __init__(self, cluster: FakeCluster, *, now: Callable[[], datetime] = lambda: MORNING) -> None:
        self._cluster = cluster
        self._now = now
        self._held: dict[str, threading.Event] = {}
        self.clock_offsets: dict[str, float] = {}
        self.metrics: dict[str, MemberMetrics] = {}
        self.certificates: dict[str, Certificate] = {}
        self.own: Answer[tuple[Certificate, ...]] = Answer(
            (self._issued(CertificateRole.CLIENT, "/client.crt"), self._issued(CertificateRole.CA, "/ca.crt"))
        )
        self.calls: list[tuple[str, str]] = []

    def hold(self, url: str) -> threading.Event:
        """Let every question to this URL hang until the event that is returned is set."""
        return self._held.setdefault(url, threading.Event())

    def visit(self, url: str, *, deadline: float) -> HttpProbe:
        self._called("visit", url)
        member = self._member(url)
        failure = _failure(member, url, deadline)
        shown = self._shown(url, CertificateRole.SERVER)
        if member is None or failure is not None:
            failed: Answer[Any] = Answer.failed(failure or Failure("etcd.unreachable", "connection refused"))
            is_told = failure is not None and failure.code == "etcd.tls"
            return HttpProbe(shown if is_told else failed, failed, failed, failed, failed, failed)
        return self._pages(member, shown)

    def certificate(self, url: str, *, role: CertificateRole, deadline: float) -> Answer[Certificate]:
        self._called("certificate", url)
        if not url.startswith("https://"):
            return NOT_ASKED if url.startswith("http://") else Answer.failed(_malformed(url))
        member = self._member(url)
        failure = _failure(member, url, deadline)
        if failure is not None and failure.code != "etcd.tls":
            return Answer.failed(failure)
        return self._shown(url, role)

    def own_certificates(self) -> Answer[tuple[Certificate, ...]]:
        return self.own

    def _pages(self, member: FakeMember, shown: Answer[Certificate]) -> HttpProbe:
        has_leader = bool(self._cluster.leader_id(member))
        alarms = [alarm.kind for alarm in self._cluster.raised_alarms]
        reason = "" if has_leader else "RAFT NO LEADER"
        reason = f"ALARM {alarms[0]}" if alarms else reason
        failed_checks = () if has_leader else ("linearizable_read",)
        failed_checks = (*failed_checks, "non_learner") if member.is_learner else failed_checks
        has_checks = _has_checks(member.version)
        return HttpProbe(
            certificate=shown,
            clock=Answer(ClockReading(self.clock_offsets.get(member.name, 0.0), 0.5)),
            metrics=Answer(self._metrics(member, has_leader)),
            live=Answer(HttpChecks(is_passed=True)) if has_checks else Answer.failed(_NO_PAGE),
            health=Answer(HttpHealth(is_healthy=has_leader and not alarms, reason=reason)),
            ready=Answer(HttpChecks(not failed_checks, failed_checks)) if has_checks else Answer.failed(_NO_PAGE),
        )

    def _metrics(self, member: FakeMember, has_leader: bool) -> MemberMetrics:
        base = self.metrics.get(member.name, MemberMetrics(process_started_at=1.0, db_quota_bytes=float(2 << 30)))
        peers = {m.id: m.is_up and not m.is_partitioned for m in self._cluster.members if m is not member}
        return replace(base, version=member.version, has_leader=has_leader, active_peers=base.active_peers or peers)

    def _member(self, url: str) -> FakeMember | None:
        host = urlsplit(url).hostname
        return next((m for m in self._cluster.members if urlsplit(m.endpoint).hostname == host), None)

    def _shown(self, url: str, role: CertificateRole) -> Answer[Certificate]:
        return Answer(self.certificates.get(url) or self._issued(role, url))

    def _issued(self, role: CertificateRole, source: str) -> Certificate:
        is_ca = role is CertificateRole.CA
        begins = self._now() - timedelta(days=1)
        return Certificate(
            role=role,
            subject="CN=etcd-ca" if is_ca else f"CN={source}",
            issuer="CN=etcd-ca",
            serial=source,
            not_before=begins,
            not_after=begins + timedelta(days=3650 if is_ca else 366),
            source=source,
        )

    def _called(self, method: str, url: str) -> None:
        self.calls.append((method, url))
        if url in self._held:
            self._held[url].wait(90)


def _failure(member: FakeMember | None, url: str, deadline: float) -> Failure | None:
    if not url.startswith(("http://", "https://")):
        return _malformed(url)
    if member is None or member.refuses:
        return Failure("etcd.unreachable", "connection refused")
    if member.hangs:
        return Failure("etcd.timeout", f"no answer within {deadline:g} s")
    return Failure("etcd.tls", member.tls_problem) if member.tls_problem else None


def _malformed(url: str) -> Failure:
    return Failure("config", f"{url} is not an http or https URL with a port")


def _has_checks(version: str) -> bool:
    parsed = EtcdVersion.parse(version)
    if parsed is None:
        return True
    return parsed >= EtcdVersion(3, 5, 11) or (parsed.minor == 4 and parsed >= EtcdVersion(3, 4, 29))
