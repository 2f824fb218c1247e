"""The receivers of messages that the configuration describes."""

from __future__ import annotations

from etcd_dr.adapters.notifications import Webhook, WebhookSettings
from etcd_dr.adapters.pause import CancellablePause
from etcd_dr.config.notification_model import NotificationSection
from etcd_dr.domain.health import Severity
from etcd_dr.domain.notifications.ledger import Wishes
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.notifier import Notifier


def open_notifier(section: NotificationSection, cancellation: Cancellation) -> Notifier:
    """Return the receiver; nothing is read and no call is made yet."""
    settings = WebhookSettings(
        name=section.name,
        format=section.format,
        url=section.url,
        url_file=section.url_file,
        headers_file=section.headers_file,
        ca_file=section.ca_file,
        timeout_seconds=section.timeout.total_seconds(),
        attempts=section.attempts,
    )
    return Webhook(settings, pause=CancellablePause(cancellation))


def wishes_of(section: NotificationSection) -> Wishes:
    """Return what the receiver wants to hear."""
    return Wishes(
        min_severity=Severity(section.min_severity),
        clusters=frozenset(section.clusters),
        send_resolved=section.send_resolved,
        settle=section.settle,
        repeat=section.repeat or None,
    )
