"""What one receiver was told of one cluster, and what it has to be told now.

- A condition is told once when it has held for `settle`, again after each `repeat`, and once more when it has been gone
  for `settle`. What comes and goes faster is never told.
- A condition that gets worse is told at once as a new one; one that gets milder is not.
- Everything that has to be said at one moment is one message.
- What was never told is never resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from etcd_dr.domain.health import Severity
from etcd_dr.domain.notifications.message import Condition, Tidings

Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a receiver wants to hear. `clusters` empty: of all. `repeat` None: nothing twice."""

    min_severity: Severity = Severity.WARNING
    clusters: frozenset[str] = frozenset()
    send_resolved: bool = True
    settle: timedelta = timedelta(minutes=1)
    repeat: timedelta | None = timedelta(hours=4)

    def wants(self, cluster: str, condition: Condition) -> bool:
        """Return whether to tell it. That nobody can tell how things are is told to everybody."""
        loud = condition.severity.rank >= self.min_severity.rank or condition.severity is Severity.UNKNOWN
        return loud and (not self.clusters or cluster in self.clusters)


@dataclass(frozen=True, slots=True)
class Entry:
    """One condition. `told_at` None: not yet told; `gone_since` None: it holds."""

    condition: Condition
    since: datetime
    told_at: datetime | None = None
    told_severity: Severity = Severity.OK
    gone_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known to the receiver; a new one knows nothing."""

    entries: Mapping[Identity, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ledger after the message, what the message says, and when to look again even if nothing changes."""

    ledger: Ledger
    said: tuple[tuple[Tidings, Entry], ...]
    look_again_at: datetime | None


def decide(ledger: Ledger, conditions: Iterable[Condition], *, now: datetime, wishes: Wishes) -> Verdict:
    """Return what has to be told now. `conditions` are those that the receiver wants to hear of."""
    held = {condition.identity: condition for condition in conditions}
    entries: dict[Identity, Entry] = {}
    said: list[tuple[Tidings, Entry]] = []
    moments: list[datetime] = []
    for identity in dict.fromkeys([*held, *ledger.entries]):
        before = ledger.entries.get(identity)
        condition = held.get(identity)
        if condition is not None:
            entry, tidings, again_at = _holds(before, condition, now=now, wishes=wishes)
        elif before is not None:
            entry, tidings, again_at = _is_gone(before, now=now, wishes=wishes)
        else:  # pragma: no cover - an identity comes from one of the two
            continue
        if tidings is not None and entry is not None:
            said.append((tidings, entry))
        if entry is not None and tidings is not Tidings.RESOLVED:
            entries[identity] = entry
        if again_at is not None:
            moments.append(again_at)
    return Verdict(Ledger(entries), _in_order(said, wishes), min(moments, default=None))


_Step = tuple[Entry | None, Tidings | None, datetime | None]


def _holds(before: Entry | None, condition: Condition, *, now: datetime, wishes: Wishes) -> _Step:
    entry = replace(before or Entry(condition, since=now), condition=condition, gone_since=None)
    if entry.told_at is None:
        told_from = entry.since + wishes.settle
        if now < told_from:
            return entry, None, told_from
        return _told(entry, now, Tidings.RAISED, wishes)
    if condition.severity.rank > entry.told_severity.rank:
        return _told(entry, now, Tidings.RAISED, wishes)
    if wishes.repeat is None:
        return entry, None, None
    again_at = entry.told_at + wishes.repeat
    return (entry, None, again_at) if now < again_at else _told(entry, now, Tidings.REMINDER, wishes)


def _told(entry: Entry, now: datetime, tidings: Tidings, wishes: Wishes) -> _Step:
    told = replace(entry, told_at=now, told_severity=entry.condition.severity)
    return told, tidings, now + wishes.repeat if wishes.repeat is not None else None


def _is_gone(before: Entry, *, now: datetime, wishes: Wishes) -> _Step:
    if before.told_at is None:
        return None, None, None
    gone_since = before.gone_since or now
    over_from = gone_since + wishes.settle
    if now < over_from:
        return replace(before, gone_since=gone_since), None, over_from
    return before, Tidings.RESOLVED, None


def _in_order(said: list[tuple[Tidings, Entry]], wishes: Wishes) -> tuple[tuple[Tidings, Entry], ...]:
    """Return news before reminders before what is over, each worst first."""
    told = [pair for pair in said if wishes.send_resolved or pair[0] is not Tidings.RESOLVED]
    order = list(Tidings)
    return tuple(sorted(told, key=lambda pair: (order.index(pair[0]), -pair[1].condition.severity.rank)))
