"""Where messages to people go: a chat, an on-call service, a webhook of one's own.

Contract:
- `deliver` returns when the receiver has taken the message, and tries transient failures again itself, bounded; what it
  raises is final for this message.
- `check` raises ConfigError or FileUnreadable, so that a mistake is told when a process starts, not when it matters.
- `deliver` raises NotificationFailed (nobody answered, or the receiver is overloaded), NotificationRefused (it will not take it),
  ConfigError or FileUnreadable (its address, headers or authority cannot be read), Cancelled.
- Addresses and headers are secrets: they are in no error, no log line and no metric. `name` is what people read.
- Secrets in files are read again for each message.
"""

from __future__ import annotations

from typing import Protocol

from etcd_dr.domain.notifications.message import Notification


class Notifier(Protocol):
    """Safe from any thread."""

    @property
    def name(self) -> str:
        """The receiver's name in the configuration."""
        ...

    def check(self) -> None:
        """Read the files that the receiver is described by, and send nothing."""
        ...

    def deliver(self, notification: Notification) -> None:
        """Hand over one message."""
        ...
