"""A receiver that keeps what it is told; `faults` are raised first, one for each message; `mistake` is what
`check` finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from etcd_dr.domain.notifications.message import Notification
from etcd_dr.errors import EtcdDrError


@dataclass(eq=False)
class FakeNotifier:
    """Implements ports.notifier.Notifier."""

    name: str = "oncall"
    delivered: list[Notification] = field(default_factory=list)
    faults: list[EtcdDrError] = field(default_factory=list)
    mistake: EtcdDrError | None = None

    def check(self) -> None:
        if self.mistake is not None:
            raise self.mistake

    def deliver(self, notification: Notification) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.delivered.append(notification)

    @property
    def titles(self) -> list[str]:
        return [notification.title for notification in self.delivered]
