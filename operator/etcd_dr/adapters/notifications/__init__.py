"""Messages over HTTP: `webhook` sends, `slack` and `generic` put a message into words; they change for one reason,
which is what receivers accept."""

from etcd_dr.adapters.notifications.webhook import Webhook, WebhookSettings

__all__ = ["Webhook", "WebhookSettings"]
