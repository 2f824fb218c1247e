"""How the members of one cluster are reached: plain values, checked where they are parsed.

Secrets are named here by their files only; `material` and `login` read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from etcd_dr.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EtcdAccess:
    """What connections are made with. Files are PEM; times are seconds.

    - `ca_file` None trusts the public authorities that come with gRPC, which hardly any etcd's certificate is from.
    - `cert_file` and `key_file` go together; without them no client certificate is shown.
    - `server_name` is expected in the members' certificates instead of the endpoint's host.
    - `username` needs `password_file`. With a client certificate etcd takes the user from its common name instead.
    - `dial_seconds` is for one attempt to connect. A silent connection with a call under way is tested every
      `keepalive_seconds` (etcd refuses clients that do so more often than every 5 s: `--grpc-keepalive-min-time`) and
      given up when the test is not answered within `keepalive_timeout_seconds`.
    """

    endpoints: tuple[str, ...]
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    username: str | None = None
    password_file: Path | None = None
    dial_seconds: float = 3.0
    keepalive_seconds: float = 10.0
    keepalive_timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One client URL, taken apart. `host` is a DNS name or an address, an IPv6 address without brackets."""

    url: str
    host: str
    port: int
    uses_tls: bool

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(url: str) -> Endpoint:
    """Return the parts of `https://host:port` or `http://host:port`. Raises ConfigError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _not_an_endpoint(url) from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "holds a user name or password",
            subject=f"{parts.scheme}://...@{parts.hostname}",
            next_step="Leave it out of the URL: set username, and put the password into password_file.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None or parts.path.strip("/"):
        raise _not_an_endpoint(url)
    return Endpoint(url=url, host=parts.hostname, port=port, uses_tls=parts.scheme == "https")


def _not_an_endpoint(url: str) -> ConfigError:
    return ConfigError(
        "is not an endpoint",
        subject=url,
        next_step="Write it as https://host:port, or http://host:port where etcd serves without TLS.",
    )
