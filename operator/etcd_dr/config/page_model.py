"""The status page: whether it is served, where, and who may see it (docs/status-page.md)."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PlainSerializer, field_validator, model_validator

from etcd_dr.config.fields import FilePath, Section

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)


def _network(text: str) -> str:
    try:
        found: IPv4Network | IPv6Network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address such as 10.0.0.7 or a network such as 10.0.0.0/24") from error
    if found.prefixlen == 0:
        raise ValueError(f"{text!r} is everybody, so anyone could write the header; name the proxy's addresses")
    return str(found)


Network = Annotated[str, AfterValidator(_network), PlainSerializer(str, return_type=str)]


class ProxySection(Section):
    """A proxy in front of the page that signs people in and says who they are."""

    trusted_addresses: tuple[Network, ...] = Field(min_length=1)
    """Addresses or networks of the proxy; the header counts from these only."""
    user_header: str = "X-Forwarded-User"
    """Where the proxy says who it is; it must take away what the browser sends under that name."""

    @field_validator("user_header")
    @classmethod
    def _header(cls, text: str) -> str:
        if not _HEADER.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is not the name of a header")
        return text


class PageSection(Section):
    """The read-only status page, on a port of its own: metrics are read by machines all over a cluster, this is not."""

    enabled: bool = False
    """Serve it."""
    listen: str = Field(default="127.0.0.1:9380", pattern=r"^.+:\d{1,5}$")
    """Address; beyond loopback it needs `token_file` or `proxy`."""
    token_file: FilePath | None = None
    """File with the token that opens the page, 16 characters at least; read again when it changes."""
    proxy: ProxySection | None = None
    base_path: str = ""
    """Where a proxy has put the page, such as /etcd-dr."""

    @field_validator("base_path")
    @classmethod
    def _path(cls, text: str) -> str:
        path = text.rstrip("/")
        if not _BASE_PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
            raise ValueError("write it as /etcd-dr, without '.' and '..'")
        return path

    @model_validator(mode="after")
    def _not_open_to_everybody(self) -> Self:
        if self.enabled and not self.is_on_loopback and self.token_file is None and self.proxy is None:
            raise ValueError(
                f"listen {self.listen} can be reached from elsewhere, and nobody would be asked who they are: give "
                "token_file or proxy, or listen on 127.0.0.1"
            )
        return self

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        host = self.listen.rpartition(":")[0].strip("[]")
        if host == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False
