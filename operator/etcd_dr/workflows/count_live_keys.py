"""Count a cluster's live keys once, through the member that it costs least.

A count walks the index of the member that is asked, and writes wait on that member meanwhile: so followers are asked
before the leader, and a member that does not answer is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.key_count import KeyReading
from etcd_dr.domain.member_health import MemberHealth, MemberRole
from etcd_dr.errors import AccessDenied, EtcdError
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.etcd import EtcdConnector

_MOST_ASKED = 3
_ORDER = (MemberRole.FOLLOWER, MemberRole.VOTER, MemberRole.LEADER)


class KeyCounter:
    """Counts one cluster's keys. `deadline` is seconds for each call; keys under `ignored` are not in `counted`."""

    def __init__(
        self, connector: EtcdConnector, *, clock: Clock, ignored: Sequence[str] = (), deadline: float = 10.0
    ) -> None:
        self._connector = connector
        self._clock = clock
        self._ignored = tuple(prefix.encode() for prefix in ignored)
        self._deadline = deadline

    def count(self, report: HealthReport | None = None) -> KeyReading:
        """Return a reading; `report` says who follows and who answers.

        Raises AccessDenied where the role may not read all keys, else the last member's EtcdError.
        """
        order = counting_order(self._connector.endpoints, report)[:_MOST_ASKED]
        for endpoint in order[:-1]:
            try:
                return self._count_at(endpoint)
            except AccessDenied:
                raise
            except EtcdError:
                continue
        return self._count_at(order[-1])

    def _count_at(self, endpoint: str) -> KeyReading:
        begun, at = self._clock.monotonic(), self._clock.now()
        with closing(self._connector.connect(endpoint)) as member:
            whole = member.count_keys(deadline=self._deadline)
            ignored = sum(member.count_keys(prefix=p, deadline=self._deadline).keys for p in self._ignored)
        return KeyReading(
            at=at,
            keys=whole.keys,
            counted=max(whole.keys - ignored, 0),
            revision=whole.revision,
            raft_term=whole.raft_term,
            cluster_id=whole.cluster_id,
            endpoint=endpoint,
            seconds=self._clock.monotonic() - begun,
        )


def counting_order(endpoints: Sequence[str], report: HealthReport | None) -> tuple[str, ...]:
    """Return the endpoints in the order in which they are asked: followers that answer, the leader, then the rest."""
    rows = {row.endpoint: row for row in report.members if row.endpoint} if report is not None else {}
    return tuple(sorted(endpoints, key=lambda endpoint: _rank(rows.get(endpoint))))


def _rank(row: MemberHealth | None) -> int:
    if row is None:
        return len(_ORDER)
    return _ORDER.index(row.role) if row.answers and row.role in _ORDER else len(_ORDER) + 1
