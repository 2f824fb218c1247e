"""The form that Slack's incoming webhooks take, and Mattermost, Rocket.Chat and others with them: one text.

- `&`, `<` and `>` are written as entities, as Slack asks; so no name of a member or a bucket becomes a link or a
  mention.
- Slack cuts a text at 40,000 characters; a message here says at most ten conditions and counts the rest.
"""

from __future__ import annotations

from typing import Any

from etcd_dr.domain.health import Severity
from etcd_dr.domain.notifications.message import Item, Notification, Tidings

_MOST_ITEMS = 10
_MOST_CHARACTERS = 600
_SIGNS = {Severity.CRITICAL: ":red_circle:", Severity.UNKNOWN: ":red_circle:", Severity.WARNING: ":warning:"}
_OVER = ":white_check_mark:"


def body(notification: Notification) -> dict[str, Any]:
    """Return the message as a chat shows it."""
    lines = [f"*{_plain(notification.title)}*"]
    for item in notification.items[:_MOST_ITEMS]:
        lines += _lines(item)
    if len(notification.items) > _MOST_ITEMS:
        lines.append(f"… and {len(notification.items) - _MOST_ITEMS} more: `etcd-dr health`")
    return {"text": "\n".join(lines)}


def _lines(item: Item) -> list[str]:
    condition = item.condition
    place = f"{condition.member}: " if condition.member else ""
    told = _plain(f"{place}{condition.summary}")
    if item.tidings is Tidings.RESOLVED:
        return [f"{_OVER} {condition.code}: over ({told})"]
    still = " (still)" if item.tidings is Tidings.REMINDER else ""
    runbook = f" <{item.runbook_url}|runbook>" if item.runbook_url else ""
    return [
        f"{_SIGNS.get(condition.severity, ':information_source:')} {condition.code}{still}: {told}",
        f"      {_plain(condition.next_step)}{runbook}",
    ]


def _plain(text: str) -> str:
    whole = " ".join(text.split())
    cut = whole if len(whole) <= _MOST_CHARACTERS else f"{whole[:_MOST_CHARACTERS]}…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
