"""A receiver that takes messages by HTTP POST.

- Tries and their pauses are urllib3's Retry: refused and broken connections, 429 and 5xx, growing pauses, Retry-After.
  The loop around it is ours, because its own sleeps through a wish to stop and logs the address, which is a secret.
- Redirects are not followed: a POST would become a GET, and the secret in the address would go to another host.
- An answer is read up to 200 bytes and quoted in the error with the address taken out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.request import getproxies, proxy_bypass

from etcd_dr.adapters.notifications import generic, slack
from etcd_dr.domain.notifications.message import Notification
from etcd_dr.errors import ConfigError, FileUnreadable, NotificationFailed, NotificationRefused
from etcd_dr.ports.pause import Pause

_BODIES = {"slack": slack.body, "generic": generic.body}
_AGAIN = frozenset({429, 500, 502, 503, 504})
_MOST_ANSWER_BYTES = 200
_LONGEST_PAUSE_SECONDS = 60
_TEST = "Send a message by hand: etcd-dr notify test"


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """One receiver. Exactly one of `url` and `url_file` is given; `headers_file` has lines `Name: value`."""

    name: str
    format: Literal["slack", "generic"]
    url: str | None = None
    url_file: Path | None = None
    headers_file: Path | None = None
    ca_file: Path | None = None
    timeout_seconds: float = 10.0
    attempts: int = 5


class Webhook:
    """Implements ports.notifier.Notifier."""

    def __init__(self, settings: WebhookSettings, *, pause: Pause) -> None:
        self._settings = settings
        self._pause = pause

    @property
    def name(self) -> str:
        return self._settings.name

    def check(self) -> None:
        self._url()
        self._headers()
        self._authority()

    def deliver(self, notification: Notification) -> None:
        import urllib3  # noqa: PLC0415 - a process without receivers does not wait for it
        from urllib3.util.retry import Retry  # noqa: PLC0415

        url, headers = self._url(), self._headers()
        retry = Retry(
            total=self._settings.attempts - 1,
            backoff_factor=1,
            backoff_max=_LONGEST_PAUSE_SECONDS,
            status_forcelist=_AGAIN,
            allowed_methods=None,
        )
        json = _BODIES[self._settings.format](notification)
        with self._pool(url) as pool:
            while True:
                response, failure = None, None
                try:
                    response = pool.request(
                        "POST", url, json=json, headers=headers, retries=False, redirect=False, preload_content=False
                    )
                except urllib3.exceptions.LocationValueError:
                    raise self._refused("its address is no URL that can be called", None) from None
                except urllib3.exceptions.HTTPError as error:
                    failure = error
                if response is not None and response.status not in _AGAIN:
                    self._check(response, url)
                    return
                try:
                    retry = retry.increment("POST", "", response=response, error=failure)
                except urllib3.exceptions.HTTPError:
                    raise self._failed(response, failure) from None  # its texts hold the address
                self._pause(_pause_seconds(retry, response))

    def _pool(self, url: str) -> Any:
        """Return connections of this message's own, through the proxy that the environment names for this address."""
        import urllib3  # noqa: PLC0415

        options: dict[str, Any] = {
            "timeout": urllib3.Timeout(total=self._settings.timeout_seconds),
            "ca_certs": self._authority(),
        }
        scheme, _, rest = url.partition("://")
        host = rest.partition("/")[0].rpartition("@")[2]
        proxy = getproxies().get(scheme)
        if proxy is None or proxy_bypass(host):
            return urllib3.PoolManager(**options)
        return urllib3.ProxyManager(proxy, **options)

    def _authority(self) -> str | None:
        ca_file = self._settings.ca_file
        if ca_file is not None and not ca_file.is_file():
            raise self._unreadable(ca_file, "no such file")
        return str(ca_file) if ca_file is not None else None

    def _url(self) -> str:
        settings = self._settings
        url = settings.url if settings.url_file is None else self._read(settings.url_file).strip()
        if not url or not url.startswith(("http://", "https://")) or any(c.isspace() for c in url):
            raise ConfigError(
                "holds no address that begins with http:// or https://",
                subject=f"notifications {self.name}: url_file",
                next_step=f"Write the address alone into the file. {_TEST}",
            )
        return url

    def _headers(self) -> Mapping[str, str]:
        headers = {"User-Agent": "etcd-dr"}
        if self._settings.headers_file is None:
            return headers
        for number, line in enumerate(self._read(self._settings.headers_file).splitlines(), start=1):
            name, colon, value = line.partition(":")
            if not line.strip():
                continue
            if not colon or not name.strip().isascii() or not value.strip().isprintable():
                raise ConfigError(
                    f"line {number} is no header",
                    subject=f"notifications {self.name}: headers_file",
                    next_step="Write one header a line, such as Authorization: Bearer TOKEN.",
                )
            headers[name.strip()] = value.strip()
        return headers

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise self._unreadable(path, getattr(error, "strerror", None) or "not text") from error

    def _check(self, response: Any, url: str) -> None:
        if not 200 <= response.status < 300:
            answer = _beginning(response).replace(url, "…").strip()
            raise self._refused(f"it answered {response.status}", answer or None)

    def _refused(self, message: str, answer: str | None) -> NotificationRefused:
        return NotificationRefused(
            message,
            subject=f"receiver {self.name}",
            next_step=f"Correct its address or its token in the file that holds it. {_TEST}",
            context={"answer": answer} if answer else {},
        )

    def _failed(self, response: Any, failure: Exception | None) -> NotificationFailed:
        why = f"it answered {response.status}" if response is not None else _words(failure)
        return NotificationFailed(
            f"{why}, {self._settings.attempts} times" if self._settings.attempts > 1 else why,
            subject=f"receiver {self.name}",
            next_step=f"Look at the receiver and at the way to it. {_TEST}",
        )

    def _unreadable(self, path: Path, reason: str) -> FileUnreadable:
        return FileUnreadable(
            reason,
            subject=str(path),
            next_step=f"notifications {self.name} names this file: put it there, readable for this process.",
        )


def _beginning(response: Any) -> str:
    import urllib3  # noqa: PLC0415

    try:
        return bytes(response.read(_MOST_ANSWER_BYTES)).decode("utf-8", "replace")
    except urllib3.exceptions.HTTPError:
        return ""


def _pause_seconds(retry: Any, response: Any) -> float:
    import urllib3  # noqa: PLC0415

    try:
        asked = retry.get_retry_after(response) if response is not None else None
    except urllib3.exceptions.InvalidHeader:
        asked = None
    return float(min(asked if asked is not None else retry.get_backoff_time(), _LONGEST_PAUSE_SECONDS))


def _words(failure: Exception | None) -> str:
    """Return what went wrong without urllib3's own text, which holds the address."""
    import urllib3  # noqa: PLC0415

    match failure:
        case urllib3.exceptions.SSLError():
            return "its certificate is not trusted, or it speaks no TLS"
        case urllib3.exceptions.NameResolutionError():
            return "its name is not found"
        case urllib3.exceptions.NewConnectionError():
            return "it cannot be reached"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.ReadTimeoutError():
            return "it did not answer in time"
        case _:
            return "the connection broke off"
