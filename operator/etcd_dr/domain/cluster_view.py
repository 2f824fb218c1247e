"""One cluster, worked out from what the endpoints said: who is who, which list counts, who does not belong.

- The cluster that counts is the expected one (the store's marker) if anybody answers for it, else the one most
  endpoints answer for; a tie goes to the one with a leader, then to the smaller id, and `is_certain` is false.
- The member list that counts is that of the member which applied most (then: of the newest term): lists change
  through the log, so who applied more knows the newer list.
- Two endpoints may lead to one member. The first one that answers speaks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from etcd_dr.domain.cluster import Member, MemberList, MemberStatus, id_text
from etcd_dr.domain.observation import EndpointObservation, Observation


@dataclass(frozen=True, slots=True)
class Seat:
    """One row of the member list that counts, with who answered for it and the endpoints that should have."""

    member: Member
    seen: EndpointObservation | None
    tried: tuple[EndpointObservation, ...]

    @property
    def status(self) -> MemberStatus | None:
        return self.seen.latest_status if self.seen else None

    @property
    def label(self) -> str:
        return self.member.label

    @property
    def has_started(self) -> bool:
        """Whether the member ever joined: it publishes its name when it does."""
        return bool(self.member.name)


@dataclass(frozen=True, slots=True)
class ClusterView:
    """See the module docstring. `answering` has one endpoint per member of this cluster, in the observed order."""

    cluster_id: int | None
    is_certain: bool
    cluster_ids: tuple[int, ...]
    members: MemberList | None
    members_from: str | None
    answering: tuple[EndpointObservation, ...]
    foreign: tuple[EndpointObservation, ...]
    silent: tuple[EndpointObservation, ...]
    duplicates: tuple[tuple[EndpointObservation, EndpointObservation], ...]
    seats: tuple[Seat, ...]

    @classmethod
    def of(cls, observation: Observation, *, expected_cluster_ids: Iterable[int] = ()) -> ClusterView:
        """Work the view out; `expected_cluster_ids` are those that the store's marker knows."""
        answered = [e for e in observation.endpoints if e.latest_status is not None]
        cluster_id, is_certain = _choose_cluster(answered, frozenset(expected_cluster_ids))
        ours = [e for e in answered if _status(e).cluster_id == cluster_id]
        answering, duplicates = _one_per_member(ours)
        source = _newest_list(answering)
        members = source.members.value if source else None
        silent = tuple(e for e in observation.endpoints if e.latest_status is None)
        return cls(
            cluster_id=cluster_id,
            is_certain=is_certain,
            cluster_ids=tuple(sorted({_status(e).cluster_id for e in answered})),
            members=members,
            members_from=source.endpoint if source else None,
            answering=tuple(answering),
            foreign=tuple(e for e in answered if _status(e).cluster_id != cluster_id),
            silent=silent,
            duplicates=tuple(duplicates),
            seats=tuple(_seat(member, answering, silent) for member in (members.members if members else ())),
        )

    def member_id(self, endpoint: EndpointObservation) -> int:
        """Return the id of the member behind an endpoint that answered."""
        return _status(endpoint).member_id

    def label(self, member_id: int) -> str:
        """Return the member's name, or its id where the list has none."""
        member = self.members.by_id(member_id) if self.members else None
        return member.label if member else id_text(member_id)

    def label_of(self, endpoint: EndpointObservation) -> str:
        """Return the name of the member behind an endpoint; the endpoint itself where nobody answers."""
        status = endpoint.latest_status
        return self.label(status.member_id) if status else endpoint.endpoint

    @property
    def statuses(self) -> tuple[tuple[EndpointObservation, MemberStatus], ...]:
        """The answering endpoints with their status."""
        return tuple((e, _status(e)) for e in self.answering)

    @property
    def silent_strangers(self) -> tuple[EndpointObservation, ...]:
        """Silent endpoints that no listed member advertises."""
        advertised = [url for seat in self.seats for url in seat.member.client_urls]
        return tuple(e for e in self.silent if not any(same_place(e.endpoint, url) for url in advertised))


def same_place(left: str, right: str) -> bool:
    """Tell whether two URLs name the same host and port; the scheme does not matter."""
    return _place(left) == _place(right)


def _place(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return (parts.hostname or "", port)


def _status(endpoint: EndpointObservation) -> MemberStatus:
    status = endpoint.latest_status
    if status is None:
        raise ValueError(f"{endpoint.endpoint} did not answer")
    return status


def _choose_cluster(answered: Sequence[EndpointObservation], expected: frozenset[int]) -> tuple[int | None, bool]:
    counts: dict[int, int] = {}
    led: set[int] = set()
    for endpoint in answered:
        status = _status(endpoint)
        counts[status.cluster_id] = counts.get(status.cluster_id, 0) + 1
        if status.leader_id:
            led.add(status.cluster_id)
    if not counts:
        return None, False
    candidates = [c for c in counts if c in expected] or list(counts)
    best = min(candidates, key=lambda c: (-counts[c], c not in led, c))
    rivals = [c for c in candidates if c != best and counts[c] == counts[best]]
    return best, not rivals


def _one_per_member(
    ours: Sequence[EndpointObservation],
) -> tuple[list[EndpointObservation], list[tuple[EndpointObservation, EndpointObservation]]]:
    first: dict[int, EndpointObservation] = {}
    duplicates = []
    for endpoint in ours:
        speaker = first.setdefault(_status(endpoint).member_id, endpoint)
        if speaker is not endpoint:
            duplicates.append((speaker, endpoint))
    return list(first.values()), duplicates


def _newest_list(answering: Sequence[EndpointObservation]) -> EndpointObservation | None:
    with_list = [e for e in answering if e.members.is_known]
    return max(with_list, key=lambda e: (_status(e).raft_applied_index, _status(e).raft_term), default=None)


def _seat(member: Member, answering: Sequence[EndpointObservation], silent: Sequence[EndpointObservation]) -> Seat:
    seen = next((e for e in answering if _status(e).member_id == member.id), None)
    tried = tuple(e for e in silent if any(same_place(e.endpoint, url) for url in member.client_urls))
    return Seat(member, seen, tried)
