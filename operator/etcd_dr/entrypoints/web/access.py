"""Who may see the page: whoever knows the token, whoever a trusted proxy vouches for, and on loopback everybody.

- The token is compared in constant time, and read from its file at each question, so that a new one needs no restart.
- A browser gets a session in a cookie, never the token itself. It is sealed with a key made from the token: it works at
  every replica, outlives a restart, and ends when the token changes.
- The header of a proxy counts only from its addresses. Whoever reaches the page past the proxy is asked for the token,
  or turned away.
- Without a token and a proxy the page is on loopback, and answers only to names of this machine: otherwise a foreign
  web page could read it by letting its own name point to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path

from starlette.requests import HTTPConnection

from etcd_dr.config.page_model import PageSection
from etcd_dr.errors import ConfigError

COOKIE = "etcd-dr-page"
SESSION_SECONDS = 12 * 3600
_SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 4096
_LOOPBACK_NAMES = ("localhost", "ip6-localhost")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may see the page. `name` is what a proxy calls them; `has_session`: they signed in here."""

    name: str = ""
    has_session: bool = False


class Access:
    """Answers for each request whether it may pass. `now` returns seconds since 1970.

    `token_lost` is told when the token can no longer be read, once until it can: then the right one is refused as well.
    """

    def __init__(
        self, page: PageSection, now: Callable[[], float], *, token_lost: Callable[[ConfigError], object]
    ) -> None:
        self._page = page
        self._now = now
        self._token_lost = token_lost
        self._has_token = True
        self._trusted = [ip_network(text) for text in page.proxy.trusted_addresses] if page.proxy else []

    @property
    def asks_for_token(self) -> bool:
        return self._page.token_file is not None

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked, because the page is on loopback."""
        return self._page.token_file is None and self._page.proxy is None

    def is_addressed_to_us(self, host: str) -> bool:
        """Tell whether the name in the browser's address bar is this machine's; only an open page has to ask."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        name = name.strip("[]").lower()
        if not self.is_open or name in _LOOPBACK_NAMES:
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False

    def visitor(self, connection: HTTPConnection) -> Visitor | None:
        """Return who asks; None: somebody who may not see the page."""
        if self.is_open:
            return Visitor()
        if (name := self._vouched(connection)) is not None:
            return Visitor(name)
        token = self._token()
        if token is None:
            return None
        kind, _, said = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(said.strip(), token):
            return Visitor()
        cookie = connection.cookies.get(COOKIE, "")
        return Visitor(has_session=True) if self._is_session(cookie, token) else None

    def session_for(self, said: str) -> str | None:
        """Return a new session for whoever says the token; None for everybody else."""
        token = self._token()
        if token is None or not _same(said.strip(), token):
            return None
        ends_at = str(int(self._now()) + SESSION_SECONDS)
        return f"{ends_at}.{_seal(ends_at, token)}"

    def is_behind_tls(self, connection: HTTPConnection) -> bool:
        """Tell whether the browser's own connection is TLS, as far as anybody says so.

        Nobody has to be trusted for that: whoever lies gets a cookie that their own browser does not send.
        """
        return "https" in (connection.url.scheme, connection.headers.get("x-forwarded-proto", ""))

    def check(self) -> None:
        """Look at the token once before the page is served. Raises ConfigError."""
        if self._page.token_file is not None:
            read_token(self._page.token_file)

    def _vouched(self, connection: HTTPConnection) -> str | None:
        proxy = self._page.proxy
        if proxy is None or not self._is_trusted(connection):
            return None
        # Two headers of one name: one of them may be the browser's. Then nobody vouches for anybody.
        names = connection.headers.getlist(proxy.user_header)
        return names[0][:100] if len(names) == 1 and names[0].strip() else None

    def _is_trusted(self, connection: HTTPConnection) -> bool:
        if connection.client is None:
            return False
        try:
            address = ip_address(connection.client.host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._trusted)

    def _token(self) -> str | None:
        """Return the token as it is now; None where there is none or it cannot be read: then nobody knows it."""
        if self._page.token_file is None:
            return None
        try:
            token = read_token(self._page.token_file)
        except ConfigError as error:
            if self._has_token:
                self._token_lost(error)
            self._has_token = False
            return None
        self._has_token = True
        return token

    def _is_session(self, cookie: str, token: str) -> bool:
        ends_at, _, seal = cookie.partition(".")
        if not (ends_at.isascii() and ends_at.isdecimal() and len(ends_at) <= 12):
            return False
        return hmac.compare_digest(seal.encode(), _seal(ends_at, token).encode()) and self._now() < int(ends_at)


def read_token(file: Path) -> str:
    """Return the token in a file. Raises ConfigError where it cannot be read or could be guessed."""
    try:
        with file.open(encoding="utf-8") as opened:
            token = opened.read(_LONGEST_TOKEN + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        step = f"Let this process read it; see: ls -l {file}" if isinstance(error, PermissionError) else ""
        raise _unusable(file, f"cannot be read: {reason}", step) from error
    if len(token) > _LONGEST_TOKEN or not (token.isprintable() and token.isascii()):
        raise _unusable(file, "holds more than one line of ASCII")
    if len(token) < _SHORTEST_TOKEN:
        raise _unusable(file, f"holds {len(token)} characters, and so short a token can be guessed")
    return token


def _unusable(file: Path, what: str, next_step: str = "") -> ConfigError:
    return ConfigError(
        what,
        subject=f"page.token_file {file}",
        next_step=next_step or f"Make a new one: openssl rand -hex 32 > {file}",
    )


def _same(said: str, token: str) -> bool:
    """Compare digests, so that the time says nothing about the length either."""
    return hmac.compare_digest(sha256(said.encode()).digest(), sha256(token.encode()).digest())


def _seal(ends_at: str, token: str) -> str:
    key = sha256(b"etcd-dr status page session\0" + token.encode()).digest()
    return hmac.new(key, ends_at.encode(), sha256).hexdigest()
