"""Rules on the leader: that there is one, that all know the same one, and that it does not change all the time."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing
from etcd_dr.domain.member_metrics import increase
from etcd_dr.domain.observation import EndpointObservation

_HOUR = 3600.0


def none(s: Situation) -> Iterator[Finding]:
    statuses = s.view.statuses
    if statuses and not any(status.leader_id for _, status in statuses):
        yield Finding(
            "leader.none",
            Severity.CRITICAL,
            "no member that answers knows a leader, so writes and linearizable reads fail",
            "If it lasts longer than a few seconds, see why peers do not reach one another "
            f"(network, peer certificates, clocks): {s.commands.see_the_process()}",
            evidence={"answering": listing(s.view.label_of(e) for e, _ in statuses)},
        )


def isolated(s: Situation) -> Iterator[Finding]:
    """A member that answers us and knows no leader while others know one is cut off from its peers."""
    statuses = s.view.statuses
    if not any(status.leader_id for _, status in statuses):
        return
    for endpoint, status in statuses:
        if not status.leader_id:
            yield Finding(
                "member.isolated",
                Severity.WARNING,
                "answers, but knows no leader while other members do",
                "See whether its peer port reaches the others (network, peer certificates); its own word: "
                + s.commands.etcdctl(endpoint.endpoint, "endpoint", "status", "-w", "table"),
                member=s.view.label_of(endpoint),
                evidence={"raft_term": status.raft_term, "errors": listing(status.errors)},
            )


def several(s: Situation) -> Iterator[Finding]:
    named = {status.leader_id: status.raft_term for _, status in s.view.statuses if status.leader_id}
    if len(named) < 2:
        return
    terms = {status.raft_term for _, status in s.view.statuses if status.leader_id}
    yield Finding(
        "leader.several",
        Severity.CRITICAL if len(terms) == 1 else Severity.WARNING,
        "members name different leaders",
        "An election passes in seconds; if this stays, the members are cut into parts: etcd-dr members",
        evidence={
            "leaders": listing(s.view.label(leader) for leader in sorted(named)),
            "terms": listing(sorted(terms)),
        },
    )


def changes(s: Situation) -> Iterator[Finding]:
    counted = [n for endpoint in s.view.answering if (n := _changes_seen(s, endpoint)) is not None]
    seen = max(counted, default=0)
    if seen >= s.thresholds.leader_changes_per_hour:
        yield Finding(
            "leader.changes",
            Severity.WARNING,
            f"the leader changed {seen:.0f} times within an hour",
            "Look for slow disks and lost heartbeats first: etcd-dr health -o json (disk.*, peer.*), "
            f"then the leader's log: {s.commands.see_the_process()}",
            evidence={"changes": seen, "window_seconds": _HOUR},
        )


def _changes_seen(s: Situation, endpoint: EndpointObservation) -> float | None:
    """Return what this member saw within the hour: by its own counter, else by how far the term moved."""
    earlier = s.oldest_within(endpoint, _HOUR)
    if earlier is None:
        return None
    before, after = earlier[1], endpoint
    if before.http.metrics.value and after.http.metrics.value:
        grown = increase(after.http.metrics.value.leader_changes, before.http.metrics.value.leader_changes)
        if grown is not None:
            return grown
    old, new = before.latest_status, after.latest_status
    return float(new.raft_term - old.raft_term) if old and new else None


RULES = (
    Rule.of(none, "leader.none"),
    Rule.of(several, "leader.several"),
    Rule.of(isolated, "member.isolated"),
    Rule.of(changes, "leader.changes"),
)
