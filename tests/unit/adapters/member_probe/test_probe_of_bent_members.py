"""The real probe against servers that do what no healthy member does."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalAuthority, TlsFiles
from etcd_dr.adapters.member_probe import HttpMemberProbe, ProbeFiles
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.observation import HttpProbe
from real.peers.page_server import Answer, PageServer, response

METRICS = "etcd_server_has_leader 1\n"
GOOD = {
    "/livez": response("ok"),
    "/metrics": response(METRICS),
    "/health": response('{"health":"true"}'),
    "/readyz?verbose": response("ok"),
}


PATIENT = 60.0  # for members that answer: no pause of the machine should be long enough
HASTY = (0.5, 5.0, 50.0)  # for members that hang: the deadline comes, and on a busy machine it has to come later


class HeldUpClock:
    """The machine's clock, for a process that stands still for twenty seconds whenever it looks at the time of day."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._stood_seconds = 0.0

    def now(self) -> datetime:
        self._stood_seconds += 20
        return self._clock.now() + timedelta(seconds=self._stood_seconds)

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._stood_seconds


def serving(**changed: bytes | None) -> Answer:
    """Answer well, but for the pages that are named."""
    pages: dict[str, bytes | None] = {**GOOD, **{f"/{name}": body for name, body in changed.items()}}
    return lambda path: pages.get(path, pages.get(path.partition("?")[0]))


def probe(files: ProbeFiles | None = None) -> HttpMemberProbe:
    return HttpMemberProbe(files or ProbeFiles(), clock=SystemClock())


def visit(answer: Answer, *, deadline: float = PATIENT) -> HttpProbe:
    with PageServer(answer) as server:
        return probe().visit(server.url, deadline=deadline)


def visit_hanging(answer: Answer, is_enough: Callable[[HttpProbe], bool]) -> HttpProbe:
    """Visit a member that hangs, with ever more patience until all that it does answer came before the deadline."""
    for deadline in HASTY:
        seen = visit(answer, deadline=deadline)
        if is_enough(seen):
            break
    return seen


def tls_context(files: TlsFiles, *, asks_for_certificate: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.ca)
    return context


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    now = datetime.now(UTC)
    return LocalAuthority(tmp_path / "pki", valid_from=now - timedelta(days=9), valid_until=now + timedelta(days=9))


def files_of(tls: TlsFiles) -> ProbeFiles:
    return ProbeFiles(tls.ca, tls.certificate, tls.key)


class TestPages:
    def test_one_connection_serves_all_pages(self) -> None:
        """In the order in which they need ever more of the cluster."""
        with PageServer(serving()) as server:
            seen = probe().visit(server.url, deadline=PATIENT)

            assert server.requests == ["/livez", "/metrics", "/health", "/readyz?verbose"]
        assert seen.health.is_known
        assert seen.ready.is_known

    def test_wrong_page_fails_alone(self) -> None:
        """The others are still read from the same connection."""
        seen = visit(serving(metrics=response("<html>hello</html>"), health=response("nonsense")))

        assert (seen.metrics.failure_code, seen.health.failure_code) == ("http.malformed", "http.malformed")
        assert seen.live.is_known
        assert seen.ready.is_known

    @pytest.mark.parametrize("status", [401, 404, 500])
    def test_refused_page_carries_its_status(self, status: int) -> None:
        """So that "not there" can be told from "not allowed"."""
        assert visit(serving(metrics=response("no", status=status))).metrics.failure_code == f"http.{status}"

    def test_unhealthy_page_with_503_is_read(self) -> None:
        """503 is how etcd says no."""
        seen = visit(serving(health=response('{"health":"false","reason":"ALARM NOSPACE"}', status=503)))

        assert seen.health.value is not None
        assert (seen.health.value.is_healthy, seen.health.value.reason) == (False, "ALARM NOSPACE")

    def test_server_that_closes_after_each_page_answers_the_first(self) -> None:
        """The rest failed; the connection is not made again behind the budget's back."""
        with PageServer(serving(livez=response("ok", headers="Connection: close"))) as server:
            seen = probe().visit(server.url, deadline=PATIENT)

            assert server.requests == ["/livez"]
        assert seen.live.is_known
        assert seen.metrics.failure is not None

    def test_endless_page_is_cut_off(self) -> None:
        """Another party's page must not fill our memory."""
        huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + bytes(9 << 20)

        seen = visit(serving(metrics=huge))

        assert seen.metrics.failure_code == "etcd"
        assert not seen.health.is_known

    def test_not_http_at_all_is_a_failure(self) -> None:
        """Some other service listens there."""
        seen = visit(lambda _: b"220 mail.example ESMTP\r\n")

        assert seen.live.failure_code == "etcd"
        assert not seen.clock.is_known


class TestTime:
    @pytest.mark.parametrize("skew", [-90.0, 0.0, 45.0])
    def test_clock_of_the_other_side_is_measured(self, skew: float) -> None:
        """Within the resolution that the reading states."""
        pages = {"/livez": "ok", "/metrics": METRICS}

        def page(path: str) -> bytes | None:  # made when it is asked for, as it says what time it is
            return response(pages[path], skew_seconds=skew) if path in pages else None

        begun = time.monotonic()
        reading = visit_hanging(page, lambda seen: seen.clock.is_known).clock.value
        took = time.monotonic() - begun

        assert reading is not None
        assert abs(reading.offset_seconds - skew) <= reading.resolution_seconds + 0.05
        assert 0.5 <= reading.resolution_seconds <= 0.5 + took / 2  # of the Date header, and half of a round trip

    def test_pause_of_our_own_is_no_difference_of_clocks(self) -> None:
        """Between the end of a page and the look at our clock there may be any time; what is told stays true."""
        with PageServer(lambda path: response("ok", date="" if path == "/livez" else None)) as server:
            held_up = HttpMemberProbe(ProbeFiles(), clock=HeldUpClock())

            reading = held_up.visit(server.url, deadline=600).clock.value

        assert reading is not None
        assert abs(reading.offset_seconds) <= reading.resolution_seconds + 0.05
        assert reading.certain_seconds < 0.1

    def test_responses_without_a_date_have_no_clock(self) -> None:
        """It is a failure, not an offset of zero."""
        undated = {path: response("ok", date=None) for path in GOOD}

        assert visit(lambda path: undated[path]).clock.failure_code == "http.malformed"

    def test_page_that_never_comes_ends_with_the_deadline(self) -> None:
        """What came before it is kept, what came after is failed with it."""
        seen = visit_hanging(serving(health=None), lambda seen: seen.metrics.is_known)

        assert seen.metrics.is_known  # and the page that would hang for ever has not held it up
        assert (seen.health.failure_code, seen.ready.failure_code) == ("etcd.timeout", "etcd.timeout")

    def test_body_that_drips_ends_with_the_deadline(self) -> None:
        """A byte now and then keeps a socket's own timeout from ever firing; the budget counts on."""
        cut_short = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"

        seen = visit_hanging(serving(metrics=cut_short), lambda seen: seen.live.is_known)

        assert seen.metrics.failure_code == "etcd.timeout"


@contextmanager
def hanging_up() -> Iterator[str]:
    """Lend the URL of a port that takes one connection, hears the first word, and ends it: a process that was killed."""

    def hear_one(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(1 << 16)  # all of it: what was left unread would make a reset of the end

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hear_one, args=(listener,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(20)


class TestTls:
    def test_member_that_ends_amid_the_handshake_is_unreachable(self) -> None:
        """It was killed, or is just starting anew; that says nothing against its certificate."""
        with hanging_up() as url:
            seen = probe().visit(url, deadline=20)

        assert seen.health.failure_code == "etcd.unreachable"

    def test_expired_certificate_is_refused_and_shown(self, authority: LocalAuthority) -> None:
        """Health is not read from a member that cannot prove itself, but why is known."""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        expired = authority.issue("server", valid_until=yesterday)

        with PageServer(serving(), tls=tls_context(expired)) as server:
            seen = probe(files_of(authority.issue("client", serves=False))).visit(server.url, deadline=PATIENT)

        assert seen.health.failure_code == "etcd.tls"
        assert "expired" in (seen.health.failure.message if seen.health.failure else "")
        assert seen.certificate.value is not None
        assert abs(seen.certificate.value.not_after - yesterday) < timedelta(seconds=2)

    def test_member_that_refuses_our_certificate_is_a_tls_failure(
        self, authority: LocalAuthority, tmp_path: Path
    ) -> None:
        """In TLS 1.3 the refusal comes after the handshake, with the first read; the certificate was seen by then."""
        now = datetime.now(UTC)
        other = LocalAuthority(tmp_path / "other", valid_from=now - timedelta(days=1), valid_until=now + timedelta(1))
        ours = other.issue("client", serves=False)
        mixed = ProbeFiles(authority.ca, ours.certificate, ours.key)

        with PageServer(serving(), tls=tls_context(authority.issue("server"))) as server:
            seen = probe(mixed).visit(server.url, deadline=PATIENT)

        assert seen.live.failure_code in ("etcd.tls", "etcd.unreachable")  # the alert may be lost with the connection
        assert seen.certificate.is_known

    def test_other_name_in_the_certificate_is_accepted_where_it_is_expected(self, authority: LocalAuthority) -> None:
        """server_name is what the certificate must say, not the host in the URL."""
        files = files_of(authority.issue("client", serves=False))
        named = ProbeFiles(files.ca_file, files.cert_file, files.key_file, server_name="localhost")
        unnamed = ProbeFiles(files.ca_file, files.cert_file, files.key_file, server_name="etcd.example")

        with PageServer(serving(), tls=tls_context(authority.issue("server"))) as server:
            accepted = probe(named).visit(server.url, deadline=PATIENT)
            refused = probe(unnamed).visit(server.url, deadline=PATIENT)

        assert accepted.health.is_known
        assert refused.health.failure_code == "etcd.tls"

    def test_plain_port_behind_an_https_url_is_a_tls_failure(self) -> None:
        """Said at once, not after a timeout."""
        with PageServer(lambda _: response("ok")) as server:
            shown = probe().certificate(server.url.replace("http:", "https:"), role=CertificateRole.PEER, deadline=3)

        assert shown.failure_code in ("etcd.tls", "etcd.timeout")

    def test_rotated_files_are_read_again(self, authority: LocalAuthority) -> None:
        """A certificate that was put in place of another one is what the next call shows."""
        files = files_of(authority.issue("client", serves=False))
        subject = probe(files)
        first = subject.own_certificates().value

        authority.issue("client", serves=False)

        second = subject.own_certificates().value
        assert first is not None
        assert second is not None
        assert first[0].serial != second[0].serial

    @pytest.mark.parametrize("content", [None, "", "no certificate"])
    def test_unusable_files_are_an_answer_with_the_file_in_it(self, tmp_path: Path, content: str | None) -> None:
        """Neither a visit nor a look at our own certificates raises for them."""
        path = tmp_path / "broken.crt"
        if content is not None:
            path.write_text(content)
        subject = probe(ProbeFiles(ca_file=path))

        own, seen = subject.own_certificates(), subject.visit("https://127.0.0.1:1", deadline=1)

        assert own.failure_code == seen.health.failure_code == "config"
        assert str(path) in (own.failure.message if own.failure else "")

    def test_encrypted_key_never_asks_the_terminal(self, authority: LocalAuthority, tmp_path: Path) -> None:
        """A prompt would hang the operator for ever."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only this test writes keys

        tls = authority.issue("client", serves=False)
        key = serialization.load_pem_private_key(tls.key.read_bytes(), password=None)
        locked = tmp_path / "locked.key"
        locked.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )

        seen = probe(ProbeFiles(tls.ca, tls.certificate, locked)).visit("https://127.0.0.1:1", deadline=1)

        assert seen.health.failure_code == "config"
