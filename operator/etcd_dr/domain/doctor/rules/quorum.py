"""Rules on quorum, leaders, and how far the members have come."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import fault_tolerance, id_text, quorum_size
from etcd_dr.domain.doctor.observation import TalosObservation, label_of
from etcd_dr.domain.doctor.rules.rule import DoctorRule, talosctl
from etcd_dr.domain.health import Finding, Severity

_LAG = 5000
_RESTORE = (
    "Bring back silent nodes with their disks first; nothing is lost while they are whole. Only if too many are gone "
    "for good: etcd-dr recover plan"
)
_LOOK_AGAIN = (
    "Enough voters run: this is an election, a slow disk or a broken network between them, and nothing to restore. "
    "Look again in a moment with a longer --timeout; if it stays, see their logs for 'lost leader' and 'took too long'"
)


def lost(seen: TalosObservation) -> Iterator[Finding]:
    voters = [m for m in seen.membership if not m.is_learner]
    if seen.has_quorum is not False or not any(n.service("etcd") or n.members.is_known for n in seen.nodes):
        return
    silent = [m for m in voters if (node := seen.node_of(m)) is None or not node.status.is_known]
    told = f": {len(voters) - len(silent)} of {len(voters)} voters answer" if voters else ""
    have_enough = bool(voters) and len(voters) - len(silent) >= quorum_size(len(voters))
    reasons = {str(n.quorum_members.failure) for n in seen.control_planes if n.quorum_members.failure is not None}
    yield Finding(
        "etcd.quorum_lost",
        Severity.CRITICAL,
        f"no member list comes through quorum{told}",
        _LOOK_AGAIN if have_enough else _RESTORE,
        evidence={
            "voters": len(voters) or None,
            "needed": quorum_size(len(voters)) if voters else None,
            "silent": ", ".join(map(label_of, silent)) or None,
            "reasons": "; ".join(sorted(reasons)) or None,
        },
    )


def tolerance(seen: TalosObservation) -> Iterator[Finding]:
    voters = [m for m in seen.membership if not m.is_learner]
    if not seen.has_quorum or not voters:
        return
    nodes = {m.id: seen.node_of(m) for m in voters}
    silent = [m for m in voters if (n := nodes[m.id]) is not None and n.status.failure_code not in ("", "etcd.denied")]
    left = fault_tolerance(voters=len(voters), healthy=len(voters) - len(silent))
    if silent and left <= 0:
        yield Finding(
            "etcd.no_tolerance",
            Severity.WARNING,
            f"quorum is held, but not one more of {len(voters)} voters may fail",
            "Take a snapshot now, then bring the others back: etcd-dr snapshot save",
            evidence={"silent": ", ".join(map(label_of, silent))},
        )


def several_leaders(seen: TalosObservation) -> Iterator[Finding]:
    told = {
        n.status.value.leader_id for n in seen.nodes if n.status.value and n.status.value.leader_id and n.members.value
    }
    if len(told) > 1:
        yield Finding(
            "etcd.several_leaders",
            Severity.CRITICAL,
            f"members name {len(told)} different leaders",
            "Look again in a moment: during an election they differ. If it stays, there are two clusters: change "
            "nothing, and compare: talosctl etcd members on each node",
            evidence={"leaders": ", ".join(sorted(map(id_text, told)))},
        )


def no_leader(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        if node.status.value is not None and not node.status.value.leader_id and node.status.value.version:
            yield Finding(
                "etcd.no_leader",
                Severity.WARNING,
                "etcd knows no leader",
                f"See what it says: {talosctl(node.host, 'logs', 'etcd', '--tail', '50')}",
                member=node.address,
            )


def errors(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        status = node.status.value
        if status is None:
            continue
        lag = status.raft_index - status.raft_applied_index
        if lag > _LAG:
            yield Finding(
                "etcd.behind",
                Severity.WARNING,
                f"etcd has {lag} raft entries still to apply",
                f"Its disk may be slow: {talosctl(node.host, 'logs', 'etcd', '--tail', '50')}",
                member=node.address,
                evidence={"raft_index": status.raft_index, "raft_applied_index": status.raft_applied_index},
            )


RULES = (
    DoctorRule(lost, ("etcd.quorum_lost",)),
    DoctorRule(tolerance, ("etcd.no_tolerance",)),
    DoctorRule(several_leaders, ("etcd.several_leaders",)),
    DoctorRule(no_leader, ("etcd.no_leader",)),
    DoctorRule(errors, ("etcd.behind",)),
)
