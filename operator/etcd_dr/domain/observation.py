"""What one health round saw: frozen, whole, and without an opinion.

- Every question is an `Answer` (domain/answer.py): a dead member is a value here, not an error.
- An endpoint is one client URL. Which member it is, and which members there are, is worked out by `ClusterView`
  (domain/cluster_view.py); what it means is said by the rules (domain/health_rules).
- Times are aware UTC; durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from etcd_dr.domain.answer import NOT_ASKED, Answer
from etcd_dr.domain.certificate import Certificate
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Alarm, MemberList, MemberStatus
from etcd_dr.domain.member_metrics import MemberMetrics


@dataclass(frozen=True, slots=True)
class HttpHealth:
    """The body of /health. `reason` is etcd's word for what is wrong (`RAFT NO LEADER`), often empty."""

    is_healthy: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HttpChecks:
    """The verdict of /livez or /readyz, with the names of the checks that failed."""

    is_passed: bool
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """What a member says over HTTP on its client or metrics URL. An old etcd has no /livez: `http.404`."""

    certificate: Answer[Certificate] = NOT_ASKED
    clock: Answer[ClockReading] = NOT_ASKED
    metrics: Answer[MemberMetrics] = NOT_ASKED
    live: Answer[HttpChecks] = NOT_ASKED
    health: Answer[HttpHealth] = NOT_ASKED
    ready: Answer[HttpChecks] = NOT_ASKED


@dataclass(frozen=True, slots=True)
class EndpointObservation:
    """The answers behind one client URL. `is_configured` is false for a URL that only a member list gave us.

    `status_again` was asked after the reads: only when both agree do revision and applied index belong together,
    because etcd reads them one after the other.
    """

    endpoint: str
    is_configured: bool = True
    status: Answer[MemberStatus] = NOT_ASKED
    status_again: Answer[MemberStatus] = NOT_ASKED
    members: Answer[MemberList] = NOT_ASKED
    local_read: Answer[int] = NOT_ASKED
    quorum_read: Answer[int] = NOT_ASKED
    alarms: Answer[tuple[Alarm, ...]] = NOT_ASKED
    http: HttpProbe = HttpProbe()

    @property
    def latest_status(self) -> MemberStatus | None:
        return self.status_again.value or self.status.value

    @property
    def is_settled(self) -> bool:
        """Whether nothing was applied between the two status calls."""
        first, second = self.status.value, self.status_again.value
        if first is None or second is None:
            return False
        return (first.revision, first.raft_applied_index) == (second.revision, second.raft_applied_index)


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What a peer URL showed. `seen_at` may be of an earlier round: peer ports are visited rarely."""

    member_id: int
    url: str
    certificate: Answer[Certificate]
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """One round over all endpoints, in the configured order, then those that member lists gave."""

    taken_at: datetime
    endpoints: tuple[EndpointObservation, ...]
    seconds: float = 0.0
    peer_certificates: tuple[PeerCertificate, ...] = ()
    own_certificates: Answer[tuple[Certificate, ...]] = NOT_ASKED

    def for_history(self) -> Observation:
        """Return the part that later rounds compare with: without certificates."""
        return replace(self, peer_certificates=(), own_certificates=NOT_ASKED)
