"""Rules on progress: members that fall behind, and proposals that fail."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation
from etcd_dr.domain.member_metrics import increase


def applied_lag(s: Situation) -> Iterator[Finding]:
    for endpoint, status in s.view.statuses:
        lag = status.raft_index - status.raft_applied_index
        if lag >= s.thresholds.applied_lag_warning:
            yield Finding(
                "member.applied_lag",
                Severity.CRITICAL if lag >= s.thresholds.applied_lag_critical else Severity.WARNING,
                f"has {lag} committed entries that it did not apply; at 5000 it refuses requests",
                f"It is busy with something long or its disk is slow: {s.commands.see_the_process(endpoint.endpoint)}",
                member=s.view.label_of(endpoint),
                evidence={"raft_index": status.raft_index, "raft_applied_index": status.raft_applied_index},
            )


def revision_lag(s: Situation) -> Iterator[Finding]:
    newest = max((status.revision for _, status in s.view.statuses), default=0)
    for endpoint, status in s.view.statuses:
        lag = newest - status.revision
        if lag >= s.thresholds.revision_lag:
            yield Finding(
                "member.revision_lag",
                Severity.WARNING,
                f"is {lag} revisions behind the newest member",
                f"See whether it is receiving a snapshot or is cut off, and let it catch up first: {s.commands.see_the_process(endpoint.endpoint)}",
                member=s.view.label_of(endpoint),
                evidence={"revision": status.revision, "newest_revision": newest},
            )


def proposals_failing(s: Situation) -> Iterator[Finding]:
    window = s.thresholds.failed_proposals_window_seconds
    for endpoint in s.view.answering:
        earlier = s.oldest_within(endpoint, window)
        metrics, before = endpoint.http.metrics.value, earlier[1].http.metrics.value if earlier else None
        if metrics is None or before is None:
            continue
        failed = increase(metrics.proposals_failed, before.proposals_failed) or 0.0
        if failed >= s.thresholds.failed_proposals:
            yield Finding(
                "proposals.failing",
                Severity.WARNING,
                f"{failed:.0f} writes failed to be agreed on within {window / 60:.0f} minutes",
                f"Look for elections and lost quorum in that time: {s.commands.see_the_process(endpoint.endpoint)}",
                member=s.view.label_of(endpoint),
                evidence={"failed": failed, "pending": metrics.proposals_pending, "window_seconds": window},
            )


RULES = (
    Rule.of(applied_lag, "member.applied_lag"),
    Rule.of(revision_lag, "member.revision_lag"),
    Rule.of(proposals_failing, "proposals.failing"),
)
