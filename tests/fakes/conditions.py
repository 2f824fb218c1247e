"""Conditions and messages as tests write them down."""

from __future__ import annotations

from datetime import datetime

from etcd_dr.domain.health import Severity
from etcd_dr.domain.notifications.message import Condition, Item, Notification, Tidings
from fakes.clock import MORNING


def condition(
    code: str = "member.unreachable",
    severity: Severity = Severity.WARNING,
    *,
    member: str | None = "m2",
    summary: str = "does not answer",
) -> Condition:
    return Condition(code, severity, summary, "Look: etcd-dr health", member=member)


def message(
    *conditions: Condition, tidings: Tidings = Tidings.RAISED, at: datetime = MORNING, cluster: str = "prod"
) -> Notification:
    """Return a message about these, or about a member that does not answer."""
    told = conditions or (condition(),)
    return Notification(
        cluster, at, tuple(Item(tidings, each, since=at, runbook_url="https://example.com/page.md") for each in told)
    )
