"""Ask every member who it is and how far it has come, so that a source and witnesses can be chosen.

- Members are asked in parallel, each with its own deadline; one that fails is a value, never an error.
- A voter is first asked for a linearizable read: that makes it catch up with the quorum, and any such answer is a
  revision that the quorum had when the question was asked.
- Members that the list names and nobody configured are asked too: they can witness a proof.
- Connections stay open until the context is left, and are closed there.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

from etcd_dr.domain.cluster import MemberList
from etcd_dr.domain.member_choice import ObservedMember
from etcd_dr.errors import AccessDenied, EtcdError, MemberUnreachable, TlsRefused
from etcd_dr.ports.etcd import EtcdConnector, EtcdMember
from etcd_dr.workflows.read_with_quorum import read_with_quorum

_PARALLEL_MEMBERS = 9
_CATCH_UP_TRIES = 3


@dataclass(frozen=True, slots=True)
class LiveCluster:
    """The members as they were seen, and the open connections to them.

    `quorum_revision` is None where no member could answer for a quorum.
    """

    members: tuple[ObservedMember, ...]
    member_list: MemberList | None
    quorum_revision: int | None
    connections: dict[str, EtcdMember]

    @property
    def voter_count(self) -> int:
        """How many voters there are, as far as anybody said."""
        answered = sum(m.status is not None and not m.status.is_learner for m in self.members)
        return max(answered, len(self.member_list.voters) if self.member_list else 0)

    @property
    def cluster_ids(self) -> frozenset[int]:
        """The cluster ids of all configured members that answered; more than one is trouble."""
        return frozenset(m.status.cluster_id for m in self.members if m.status and m.is_configured)

    def hang_up(self) -> None:
        """End every connection and every call on it: what wakes whoever waits for a member when work is stopped."""
        for connection in self.connections.values():
            connection.close()


@dataclass(frozen=True, slots=True)
class _Answer:
    observed: ObservedMember
    member_list: MemberList | None = None
    quorum_revision: int | None = None


@contextmanager
def observe_members(
    connector: EtcdConnector, *, deadline: float, named_endpoint: str | None = None
) -> Iterator[LiveCluster]:
    """Open a connection to every member and yield what they said. `deadline` is seconds for each single question.

    Raises ConfigError when the certificate files cannot be used.
    """
    with ExitStack() as connected:
        yield _Round(connector, connected, deadline).observe(named_endpoint)


class _Round:
    """One round of questions; `connected` closes every connection that it opens."""

    def __init__(self, connector: EtcdConnector, connected: ExitStack, deadline: float) -> None:
        self._connector = connector
        self._connected = connected
        self._deadline = deadline
        self._connections: dict[str, EtcdMember] = {}

    def observe(self, named_endpoint: str | None) -> LiveCluster:
        named = (named_endpoint,) if named_endpoint else ()
        answers = self._ask_all([*named, *self._connector.endpoints], is_configured=True)
        member_list = _best_list(answers)
        answers += self._ask_all(_undiscovered(member_list, answers), is_configured=False)
        quorum_revision = min((a.quorum_revision for a in answers if a.quorum_revision is not None), default=None)
        members = tuple(self._caught_up(_named(a.observed, member_list), quorum_revision) for a in answers)
        return LiveCluster(members, member_list, quorum_revision, self._connections)

    def _ask_all(self, endpoints: list[str], *, is_configured: bool) -> list[_Answer]:
        with ThreadPoolExecutor(_PARALLEL_MEMBERS, thread_name_prefix="observe") as pool:
            answers = list(pool.map(self._ask, dict.fromkeys(endpoints)))
        return [replace(a, observed=replace(a.observed, is_configured=is_configured)) for a in answers]

    def _ask(self, endpoint: str) -> _Answer:
        try:
            connection = self._connect(endpoint)
            read = _quorum_read(connection, self._deadline)
            status = connection.status(deadline=self._deadline)
            listed = None if status.is_learner else connection.member_list(linearizable=False, deadline=self._deadline)
        except EtcdError as error:
            return _Answer(_failed(endpoint, error))
        observed = ObservedMember(endpoint, status, revision=max(status.revision, read or 0))
        return _Answer(observed, listed, read)

    def _connect(self, endpoint: str) -> EtcdMember:
        connection = self._connected.enter_context(closing(self._connector.connect(endpoint)))
        self._connections[endpoint] = connection
        return connection

    def _caught_up(self, observed: ObservedMember, quorum_revision: int | None) -> ObservedMember:
        """Ask a member that is behind the quorum's answer again: between the two questions it had no time."""
        for _ in range(_CATCH_UP_TRIES):
            if observed.status is None or quorum_revision is None or observed.revision >= quorum_revision:
                break
            try:
                status = self._connections[observed.endpoint].status(deadline=self._deadline)
            except EtcdError as error:
                return replace(_failed(observed.endpoint, error), is_configured=observed.is_configured)
            observed = replace(observed, status=status, revision=max(observed.revision, status.revision))
        return observed


def _quorum_read(connection: EtcdMember, deadline: float) -> int | None:
    """Return the revision of a linearizable read, or None from a member that cannot serve one now.

    A denied read proves that there is a quorum (domain/quorum.py), and is raised all the same: whoever may not read a
    key may not take a snapshot or ask for HashKV, which need the role root (etcd: api/v3rpc/maintenance.go,
    isPermitted), so that refusal is the answer.
    """
    try:
        return read_with_quorum(connection, deadline=deadline)
    except (MemberUnreachable, TlsRefused, AccessDenied):
        raise
    except EtcdError:  # no quorum, no leader, a learner: status tells more
        return None


def _failed(endpoint: str, error: EtcdError) -> ObservedMember:
    return ObservedMember(endpoint, failure=error.message, failure_code=error.code, failure_next_step=error.next_step)


def _best_list(answers: list[_Answer]) -> MemberList | None:
    """Return the list of a member that sees a leader where there is one: it is the newest."""
    listed = [a for a in answers if a.member_list is not None]
    seeing = [a for a in listed if a.observed.status is not None and a.observed.status.leader_id]
    return next((a.member_list for a in [*seeing, *listed]), None)


def _undiscovered(member_list: MemberList | None, answers: list[_Answer]) -> list[str]:
    """Return the first client URL of each listed member that no answer came from."""
    answered = {a.observed.status.member_id for a in answers if a.observed.status}
    asked = {a.observed.endpoint for a in answers}
    members = member_list.members if member_list else ()
    urls = (m.client_urls[0] for m in members if m.id not in answered and m.client_urls)
    return [url for url in dict.fromkeys(urls) if url not in asked]


def _named(observed: ObservedMember, member_list: MemberList | None) -> ObservedMember:
    if observed.status is None or member_list is None:
        return observed
    return replace(observed, member=member_list.by_id(observed.status.member_id))
