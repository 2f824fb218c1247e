"""Who leads a cluster: the rules of one lease, and of sharing many leases among replicas. Pure; no clock, no I/O.

Rules:
- No machine's clock is compared with another's. A record says nothing about *when*; its holder is taken for gone when
  this process has watched the same beat for the whole duration of the lease on its own steady clock. So a replica that
  has just started waits one duration before it takes anything over.
- A holder counts from when it *began* its last successful write, and stops leading `renew_deadline_seconds` later,
  whether or not it heard anything. Everybody else counts from when the write could be seen, which is later, and for
  longer. The difference of the two durations is what clocks may drift and requests may linger.
- Each term has a higher `transitions` than the one before: the fencing number.
- The words are those of coordination.k8s.io/v1; the timing rules are client-go's (tools/leaderelection), except that a
  term which lapsed is never picked up again: the same process begins a new one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

_LONGEST_NAME = 253  # of an object in Kubernetes

Beat = tuple[str, int, datetime | None]


@dataclass(frozen=True, slots=True)
class LeaseTimings:
    """Seconds. `request_seconds` bounds one call; `renew_deadline + request` stays below `lease`."""

    lease_seconds: float = 30.0
    renew_deadline_seconds: float = 20.0
    retry_seconds: float = 5.0
    request_seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A lease as it is stored. `holder` empty: free. `version` is the API's, empty for one that is not stored yet.

    `wanted_by` is a replica with fewer leases that asks its holder to let go. The two moments are the holder's wall
    clock, for people to read; here they only tell one beat from the next.
    """

    name: str
    holder: str = ""
    transitions: int = 0
    lease_seconds: float = 30.0
    acquired_at: datetime | None = None
    renewed_at: datetime | None = None
    wanted_by: str = ""
    version: str = ""

    @property
    def beat(self) -> Beat:
        """What changes with each sign of life of the holder; a wish of somebody else is none."""
        return (self.holder, self.transitions, self.renewed_at)


@dataclass(frozen=True, slots=True)
class Candidacy:
    """One lease as the process `me` sees it. All times are seconds of its own steady clock.

    `seen_at`: when the beat was first seen as it is; None: the API was not asked yet. `renewed_at`: when the last write
    that is known to have succeeded was begun; None: no term.
    """

    name: str
    me: str
    timings: LeaseTimings
    record: LeaseRecord | None = None
    seen_at: float | None = None
    renewed_at: float | None = None

    def observe(self, record: LeaseRecord | None, *, at: float) -> Candidacy:
        """Return the view after the API showed `record` (None: there is none). Another's name in it ends our term."""
        same_beat = self.seen_at is not None and _beat(record) == _beat(self.record)
        is_ours = record is not None and record.holder == self.me
        return replace(
            self,
            record=record,
            seen_at=self.seen_at if same_beat else at,
            renewed_at=self.renewed_at if is_ours else None,
        )

    def written(self, record: LeaseRecord, *, begun_at: float, at: float) -> Candidacy:
        """Return the view after our own write, begun at `begun_at`, was answered with `record`."""
        renewed_at = begun_at if record.holder == self.me else None
        return replace(self, record=record, seen_at=at, renewed_at=renewed_at)

    def ended(self) -> Candidacy:
        """Return the view without a term."""
        return replace(self, renewed_at=None)

    def leads(self, now: float) -> bool:
        return self.renewed_at is not None and now - self.renewed_at < self.timings.renew_deadline_seconds

    def has_lapsed(self, now: float) -> bool:
        """Whether a term ran out that nobody has ended yet."""
        return self.renewed_at is not None and not self.leads(now)

    def free_seconds(self, now: float) -> float | None:
        """Return for how long the lease has been free as far as we saw; None: it is held, or was never looked at."""
        if self.seen_at is None or self.renewed_at is not None:
            return None
        if self.record is None or self.record.holder in ("", self.me):
            return now - self.seen_at
        expired_for = now - self.seen_at - max(self.record.lease_seconds, self.timings.lease_seconds)
        return expired_for if expired_for >= 0 else None

    def holder(self, now: float) -> str:
        """Return who holds it, as far as we know; empty: nobody."""
        if self.leads(now):
            return self.me
        is_held = self.seen_at is not None and self.free_seconds(now) is None
        return self.record.holder if is_held and self.record is not None and self.record.holder != self.me else ""

    def renewal(self, wall: datetime) -> LeaseRecord:
        """Return what to write to go on leading."""
        return replace(self._current, renewed_at=wall)

    def acquisition(self, wall: datetime) -> LeaseRecord:
        """Return what to write to begin a term. Wishes of others end with it."""
        current = self._current
        return replace(
            current,
            holder=self.me,
            transitions=current.transitions + 1,
            lease_seconds=self.timings.lease_seconds,
            acquired_at=wall,
            renewed_at=wall,
            wanted_by="",
        )

    def release(self, wall: datetime) -> LeaseRecord:
        """Return what to write to let go at once. A wish stays, so that the replica which has it comes first."""
        return replace(self._current, holder="", renewed_at=wall)

    def wish(self) -> LeaseRecord:
        """Return what to write to ask the holder to let go; its beat stays what it was."""
        return replace(self._current, wanted_by=self.me)

    @property
    def _current(self) -> LeaseRecord:
        return self.record or LeaseRecord(self.name)


def _beat(record: LeaseRecord | None) -> Beat | None:
    return record.beat if record is not None else None


@dataclass(frozen=True, slots=True)
class Spread:
    """How many leases each replica holds, as one of them sees it. A replica without any is seen when it asks."""

    me: str
    leases: int
    held: Mapping[str, int]

    @classmethod
    def seen(cls, candidacies: Iterable[Candidacy], *, me: str, now: float) -> Spread:
        """Return the spread over the replicas that hold or want something, and this one."""
        listed = tuple(candidacies)
        held = Counter(holder for each in listed if (holder := each.holder(now)))
        askers = {each.record.wanted_by for each in listed if each.record is not None and each.holder(now)} - {""}
        return cls(me, len(listed), {name: held[name] for name in held.keys() | askers | {me}})

    @property
    def most(self) -> int:
        """The largest number that is fair: all leases over all replicas, rounded up."""
        return -(-self.leases // len(self.held))

    @property
    def mine(self) -> int:
        return self.held[self.me]


def may_acquire(candidacy: Candidacy, spread: Spread, *, now: float, is_reluctant: bool = False) -> bool:
    """Tell whether to try for a lease now.

    A replica that has its share, sees that another one asked for this lease, or gave it up because it failed at the
    work, leaves it free for one lease duration more: whoever has less comes first, and nothing stays without a leader
    when nobody comes.
    """
    free_seconds = candidacy.free_seconds(now)
    if free_seconds is None:
        return False
    wanted_by = candidacy.record.wanted_by if candidacy.record is not None else ""
    if wanted_by == candidacy.me and not is_reluctant:
        return True
    comes_second = is_reluctant or spread.mine >= spread.most or wanted_by != ""
    return free_seconds >= (candidacy.timings.lease_seconds if comes_second else 0)


def should_give(candidacy: Candidacy, spread: Spread, *, now: float) -> bool:
    """Tell whether to let go of a lease that somebody asked for who has at least two fewer."""
    wanted_by = candidacy.record.wanted_by if candidacy.record is not None else ""
    is_asked = candidacy.leads(now) and wanted_by not in ("", candidacy.me)
    return is_asked and spread.mine > spread.held.get(wanted_by, 0) + 1


def leases_to_ask_for(candidacies: Iterable[Candidacy], spread: Spread, *, now: float) -> tuple[Candidacy, ...]:
    """Return the leases to ask other replicas for: from those that have at least two more, until they have not."""
    held = dict(spread.held)
    unasked = []
    for each in in_own_order(candidacies, spread.me):
        wanted_by = each.record.wanted_by if each.record is not None else ""
        if wanted_by == spread.me and _has_more(held, each.holder(now), spread.me):
            _move(held, each.holder(now), spread.me)  # asked for already, and not in vain
        elif not wanted_by:
            unasked.append(each)
    chosen = []
    for each in unasked:
        if _has_more(held, each.holder(now), spread.me):
            _move(held, each.holder(now), spread.me)
            chosen.append(each)
    return tuple(chosen)


def _has_more(held: dict[str, int], holder: str, me: str) -> bool:
    """Tell whether a lease of `holder` would be better off here. Nobody, and a replica that is not known, has none."""
    return holder != me and held.get(holder, 0) > held[me] + 1


def _move(held: dict[str, int], giver: str, taker: str) -> None:
    held[giver] -= 1
    held[taker] += 1


def in_own_order(candidacies: Iterable[Candidacy], me: str) -> tuple[Candidacy, ...]:
    """Return them in an order that differs between replicas, so that two of them rarely try for the same one."""
    return tuple(sorted(candidacies, key=lambda each: sha256(f"{me} {each.name}".encode()).digest()))


def lease_name(group: str, cluster: str) -> str:
    """Return the name of a cluster's lease: the cluster's own where Kubernetes allows it, else one that is like it."""
    if "_" not in cluster and "-." not in cluster and ".-" not in cluster:
        return f"{group}-{cluster}"
    mark = sha256(cluster.encode()).hexdigest()[:10]
    return f"{group}-{re.sub(r'[^a-z0-9]+', '-', cluster)}-{mark}"[:_LONGEST_NAME]
