"""Who takes part in a new cluster: one voter for each node that can be reached and says how it starts etcd.

- Names and URLs are those that the node starts etcd with, because they must match the data that is built for it.
- A learner becomes a voter: `etcdutl snapshot restore` makes no learners, and most of them stand for a lost voter.
- A member on a node that cannot be reached is left out, with the reason; it joins the new cluster later, empty.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment


@dataclass(frozen=True, slots=True)
class Seat:
    """One member of the new cluster."""

    name: str
    node: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    endpoint: str
    writers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seating:
    """`left_out` are sentences, one for each member that the new cluster will not have. `obstacle`: it cannot be."""

    seats: tuple[Seat, ...]
    left_out: tuple[str, ...] = ()
    obstacle: str = ""

    @property
    def initial_cluster(self) -> dict[str, tuple[str, ...]]:
        return {seat.name: seat.peer_urls for seat in self.seats}

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(seat.endpoint for seat in self.seats)


def seat_members(assessment: Assessment) -> Seating:
    """Return who takes part, in the order of the assessment."""
    seats, left_out = [], []
    for member in assessment.members:
        reason = _why_not(member)
        if reason:
            left_out.append(f"{member.name}: {reason}")
        else:
            seats.append(_seat(member))
    return Seating(tuple(seats), tuple(left_out), _obstacle(seats, left_out))


def _why_not(member: MemberAssessment) -> str:
    if not member.node:
        return "no configured node is known to run it"
    sight = member.sight.value
    if sight is None:
        failure = member.sight.failure
        return f"its node {member.node} could not be looked at" + (f" ({failure.message})" if failure else "")
    if sight.launch is None:
        return f"nothing on {member.node} says how etcd is started"
    if not (sight.launch.member_name and sight.launch.peer_urls):
        return f"{member.node} starts etcd without a name or a peer URL of its own"
    return ""


def _seat(member: MemberAssessment) -> Seat:
    sight = member.sight.value
    if sight is None or sight.launch is None:
        raise AssertionError("only members whose launch was seen are seated")
    launch = sight.launch
    urls = launch.client_urls or member.client_urls
    return Seat(
        name=launch.member_name,
        node=member.node,
        peer_urls=launch.peer_urls,
        client_urls=urls,
        endpoint=member.endpoint or next(iter(urls), ""),
        writers=tuple(writer.name for writer in sight.writers),
    )


def _obstacle(seats: list[Seat], left_out: list[str]) -> str:
    if not seats:
        return "; ".join(left_out) or "no node is configured"
    names = Counter(seat.name for seat in seats)
    urls = Counter(url for seat in seats for url in seat.peer_urls)
    twins = [text for text, count in (*names.items(), *urls.items()) if count > 1]
    if twins:
        return f"two nodes start etcd with the same name or peer URL: {', '.join(twins)}"
    without = [seat.name for seat in seats if not seat.endpoint]
    return f"no client URL is known for {', '.join(without)}" if without else ""
