"""One Talos node, as snapshots, the doctor and a recovery need it.

Contract:
- A node is asked itself; nothing is answered by another one in its place.
- `deadline` is seconds for the whole call, the connection included. Nothing is retried: whoever calls decides.
- Every lower-level error is translated, also inside streams: MemberUnreachable, MemberTimeout, AccessDenied (names the
  role that is needed), TlsRefused, StreamBroken, or EtcdError. `subject` is the node's address, and
  `context["grpc_status"]` what the node's API answered.
- What etcd itself says arrives as EtcdError with etcd's sentence: Talos passes its texts on and not its codes. Without
  a running etcd the calls about it hang until the deadline (clientv3 waits for a connection).
- All methods may be called from several threads. `close` ends every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from etcd_dr.domain.cluster import Alarm, Member, MemberStatus
from etcd_dr.domain.talos import (
    FileEntry,
    MountUse,
    Resource,
    ResourceKind,
    ServiceReport,
    TalosEvent,
    TalosVersion,
)
from etcd_dr.ports.snapshot_source import SnapshotStream


class TalosNode(Protocol):
    """What can be asked of a node without changing it."""

    @property
    def address(self) -> str:
        """Host and port, for errors and reports."""
        ...

    def version(self, *, deadline: float) -> TalosVersion: ...

    def services(self, *, deadline: float) -> tuple[ServiceReport, ...]: ...

    def etcd_status(self, *, deadline: float) -> MemberStatus:
        """Return etcd's status on this node. Talos tells neither cluster id nor revision: both are 0."""
        ...

    def etcd_members(self, *, local: bool, deadline: float) -> tuple[Member, ...]:
        """Return the member list in order of id: this node's own view, or through any member that has quorum."""
        ...

    def etcd_alarms(self, *, deadline: float) -> tuple[Alarm, ...]: ...

    def resource(self, kind: ResourceKind, id: str, *, deadline: float) -> Resource | None:  # noqa: A002 - Talos' word
        """Return one resource, or None where there is none of this id or the version has no such type."""
        ...

    def resources(self, kind: ResourceKind, *, deadline: float) -> tuple[Resource, ...]: ...

    def list_directory(self, path: str, *, deadline: float) -> tuple[FileEntry, ...] | None:
        """Return what lies in a directory, itself not included; None where it does not exist."""
        ...

    def mounts(self, *, deadline: float) -> tuple[MountUse, ...]: ...

    def logs(self, service: str, *, lines: int, deadline: float) -> str:
        """Return the last lines of a system service's log."""
        ...

    def local_time(self, *, deadline: float) -> datetime: ...

    def read_file(self, path: str, *, limit_bytes: int, deadline: float) -> bytes:
        """Return a small file. A read that fails half-way looks like its end: the node does not say it."""
        ...

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> SnapshotStream:
        """Return etcd's snapshot of this node. A truncated one ends like a whole one: only the trailer tells."""
        ...

    def read_stream(self, path: str, *, stall_deadline: float, total_deadline: float) -> SnapshotStream:
        """Return the bytes of a file of any size; the same warning."""
        ...

    def close(self) -> None:
        """Release the connection. Safe to call twice."""
        ...


class TalosActor(TalosNode, Protocol):
    """What changes a node: for recoveries, with os:admin."""

    def upload_snapshot(self, chunks: Iterable[bytes], *, deadline: float) -> None:
        """Put a snapshot where Bootstrap looks for it. It stays there until a restore consumes it."""
        ...

    def bootstrap(self, *, recover: bool, deadline: float) -> None:
        """Begin a cluster on this node. Answers before the restore runs: follow the service etcd afterwards."""
        ...

    def reset(self, labels: Sequence[str], *, deadline: float) -> str:
        """Wipe exactly these system partitions and reboot; return the actor id of its events.

        An empty list would mean the whole disk, the machine's configuration included: AssertionError.
        """
        ...

    def reboot(self, *, deadline: float) -> str: ...

    def remove_member(self, member_id: int, *, deadline: float) -> None: ...

    def defragment(self, *, deadline: float) -> None:
        """Rewrite the database of this node's member, which answers nothing meanwhile. os:operator is enough."""
        ...

    def disarm_alarms(self, *, deadline: float) -> None:
        """Take back every alarm of the cluster: Talos knows no single one. os:operator is enough."""
        ...

    def events(
        self, *, actor_id: str = "", tail: int = 0, stall_deadline: float, total_deadline: float
    ) -> AbstractContextManager[Iterator[TalosEvent]]:
        """Follow the node's events; `tail` of the past ones first, -1: all of them."""
        ...


class TalosFleet(Protocol):
    """The control plane nodes of one cluster."""

    def nodes(self) -> Sequence[str]:
        """Return the addresses. Where nobody named them, the cluster is asked, which takes a moment."""
        ...

    def open(self, address: str) -> TalosActor:
        """Return a connection to one node without waiting for it; the caller closes it. Raises ConfigError.

        The talosconfig is read afresh each time: in a pod it is renewed every few hours.
        """
        ...
