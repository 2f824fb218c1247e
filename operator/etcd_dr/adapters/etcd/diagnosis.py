"""Finds out why a connection failed, where gRPC only says "socket closed" or "data corrupted".

A second, short connection with the standard library's `ssl` and the same certificates is led to the point of failure,
and what happens there is named. Nothing is sent but an HTTP/2 greeting or a plain HTTP request line.

1. Connect: name not found, refused, no route, silence.
2. A plain endpoint: does the member answer a TLS greeting? Then it wants `https://`. Does it speak HTTP/2, as every
   etcd does, only HTTP/1, or not at all? A process that was stopped takes connections and says nothing.
3. TLS: does *our* check of the member's certificate fail, and over what? Does it speak TLS at all, and HTTP/2 in it?
4. Does the member refuse *our* certificate? With TLS 1.3 that is said only after the handshake, so one read follows.

`None` means that nothing was found wrong, and the caller stays with what gRPC said.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from etcd_dr.adapters.etcd.access import Endpoint
from etcd_dr.adapters.etcd.material import TlsMaterial
from etcd_dr.adapters.etcd.trust import PresentedCertificate, why_not_trusted
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable, TlsRefused

Diagnose = Callable[[float], EtcdError | None]
"""Examines one endpoint; each step may take that many seconds."""

# RFC 9113, 3.4: the client's greeting, followed by an empty SETTINGS frame. etcd tells protocols apart by it.
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
# How long a refusal of our certificate may take to arrive: a round trip, and a busy member's check of it.
_REFUSAL_SECONDS = 2.0
_HTTP_REQUEST = b"GET /version HTTP/1.0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything one examination needs. `seconds` bounds each step; `now` is for judging our own certificate."""

    endpoint: Endpoint
    material: TlsMaterial | None
    seconds: float
    now: datetime

    def run(self) -> EtcdError | None:
        """Return the cause as our error, or None when none was found. Never raises for what the network does."""
        try:
            with self._connected() as connection:
                if self.material is None:
                    return self._examine_plain(connection)
                return self._examine_tls(connection, self.material)
        except _CannotConnect as failure:
            return self._unreachable(str(failure))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        host, port = self.endpoint.host, self.endpoint.port
        try:
            connection = socket.create_connection((host, port), timeout=self.seconds)
        except socket.gaierror as error:
            raise _CannotConnect(f"the name {host} cannot be resolved: {error.strerror}") from error
        except TimeoutError as error:
            raise _CannotConnect(
                f"no connection within {self.seconds:g} s: the host is down, or a firewall drops the packets"
            ) from error
        except (OSError, UnicodeError) as error:
            raise _CannotConnect(_words(getattr(error, "strerror", None) or str(error))) from error
        with connection:
            yield connection

    def _examine_plain(self, connection: socket.socket) -> EtcdError | None:
        try:
            with _unverifying_context().wrap_socket(connection, server_hostname=self.endpoint.host):
                speaks_tls = True
        except ssl.SSLError as error:
            speaks_tls = "ALERT" in (error.reason or "")
        except OSError:
            speaks_tls = False
        if not speaks_tls:
            return self._judge_greeting(self._greeted())
        return self._refused(
            "plain-against-tls",
            "the member serves TLS and the endpoint says http://",
            f"Write the endpoint as https://{self.endpoint.address} and give --cacert, --cert and --key.",
        )

    def _examine_tls(self, connection: socket.socket, material: TlsMaterial) -> EtcdError | None:
        try:
            context = _verifying_context(material)
        except (OSError, ValueError):
            return None  # the files changed since they were read and checked
        expected = material.expected_name or self.endpoint.host
        has_shaken_hands = False
        try:
            with context.wrap_socket(connection, server_hostname=expected) as secured:
                has_shaken_hands = True
                if secured.selected_alpn_protocol() != "h2":
                    return self._not_etcd("speaks TLS, but not HTTP/2")
                self._listen_for_refusal(secured)
        except ssl.SSLCertVerificationError as error:
            return self._not_trusted(error, material, expected=expected)
        except TimeoutError:
            return None if has_shaken_hands else self._silent()
        except OSError as error:
            alert = error.reason or "" if isinstance(error, ssl.SSLError) else ""
            return self._we_were_refused(alert, material) if "ALERT" in alert else self._cut_off(error)
        return None

    def _listen_for_refusal(self, secured: ssl.SSLSocket) -> None:
        """Let what the member says after the handshake raise; a member that is content waits for our greeting."""
        # Greeting a member that has already refused us and closed would fail first, and hide its reason.
        secured.settimeout(min(_REFUSAL_SECONDS, self.seconds))
        with contextlib.suppress(TimeoutError):
            secured.recv(1)
        secured.settimeout(self.seconds)
        secured.sendall(_HTTP2_GREETING)
        secured.recv(1)

    def _not_trusted(self, error: ssl.SSLCertVerificationError, material: TlsMaterial, *, expected: str) -> TlsRefused:
        trusted = str(material.ca_file) if material.ca_file else "this machine's own authorities (no --cacert is given)"
        found = why_not_trusted(error, self._presented_certificate(material), expected=expected, trusted=trusted)
        look = f"See what the member presents: openssl s_client -connect {self.endpoint.address} </dev/null"
        return self._refused(found.reason, found.sentence, f"{found.next_step} {look}")

    def _presented_certificate(self, material: TlsMaterial) -> PresentedCertificate | None:
        """Return the member's certificate, fetched without trusting it, or None when that fails too."""
        with contextlib.suppress(OSError, ValueError, _CannotConnect), self._connected() as connection:
            context = _unverifying_context()
            _show_identity(context, material)
            with context.wrap_socket(connection, server_hostname=self.endpoint.host) as secured:
                der = secured.getpeercert(binary_form=True)
                return None if der is None else PresentedCertificate.parse(der)
        return None

    def _we_were_refused(self, alert: str, material: TlsMaterial) -> TlsRefused:
        identity = material.identity
        if identity is None:
            return self._refused(
                "client-missing",
                f"the member demands a client certificate ({_words(alert)})",
                "Give one that its --trusted-ca-file signed: --cert and --key.",
            )
        shown = f"the client certificate {identity.cert_file}"
        look = f"See its dates and signer: openssl x509 -noout -issuer -subject -dates -in {identity.cert_file}"
        if self.now > identity.valid_until:
            sentence = f"{shown} expired at {identity.valid_until:%Y-%m-%dT%H:%M:%SZ}"
            return self._refused("client-expired", sentence, f"Renew it. {look}")
        if self.now < identity.valid_from:
            sentence = f"{shown} is not valid before {identity.valid_from:%Y-%m-%dT%H:%M:%SZ}"
            return self._refused("client-not-yet-valid", sentence, f"Compare the clocks of both machines. {look}")
        return self._refused(
            "client-refused",
            f"the member refuses {shown} ({_words(alert)})",
            f"It must be signed by the member's --trusted-ca-file and be good for clients. {look}",
        )

    def _cut_off(self, error: OSError) -> EtcdError:
        if self._speaks_plain_http():
            return self._refused(
                "tls-against-plain",
                "the member serves without TLS and the endpoint says https://",
                f"Write the endpoint as http://{self.endpoint.address}, or give etcd its --cert-file and --key-file.",
            )
        return self._unreachable(f"the connection was closed during the TLS handshake ({_words(str(error))})")

    def _greeted(self) -> bytes | None:
        """Return how a plain port answers HTTP/2's greeting; empty where it hangs up, None where it stays silent."""
        try:
            with self._connected() as connection:
                connection.sendall(_HTTP2_GREETING)
                return connection.recv(9)
        except TimeoutError:
            return None
        except (OSError, _CannotConnect):
            return b""

    def _judge_greeting(self, answer: bytes | None) -> EtcdError | None:
        if answer is None:
            return self._silent()
        if answer.startswith(b"HTTP/"):
            return self._not_etcd("speaks HTTP/1 only")
        return None

    def _silent(self) -> MemberTimeout:
        return MemberTimeout(
            "takes connections and says nothing: the process is stopped, or hangs",
            subject=self.endpoint.url,
            next_step="Look at the process on its host: ps -o pid,stat,wchan:20,cmd -C etcd (T is stopped, D waits for a "
            "disk); all members at a glance: etcd-dr health",
            context={"reason": "silent", "waited_seconds": self.seconds},
        )

    def _not_etcd(self, what: str) -> EtcdError:
        return EtcdError(
            f"what answers there is no etcd client port: it {what}",
            subject=self.endpoint.url,
            next_step="Give the member's client URL (--listen-client-urls), not its metrics port and no web proxy. What "
            f"answers: curl -skv {self.endpoint.url} -o /dev/null",
            context={"reason": "not-etcd"},
        )

    def _speaks_plain_http(self) -> bool:
        with contextlib.suppress(OSError, _CannotConnect), self._connected() as connection:
            connection.sendall(_HTTP_REQUEST)
            return connection.recv(5) == b"HTTP/"
        return False

    def _refused(self, reason: str, sentence: str, next_step: str) -> TlsRefused:
        return TlsRefused(sentence, subject=self.endpoint.url, next_step=next_step, context={"reason": reason})

    def _unreachable(self, sentence: str) -> MemberUnreachable:
        return MemberUnreachable(
            sentence,
            subject=self.endpoint.url,
            next_step="If the host is up, check that etcd runs and listens on this address; "
            "all members at a glance: etcd-dr health",
            context={"reason": "connect"},
        )


class _CannotConnect(Exception):
    """No TCP connection comes about; the text says why."""


def _verifying_context(material: TlsMaterial) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if material.ca_pem is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=material.ca_pem.decode("ascii", errors="ignore"))
    _show_identity(context, material)
    return context


def _unverifying_context() -> ssl.SSLContext:
    """Return a context for looking at a member without trusting it; nothing secret is ever sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _show_identity(context: ssl.SSLContext, material: TlsMaterial) -> None:
    if material.identity is not None:
        context.load_cert_chain(material.identity.cert_file, material.identity.key_file)


def _words(text: str) -> str:
    return text.replace("_", " ").lower()
