"""How one etcd cluster is reached."""

from __future__ import annotations

from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import FilePath, Section


class EtcdSection(Section):
    """How to reach the members of one cluster; names are etcdctl's."""

    endpoints: tuple[str, ...] = Field(min_length=1)
    """Client URLs of every member, such as https://10.0.0.1:2379; a list, or one text with commas."""
    cacert: FilePath | None = None
    """CA bundle that signed the members' serving certificates; unset: the system's."""
    cert: FilePath | None = None
    """Client certificate; read again for every connection, so it may rotate."""
    key: FilePath | None = None
    """Key of the client certificate."""
    server_name: str | None = None
    """Name to expect in the members' certificates where it differs from the endpoint's host."""
    username: str | None = None
    """etcd user, where authentication is on (a snapshot needs the role root)."""
    password_file: FilePath | None = None
    """File with the password of that user."""
    request_timeout: PositiveDuration = timedelta(seconds=5)
    """Deadline of a single small call."""

    @field_validator("endpoints", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together: give both or neither")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file is given without username")
        for endpoint in self.endpoints:
            _check_endpoint(endpoint)
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("an endpoint is listed twice")
        return self


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"endpoint {endpoint!r}: {error}") from error
    if "@" in parts.netloc:
        raise ValueError("an endpoint must not hold credentials; use username and password_file")
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None or parts.path not in ("", "/"):
        raise ValueError(f"endpoint {endpoint!r}: write it as https://host:port")
