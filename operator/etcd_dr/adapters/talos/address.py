"""Where a node's API listens, from the forms in which talosconfig and people write it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from etcd_dr.domain.talos import API_PORT
from etcd_dr.errors import ConfigError


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """`forward_to` is the node that the one at host and port shall pass calls on to; empty: none."""

    host: str
    port: int = API_PORT
    forward_to: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> NodeAddress:
    """Return the address. Without a port it is 50000, and 443 for `https://host`, as Talos' own client has it.

    The client URL of an etcd member (`https://host:2379`) is that node's API: nobody else listens there. Raises
    ConfigError.
    """
    written = text.strip()
    if written.count(":") > 1 and "[" not in written and "://" not in written:
        written = f"[{written}]"  # a bare IPv6 address
    has_scheme = "://" in written
    try:
        parts = urlsplit(written if has_scheme else f"//{written}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _unusable(text) from error
    if not host or "@" in parts.netloc or parts.path not in ("", "/"):
        raise _unusable(text)
    if port == 2379:
        port = API_PORT
    return NodeAddress(host, port or (443 if parts.scheme == "https" else API_PORT))


def _unusable(text: str) -> ConfigError:
    return ConfigError(
        "is not the address of a node",
        subject=text[:100],
        next_step="Write it as 10.0.0.2, [2001:db8::2]:50000 or cp-1.example.org.",
    )
