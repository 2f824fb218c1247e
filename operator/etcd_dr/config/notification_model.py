"""Receivers of the operator's own messages (docs/notifications.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from etcd_dr.config.duration import Duration, PositiveDuration
from etcd_dr.config.fields import ClusterName, FilePath, Section

RUNBOOKS = "https://github.com/etcd-dr/etcd-dr/blob/main/docs/runbooks"


class NotificationSection(Section):
    """One receiver of messages, by webhook: what it wants to hear, and how it is reached."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """What logs and metrics call it; the address itself is in neither."""
    format: Literal["slack", "generic"] = "slack"
    """`slack`: a text, for Slack, Mattermost, Rocket.Chat; `generic`: JSON, for a program of your own."""
    url: str | None = Field(default=None, repr=False)
    """Its address, where that is no secret; a chat's webhook address is one."""
    url_file: FilePath | None = None
    """File with the address alone, as a mounted Secret has it; read again for each message."""
    headers_file: FilePath | None = None
    """File with lines such as `Authorization: Bearer TOKEN`."""
    ca_file: FilePath | None = None
    """CA bundle for its certificate; unset: this machine's authorities."""
    min_severity: Literal["warning", "critical"] = "warning"
    """The least that it wants to hear. That nobody can tell how things are is told to everybody."""
    clusters: tuple[ClusterName, ...] = ()
    """The clusters that it wants to hear of; empty: all."""
    send_resolved: bool = True
    """Also say when something is over."""
    settle: Duration = timedelta(minutes=1)
    """How long something must hold before it is told, and be gone before it is over."""
    repeat: Duration = timedelta(hours=4)
    """What lasts is told again after this time; 0s: never."""
    timeout: PositiveDuration = timedelta(seconds=10)
    """Longest wait for its answer."""
    attempts: int = Field(default=5, ge=1, le=10)
    """Tries of one message, with growing pauses, the first one included."""
    runbook_url: str = RUNBOOKS
    """Runbooks are <runbook_url>/<page>.md; empty: messages carry no link."""

    @field_validator("url", "runbook_url")
    @classmethod
    def _http(cls, text: str | None) -> str | None:
        if text and (not text.startswith(("http://", "https://")) or any(c.isspace() for c in text)):
            raise ValueError("write it as https://host/path")
        return text

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError(f"receiver {self.name!r}: give exactly one of url and url_file")
        return self
