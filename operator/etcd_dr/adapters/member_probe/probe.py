"""HttpMemberProbe: the port, put together from connections and pages.

A visit:
1. Connect; with TLS the certificate must be one that the CA file signed. If it is not, connect once more only to look
   at it, so that "expired" can be told from "foreign".
2. Ask in the order /livez, /metrics, /health, /readyz: cheap first, what needs quorum last.
3. The clock is read from the response that came fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from etcd_dr.adapters.member_probe import pages
from etcd_dr.adapters.member_probe.certificates import (
    ProbeFiles,
    accepting_context,
    parse_der,
    read_own,
    trusting_context,
)
from etcd_dr.adapters.member_probe.connection import (
    Budget,
    Connection,
    Page,
    Target,
    open_connection,
)
from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.observation import HttpProbe
from etcd_dr.errors import EtcdDrError, TlsRefused
from etcd_dr.ports.clock import Clock

_SMALL_PAGE_BYTES = 64 * 1024
_METRICS_BYTES = 8 * 1024 * 1024
_UNDERSTOOD = (200, 503)
_MALFORMED = "http.malformed"

T = TypeVar("T")


@dataclass(slots=True)
class _Visit:
    """One connection with what it told so far. A connection that broke answers no further page."""

    connection: Connection
    clock: Clock
    reading: ClockReading | None = None
    broken: Failure | None = None

    def ask(self, path: str, understand: Callable[[Page], T], *, limit_bytes: int = _SMALL_PAGE_BYTES) -> Answer[T]:
        if self.broken is not None:
            return Answer.failed(self.broken)
        begun = self.clock.monotonic()
        try:
            page = self.connection.get(path, limit_bytes=limit_bytes)
            self._read_clock(page, begun=begun)
            if page.status not in _UNDERSTOOD:
                return Answer.failed(Failure(f"http.{page.status}", f"{path} answers with status {page.status}"))
            return Answer(understand(page), seconds=self.clock.monotonic() - begun)
        except pages.PageMalformed as error:
            return Answer.failed(Failure(_MALFORMED, str(error)))
        except EtcdDrError as error:
            self.broken = Failure.of(error)
            return Answer.failed(self.broken, seconds=self.clock.monotonic() - begun)

    def _read_clock(self, page: Page, *, begun: float) -> None:
        """Take in the page's date, unless it is told less surely than what is there.

        Our own clock is read after the page was, its body included, and whatever held us up since: all of that is
        counted as the round trip, or it would look like a clock that is behind.
        """
        ended_at = self.clock.now()
        reading = pages.read_clock(page, ended_at=ended_at, seconds=self.clock.monotonic() - begun)
        if reading and (self.reading is None or reading.resolution_seconds < self.reading.resolution_seconds):
            self.reading = reading


class HttpMemberProbe:
    """Implements ports.member_probe.MemberProbe."""

    def __init__(self, files: ProbeFiles, *, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    def visit(self, url: str, *, deadline: float) -> HttpProbe:
        try:
            target = Target.parse(url)
            budget = self._budget(target, deadline)
            with self._connect(target, budget) as connection:
                return self._visited(connection, url)
        except TlsRefused as error:
            seen = self.certificate(url, role=CertificateRole.SERVER, deadline=deadline)
            return replace(_all_failed(Failure.of(error)), certificate=seen)
        except EtcdDrError as error:
            return _all_failed(Failure.of(error))

    def certificate(self, url: str, *, role: CertificateRole, deadline: float) -> Answer[Certificate]:
        try:
            target = Target.parse(url)
            if not target.is_tls:
                return NOT_ASKED
            budget = self._budget(target, deadline)
            context = accepting_context(self._files)
            with open_connection(
                target, context=context, server_name=self._files.server_name, budget=budget
            ) as connection:
                return _parsed(connection.peer_der, role, url)
        except EtcdDrError as error:
            return Answer.failed(Failure.of(error))

    def own_certificates(self) -> Answer[tuple[Certificate, ...]]:
        try:
            return Answer(read_own(self._files))
        except EtcdDrError as error:
            return Answer.failed(Failure(error.code, str(error), error.next_step))

    def _visited(self, connection: Connection, url: str) -> HttpProbe:
        visit = _Visit(connection, self._clock)
        probe = HttpProbe(
            certificate=_parsed(connection.peer_der, CertificateRole.SERVER, url),
            live=visit.ask("/livez", pages.read_checks),
            metrics=visit.ask("/metrics", pages.read_metrics, limit_bytes=_METRICS_BYTES),
            health=visit.ask("/health", pages.read_health),
            ready=visit.ask("/readyz?verbose", pages.read_checks),
        )
        # A member that answers nothing at all, not even a refusal, gave no Date either.
        no_clock = visit.broken or Failure(_MALFORMED, "no response has a Date header")
        clock = Answer(visit.reading) if visit.reading else Answer[ClockReading].failed(no_clock)
        return replace(probe, clock=clock)

    def _connect(self, target: Target, budget: Budget) -> Connection:
        return open_connection(
            target,
            context=trusting_context(self._files) if target.is_tls else None,
            server_name=self._files.server_name,
            budget=budget,
        )

    def _budget(self, target: Target, deadline: float) -> Budget:
        return Budget(target, deadline=deadline, monotonic=self._clock.monotonic)


def _parsed(der: bytes | None, role: CertificateRole, url: str) -> Answer[Certificate]:
    if der is None:
        return NOT_ASKED
    try:
        return Answer(parse_der(der, role=role, source=url))
    except ValueError:
        return Answer.failed(Failure(TlsRefused.code, "its certificate cannot be read"))


def _all_failed(failure: Failure) -> HttpProbe:
    failed: Answer[Any] = Answer.failed(failure)
    return HttpProbe(certificate=failed, clock=failed, metrics=failed, live=failed, health=failed, ready=failed)
