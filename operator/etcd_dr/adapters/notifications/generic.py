"""The generic form: one JSON object, described in docs/notifications.md. Keys are stable; a key may be added."""

from __future__ import annotations

from typing import Any

from etcd_dr.domain.notifications.message import Item, Notification


def body(notification: Notification) -> dict[str, Any]:
    """Return the message as a receiver of one's own reads it."""
    return {
        "version": 1,
        "source": "etcd-dr",
        "cluster": notification.cluster,
        "at": notification.at.isoformat(),
        "status": "test" if notification.is_test else "firing" if notification.is_firing else "resolved",
        "severity": notification.severity.value,
        "title": notification.title,
        "conditions": [_condition(item) for item in notification.items],
    }


def _condition(item: Item) -> dict[str, Any]:
    condition = item.condition
    return {
        "status": item.tidings.value,
        "code": condition.code,
        "severity": condition.severity.value,
        "member": condition.member,
        "about": condition.about,
        "summary": condition.summary,
        "next_step": condition.next_step,
        "runbook_url": item.runbook_url,
        "since": item.since.isoformat(),
    }
