"""One etcd member, as snapshots, health and proofs need it.

Contract for every method:
- `deadline` is seconds for the whole call. A member that does not answer in time raises MemberTimeout.
- Every lower-level error is translated, also inside stream iteration: MemberUnreachable, MemberTimeout, AccessDenied,
  TlsRefused, RevisionUnavailable, StreamBroken, or EtcdError where nothing fits better. `subject` is the endpoint.
- Where one class has several causes, `context["reason"]` tells them apart. MemberTimeout: `deadline`, `stalled` (a
  stream), `silent` (the connection), `no-quorum` (the member itself gave up waiting), `leader-changed` (an election
  ended meanwhile: the next try is answered). RevisionUnavailable: `compacted`, `future`. TlsRefused: whose certificate
  is at fault and how (`authority`, `name`, `expired`, `client-expired`, ...). EtcdError: `learner` (see below),
  `corrupt` (a CORRUPT alarm blocks the member), `closed` (by `close`), ...
- A learner serves `status`, a local `read` and, from etcd 3.5, `snapshot`. It refuses everything else: EtcdError with
  the reason `learner` (etcd: interceptor.go).
- Without quorum a member serves `status`, local `read` and `member_list`, `hash_kv` and `snapshot`. With
  authentication on, only to a client certificate that names the user: a password is checked through quorum.
- A failed connection may be examined before the error is raised, for up to half a second past the deadline.
- No method retries: whoever calls decides. All methods may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etcd_dr.domain.cluster import Alarm, MemberList, MemberStatus
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.key_count import KeyCount
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
        """Return the members in order of id; with `linearizable` through quorum (etcd 3.5+; 3.4 always answers
        locally, whatever is asked)."""
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
        """Read one (absent) key and return the revision seen. Linearizable is the true test of quorum.

        AccessDenied from a linearizable read still means that there is one: etcd asks the quorum first and checks the
        user's rights after that (v3_server.go, Range). The key is `health`, which etcdctl reads for the same purpose.
        """
        ...

    def count_keys(self, *, prefix: bytes = b"", deadline: float) -> KeyCount:
        """Return how many live keys begin with `prefix` (none: all keys), through quorum.

        Only the number travels, but etcd walks its index over all of them: half a second per million keys, during
        which writes to this member wait (docs/benchmarks.md). The role needs read access to the whole range: else
        AccessDenied.
        """
        ...

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> SnapshotStream:
        """Return a snapshot stream; see SnapshotStream. Nothing is asked of the member before it is iterated.

        `stall_deadline` is the longest wait for one message, `total_deadline` runs from this call; both are seconds.
        """
        ...

    def close(self) -> None:
        """Release the connection. Safe to call twice."""
        ...


class EtcdConnector(Protocol):
    """Makes member connections with the configured TLS material and credentials.

    Certificates are read afresh for each connection, so that rotated files are picked up.
    """

    def connect(self, endpoint: str) -> EtcdMember:
        """Return a connection for one client URL without waiting for it; the caller closes it.

        Raises ConfigError when the URL is none, or a certificate, key or password file cannot be used. A client
        certificate that has expired is no such error: the member judges it, and its refusal (TlsRefused) names it.
        """
        ...

    @property
    def endpoints(self) -> Sequence[str]:
        """The configured client URLs, in the configured order."""
        ...
