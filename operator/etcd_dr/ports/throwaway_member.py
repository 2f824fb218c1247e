"""A single etcd member on a restored data directory, on loopback, with peers nowhere: what a drill boots."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.etcd_admin import EtcdAdmin


@dataclass(frozen=True, slots=True)
class RunningMember:
    """Connections to the member; they are closed, and its process ended, when the context is left."""

    member: EtcdMember
    admin: EtcdAdmin
    version: EtcdVersion | None


class MemberHost(Protocol):
    def version_for(self, server: EtcdVersion | None) -> EtcdVersion:
        """Return the version of etcd that would be started. Raises ToolMissing."""
        ...

    @property
    def peer_url(self) -> str:
        """The peer URL to restore with; nothing ever listens on it for others."""
        ...

    def run(
        self, data_dir: Path, *, name: str, server: EtcdVersion | None, cancellation: Cancellation, deadline: float
    ) -> AbstractContextManager[RunningMember]:
        """Start etcd on the directory, with mutual TLS of its own, and lend it once it serves.

        The process cannot outlive this one. Raises ToolMissing, MemberUnreachable and MemberTimeout with the end of
        its log, Cancelled.
        """
        ...
