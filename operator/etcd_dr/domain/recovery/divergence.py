"""Members whose data differs although they are equally far: who is odd, and when nobody can say.

- Hashes count where revision and compact revision are equal; without them, revisions at an equal applied index do,
  where both readings held still (etcd-io/etcd#13766).
- The majority is right. With two equal halves, or when the odd one leads, a person decides: then nobody is odd.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.recovery.gathering import MemberHash


@dataclass(frozen=True, slots=True)
class Divergence:
    """`odd` maps member ids to what differs; `alike` are those known to have the majority's hash."""

    odd: Mapping[int, str] = field(default_factory=dict)
    alike: frozenset[int] = frozenset()
    dispute: str = ""


def judge_divergence(view: ClusterView, hashes: tuple[MemberHash, ...]) -> Divergence:
    """Return who differs. No hashes and no telling revisions: nobody is known to."""
    by_hash = _by_hash(view, hashes)
    return by_hash if by_hash.odd or by_hash.dispute or by_hash.alike else _by_revision(view)


def _by_hash(view: ClusterView, hashes: tuple[MemberHash, ...]) -> Divergence:
    groups: dict[tuple[int, int], dict[int, Hashable]] = defaultdict(dict)
    for answer in hashes:
        place = (answer.hash_kv.revision, answer.hash_kv.compact_revision)
        groups[place][answer.member_id] = answer.hash_kv.hash
    if not groups:
        return Divergence()
    place, values = max(groups.items(), key=lambda item: (len(item[1]), item[0]))
    return _judge(view, values, f"hash at revision {place[0]}")


def _by_revision(view: ClusterView) -> Divergence:
    groups: dict[int, dict[int, Hashable]] = defaultdict(dict)
    for endpoint, status in view.statuses:
        if endpoint.is_settled:
            groups[status.raft_applied_index][status.member_id] = status.revision
    if not groups:
        return Divergence()
    index, values = max(groups.items(), key=lambda item: (len(item[1]), item[0]))
    found = _judge(view, values, f"revision at applied index {index}")
    return Divergence(found.odd, frozenset(), found.dispute)


def _judge(view: ClusterView, values: Mapping[int, Hashable], what: str) -> Divergence:
    if len(values) < 2:
        return Divergence()
    ((common, votes), *others) = Counter(values.values()).most_common()
    if not others:
        return Divergence(alike=frozenset(values))
    told = ", ".join(f"{view.label(member)}: {value}" for member, value in sorted(values.items()))
    if votes * 2 <= len(values):
        return Divergence(dispute=f"the members' data differs, and no majority says whose is right ({what}: {told})")
    odd = {m: f"its {what} is {v}, the majority's is {common}" for m, v in values.items() if v != common}
    leaders = {status.member_id for _, status in view.statuses if status.is_leader}
    if leaders & odd.keys():
        return Divergence(dispute=f"the leader's data differs from the majority's ({what}: {told})")
    return Divergence(odd, frozenset(m for m, v in values.items() if v == common))
