"""One bounded HTTP connection: every wait ends with the deadline, every body at a limit, every failure in our words."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from etcd_dr.errors import ConfigError, EtcdDrError, EtcdError, MemberTimeout, MemberUnreachable, TlsRefused

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart."""

    url: str
    host: str
    port: int
    is_tls: bool

    @classmethod
    def parse(cls, url: str) -> Target:
        """Raises ConfigError for anything but http and https with a host."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
            raise ConfigError(
                "is not an http or https URL with a port", subject=url, next_step="Write it as https://host:port."
            )
        return cls(url, parts.hostname, port, parts.scheme == "https")


@dataclass(frozen=True, slots=True)
class Page:
    """A response. `date` is its Date header."""

    status: int
    body: bytes
    date: str | None


class Budget:
    """Seconds that are left of a deadline. Raises MemberTimeout when asked for more."""

    def __init__(self, target: Target, *, deadline: float, monotonic: Callable[[], float]) -> None:
        self._target = target
        self._deadline = deadline
        self._monotonic = monotonic
        self._ends = monotonic() + deadline

    def left(self) -> float:
        left = self._ends - self._monotonic()
        if left <= 0:
            raise self.exhausted()
        return left

    def exhausted(self) -> MemberTimeout:
        return MemberTimeout(f"no answer within {self._deadline:g} s", subject=self._target.url)


class Connection:
    """An open connection; use it as a context manager. `peer_der` is the certificate it showed, None without TLS."""

    def __init__(self, target: Target, stream: socket.socket, budget: Budget) -> None:
        self._target = target
        self._budget = budget
        self._http = http.client.HTTPConnection(target.host, target.port)
        self._http.sock = stream
        self._http.auto_open = 0  # after "Connection: close" it must not reconnect, and not in plain text
        self.peer_der = stream.getpeercert(binary_form=True) if isinstance(stream, ssl.SSLSocket) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, *, limit_bytes: int) -> Page:
        """Return a page. Raises MemberTimeout, MemberUnreachable, TlsRefused, or EtcdError."""
        with translated(self._target, self._budget):
            self._hurry()
            self._http.request("GET", path)
            with self._http.getresponse() as response:
                return Page(response.status, self._body(response, limit_bytes), response.getheader("Date"))

    def _body(self, response: http.client.HTTPResponse, limit_bytes: int) -> bytes:
        body = bytearray()
        while True:
            self._hurry()
            chunk = response.read1(_CHUNK_BYTES)
            if not chunk:
                return bytes(body)
            body += chunk
            if len(body) > limit_bytes:
                raise EtcdError(f"a page is longer than {limit_bytes} bytes", subject=self._target.url)

    def _hurry(self) -> None:
        if self._http.sock is not None:
            self._http.sock.settimeout(self._budget.left())


def open_connection(
    target: Target, *, context: ssl.SSLContext | None, server_name: str | None, budget: Budget
) -> Connection:
    """Connect, with TLS where a context is given. Raises MemberTimeout, MemberUnreachable or TlsRefused."""
    with translated(target, budget):
        stream = socket.create_connection((target.host, target.port), timeout=budget.left())
        try:
            if context is not None:
                stream.settimeout(budget.left())
                stream = context.wrap_socket(stream, server_hostname=server_name or target.host)
            return Connection(target, stream, budget)
        except BaseException:
            stream.close()
            raise


@contextlib.contextmanager
def translated(target: Target, budget: Budget) -> Iterator[None]:
    """Turn what the standard library raises into our errors; the most specific first, since all are OSErrors."""
    try:
        yield
    except EtcdDrError:
        raise
    except TimeoutError as error:
        raise budget.exhausted() from error
    except ssl.SSLCertVerificationError as error:
        raise TlsRefused(f"its certificate is not accepted: {error.verify_message}", subject=target.url) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        # Whoever dies amid the handshake says nothing against a certificate; who refuses ours sends an alert.
        raise MemberUnreachable("the connection broke off", subject=target.url) from error
    except ssl.SSLError as error:
        raise TlsRefused(f"TLS failed: {error.reason or error}", subject=target.url) from error
    except (socket.gaierror, UnicodeError) as error:
        raise MemberUnreachable(f"the name {target.host} is not known: {error}", subject=target.url) from error
    except OSError as error:
        raise MemberUnreachable(error.strerror or str(error) or "connection lost", subject=target.url) from error
    except http.client.HTTPException as error:
        raise EtcdError(f"does not answer in HTTP: {type(error).__name__}", subject=target.url) from error
