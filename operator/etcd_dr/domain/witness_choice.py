"""Which live members are asked for HashKV, so that a snapshot can be compared with them.

HashKV holds up reads and writes of the member while it runs (etcd's mvcc, hashByRev holds the store's read lock and
the backend's), so the rules weigh proof against harm:

1. Only voters answer it; a learner does not (interceptor.go, isRPCSupportedForLearner).
2. Other followers come first, because a comparison with another replica says most; then the source itself, unless it
   leads.
3. The leader is asked only where nothing else can give what is needed.
4. Above the size limit one other follower is asked and nobody else; the source itself only where there is no other.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.member_choice import ObservedMember, Role


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who is asked, in order, until `wanted` of them gave a usable answer.

    `last_resort` is the leader, asked when the others gave nothing that counts. `needs_another` says that only an
    answer of a member other than the source makes the proof whole, because there are others.
    """

    in_order: tuple[ObservedMember, ...]
    last_resort: ObservedMember | None
    wanted: int
    needs_another: bool


def choose_witnesses(
    members: tuple[ObservedMember, ...],
    *,
    cluster_id: int,
    source_id: int | None,
    voter_count: int,
    is_large: bool,
    wanted: int,
) -> Witnesses:
    """Return who may be asked about a snapshot. `source_id` is the member that it came from, None: nobody knows."""
    voters = _distinct_voters(members, cluster_id)
    followers = [m for m in voters if m.role is Role.FOLLOWER]
    others = tuple(m for m in followers if m.id != source_id)
    itself = tuple(m for m in followers if m.id == source_id)
    learners = {m.id for m in members if m.role is Role.LEARNER}
    return Witnesses(
        in_order=(others or itself) if is_large else others + itself,
        last_resort=None if is_large else next((m for m in voters if m.role is Role.LEADER), None),
        wanted=1 if is_large else wanted,
        needs_another=voter_count > (0 if source_id is None or source_id in learners else 1),
    )


def _distinct_voters(members: tuple[ObservedMember, ...], cluster_id: int) -> tuple[ObservedMember, ...]:
    """Return each voter of the cluster once; a member may have several endpoints."""
    found: dict[int, ObservedMember] = {}
    for member in members:
        status = member.status
        if status is not None and not status.is_learner and status.cluster_id == cluster_id:
            found.setdefault(status.member_id, member)
    return tuple(found.values())
