"""One etcd member, as snapshots, health and proofs need it.

Contract for every method:
- `deadline` is seconds for the whole call. A member that does not answer in time raises MemberTimeout.
- Every lower-level error is translated, also inside stream iteration: MemberUnreachable, MemberTimeout, AccessDenied,
  TlsRefused, RevisionUnavailable, StreamBroken, or EtcdError where nothing fits better. `subject` is the endpoint.
- No method retries: whoever calls decides. All methods may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etcd_dr.domain.cluster import Alarm, MemberList, MemberStatus
from etcd_dr.domain.database import HashKv
from etcd_dr.ports.snapshot_source import SnapshotStream


class EtcdMember(Protocol):
    """A connection to exactly one member; no call is ever balanced to another one."""

    @property
    def endpoint(self) -> str:
        """The client URL as configured, for errors and reports."""
        ...

    def status(self, *, deadline: float) -> MemberStatus:
        """Return the member's own status. Works without quorum and on learners."""
        ...

    def member_list(self, *, linearizable: bool, deadline: float) -> MemberList:
        """Return the members; with `linearizable` through quorum (etcd 3.5+; 3.4 always answers locally)."""
        ...

    def alarms(self, *, deadline: float) -> tuple[Alarm, ...]:
        """Return all active alarms of the cluster. Needs quorum: without it, MemberTimeout."""
        ...

    def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
        """Return the member's hash at `revision` (0: current) with the compact revision it was taken at.

        It blocks reads and writes of that member while it runs (1-4 s per GB): ask followers, and rarely.
        Raises RevisionUnavailable when the revision is compacted or in the future.
        """
        ...

    def read(self, *, linearizable: bool, deadline: float) -> int:
        """Read one (absent) key and return the revision seen. Linearizable is the true test of quorum."""
        ...

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> SnapshotStream:
        """Begin a snapshot stream; see SnapshotStream. `stall_deadline` is the longest silence between messages."""
        ...

    def close(self) -> None:
        """Release the connection. Safe to call twice."""
        ...


class EtcdConnector(Protocol):
    """Makes member connections with the configured TLS material and credentials.

    Certificates are read afresh for each connection, so that rotated files are picked up.
    """

    def connect(self, endpoint: str) -> EtcdMember:
        """Return a connection for one client URL without waiting for it. Raises ConfigError or TlsRefused when the
        certificate files cannot be used. The caller closes it."""
        ...

    @property
    def endpoints(self) -> Sequence[str]:
        """The configured client URLs, in the configured order."""
        ...
