"""A message to people about one cluster: what appeared, what is still so, what is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.health import Severity


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is not as it should be, as long as it is so.

    `code` is stable (docs/notifications.md); `about` tells conditions of one code and member apart. `summary` is
    lowercase without a full stop, `next_step` full sentences; neither ever holds a secret.
    """

    code: str
    severity: Severity
    summary: str
    next_step: str
    member: str | None = None
    about: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same condition at the next look."""
        return (self.code, self.member or "", self.about)


class Tidings(StrEnum):
    """What is new about a condition. `reminder`: it was told before, and is still so."""

    RAISED = "raised"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Item:
    """One condition in a message. `since` is when it was first seen."""

    tidings: Tidings
    condition: Condition
    since: datetime
    runbook_url: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """What one receiver is told at once about one cluster. `is_test`: somebody only wants to see that it arrives."""

    cluster: str
    at: datetime
    items: tuple[Item, ...]
    is_test: bool = False

    @property
    def is_firing(self) -> bool:
        """Whether it speaks of anything that is not over."""
        return any(item.tidings is not Tidings.RESOLVED for item in self.items)

    @property
    def severity(self) -> Severity:
        """The worst of what is not over; `ok` where all of it is."""
        held = (item.condition.severity for item in self.items if item.tidings is not Tidings.RESOLVED)
        return max(held, key=lambda severity: severity.rank, default=Severity.OK)

    @property
    def title(self) -> str:
        """The message in one line."""
        if self.is_test:
            return "etcd-dr: this is a test message, nothing is wrong"
        held = [item for item in self.items if item.tidings is not Tidings.RESOLVED]
        first = (held or list(self.items))[0].condition
        named = f"{first.member}: {first.summary}" if first.member else first.summary
        word = self.severity.upper() if held else "RESOLVED"
        more = f" (and {len(self.items) - 1} more)" if len(self.items) > 1 else ""
        return f"{word} {self.cluster}: {named}{more}"
