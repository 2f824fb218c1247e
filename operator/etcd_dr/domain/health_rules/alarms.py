"""Rules on alarms. The alarm list needs quorum; without it a member's status and /health still name them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etcd_dr.domain.cluster import Alarm, id_text
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.commands import Commands
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing

# Status carries an alarm as the text of its message; protobuf varies the blank space (maintenance.go, Status).
_ALARM_TEXT = re.compile(r"memberID:\s*(\d+)\s+alarm:\s*(\w+)")


def raised_alarms(view: ClusterView) -> dict[Alarm, tuple[str, ...]]:
    """Return every alarm of the cluster with the endpoints that told of it, in a stable order."""
    told: dict[Alarm, list[str]] = {}
    for endpoint, status in view.statuses:
        by_text = [Alarm(int(m[1]), m[2]) for error in status.errors for m in _ALARM_TEXT.finditer(error)]
        for alarm in dict.fromkeys([*(endpoint.alarms.value or ()), *by_text]):
            told.setdefault(alarm, []).append(endpoint.endpoint)
    return {a: tuple(told[a]) for a in sorted(told, key=lambda a: (a.kind, a.member_id))}


def alarm_kinds(view: ClusterView) -> dict[int, tuple[str, ...]]:
    """Return the kinds of alarm raised for each member id."""
    kinds: dict[int, tuple[str, ...]] = {}
    for alarm in raised_alarms(view):
        kinds[alarm.member_id] = (*kinds.get(alarm.member_id, ()), alarm.kind)
    return kinds


def alarms(s: Situation) -> Iterator[Finding]:
    for alarm, endpoints in raised_alarms(s.view).items():
        code, summary, next_step = _meaning(alarm, endpoints[0], s.commands)
        is_listed = s.view.members is None or s.view.members.by_id(alarm.member_id) is not None
        yield Finding(
            code,
            Severity.CRITICAL,
            summary if is_listed else f"{summary} (raised by a member that is no longer listed)",
            next_step,
            member=s.view.label(alarm.member_id),
            evidence={
                "kind": alarm.kind,
                "member_id": id_text(alarm.member_id),
                "member_is_listed": is_listed,
                "told_by": listing(endpoints),
            },
        )


def _meaning(alarm: Alarm, endpoint: str, commands: Commands) -> tuple[str, str, str]:
    disarm = commands.etcdctl(endpoint, "alarm", "disarm")
    if alarm.kind == "NOSPACE":
        return (
            "alarm.nospace",
            "alarm NOSPACE: the database reached its quota, and the whole cluster refuses writes",
            (
                "Take a snapshot, compact, defragment one member after the other (the leader last), raise the quota if "
                f"it is too small, then disarm: etcd-dr snapshot save; {commands.etcdctl(endpoint, 'defrag')}; {disarm}"
            ),
        )
    if alarm.kind == "CORRUPT":
        return (
            "alarm.corrupt",
            "alarm CORRUPT: its data differs from the other members', and the cluster refuses requests",
            (
                "Do not disarm yet. Older versions raise it falsely (etcd#15919, etcd#18274): compare the hashes first, "
                "then replace the odd member: "
                + commands.etcdctl(endpoint, "endpoint", "hashkv", "--cluster", "-w", "table")
            ),
        )
    return (
        "alarm.other",
        f"alarm {alarm.kind}",
        f"This etcd-dr does not know this alarm; see etcd's release notes: {commands.etcdctl(endpoint, 'alarm', 'list')}",
    )


RULES = (Rule.of(alarms, "alarm.nospace", "alarm.corrupt", "alarm.other"),)
