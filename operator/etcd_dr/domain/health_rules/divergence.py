"""The rule on members whose data differs although they say that they are equally far.

- Equal applied index with different revisions is divergence (etcd#13766). etcd reads the two numbers one after the
  other, so only readings that held still count (`is_settled`), and only a second round makes it certain.
- Different HashKV at equal revision and compact revision is divergence at once. Hashes are not asked for here, since
  asking holds a member up; they come with the snapshots' proofs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from etcd_dr.domain.cluster import MemberStatus
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing
from etcd_dr.domain.observation import EndpointObservation
from etcd_dr.domain.proof import HashKvWitness


def by_revision(s: Situation) -> Iterator[Finding]:
    settled = [(e, status) for e, status in s.view.statuses if e.is_settled]
    pairs = [(a, b) for a, b in combinations(settled, 2) if _differ(a[1], b[1])]
    if not pairs:
        return
    is_certain = any(_differed_before(s, a[1].member_id, b[1].member_id) for a, b in pairs)
    involved = {s.view.label_of(e): status for pair in pairs for e, status in pair}
    yield Finding(
        "members.diverged",
        Severity.CRITICAL if is_certain else Severity.WARNING,
        "members that applied the same entries are at different revisions"
        + ("" if is_certain else " (seen once; the next round confirms it)"),
        _what_to_do(s, pairs[0][0][0]),
        evidence={label: f"revision {st.revision} at index {st.raft_applied_index}" for label, st in involved.items()},
        about="revision",
    )


def by_hash(s: Situation) -> Iterator[Finding]:
    witnesses = s.snapshots.witnesses if s.snapshots else ()
    for place in sorted({(w.revision, w.compact_revision) for w in witnesses}):
        group = [w for w in witnesses if (w.revision, w.compact_revision) == place]
        if len({w.live_hash for w in group}) < 2:
            continue
        odd = _odd_ones(group)
        yield Finding(
            "members.diverged",
            Severity.CRITICAL,
            f"the data of {listing(odd)} differs from the majority's"
            if odd
            else f"the data of {listing([w.member for w in group])} differs, and no majority shows whose is right",
            _what_to_do(s, s.view.answering[0] if s.view.answering else None),
            evidence={w.member: f"hash {w.live_hash} at revision {place[0]}" for w in group}
            | {"revision": place[0], "compact_revision": place[1], "snapshot_id": _snapshot_id(s)},
            about="hash",
        )


def _differ(left: MemberStatus, right: MemberStatus) -> bool:
    return left.raft_applied_index == right.raft_applied_index and left.revision != right.revision


def _differed_before(s: Situation, left: int, right: int) -> bool:
    """Tell whether the same two differed in the same way in the latest earlier round that shows both."""
    if not s.history:
        return False
    found: dict[int, EndpointObservation] = {}
    for endpoint in s.history[-1].endpoints:
        status = endpoint.latest_status
        if status is not None and status.member_id in (left, right) and endpoint.is_settled:
            found.setdefault(status.member_id, endpoint)
    statuses = [e.latest_status for e in found.values() if e.latest_status]
    return len(statuses) == 2 and _differ(statuses[0], statuses[1])


def _odd_ones(group: Sequence[HashKvWitness]) -> list[str]:
    counts = Counter(w.live_hash for w in group)
    (common, votes), *_ = counts.most_common()
    return [w.member for w in group if w.live_hash != common] if votes * 2 > len(group) else []


def _snapshot_id(s: Situation) -> str | None:
    return s.snapshots.newest_id if s.snapshots else None


def _what_to_do(s: Situation, endpoint: EndpointObservation | None) -> str:
    compare = s.commands.etcdctl(
        endpoint.endpoint if endpoint else "URL", "endpoint", "hashkv", "--cluster", "-w", "table"
    )
    return (
        "Compare the hashes at rest, keep a snapshot of each side, and replace the member that differs from the "
        f"majority; with two equal halves, or when the leader is the odd one, ask for help first: {compare}"
    )


RULES = (Rule.of(by_revision, "members.diverged"), Rule.of(by_hash, "members.diverged"))
