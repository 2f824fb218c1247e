"""Get, keep and share the leases of all clusters: one round of it, which a loop repeats.

1. Renew what is led, the longest unrenewed first: nothing else may cost a term.
2. List all leases, and see what changed.
3. Renew what another one's wish had made unwritable in step 1, and end the terms that ran out or were taken.
4. Let go of what a replica with fewer leases asked for, or what this one fails at, where no work is under way.
5. Try for what is free; ask for what is missing to a fair share.

After the first call that fails nobody is asked for the rest of the round: the next terms to run out are those of calls
that wait in vain. `round` and `release` belong to one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from etcd_dr.domain.leadership import (
    Candidacy,
    LeaseRecord,
    LeaseTimings,
    Spread,
    in_own_order,
    leases_to_ask_for,
    may_acquire,
    should_give,
)
from etcd_dr.errors import ResourceConflict
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.leases import Leases


@dataclass(frozen=True, slots=True)
class LeaseHooks:
    """What the holder calls, in its own thread; quick, and raising nothing.

    `ended` says why. `may_give` is asked before a lease is let go for another replica; True forbids new work there
    until `ended` or `kept` is called for it.
    """

    begun: Callable[[str, int], object]
    ended: Callable[[str, str], object]
    may_give: Callable[[str], bool]
    kept: Callable[[str], object]


class LeaseHolder:
    """The leases of one process. `now` is a steady clock that also counts while the machine sleeps."""

    def __init__(
        self,
        names: Iterable[str],
        *,
        me: str,
        leases: Leases,
        timings: LeaseTimings,
        clock: Clock,
        now: Callable[[], float],
        hooks: LeaseHooks,
    ) -> None:
        self.me = me
        self._leases = leases
        self._timings = timings
        self._clock = clock
        self._now = now
        self._hooks = hooks
        self._candidacies = {name: Candidacy(name, me, timings) for name in names}
        self.names = tuple(self._candidacies)
        self._unwritable: set[str] = set()
        self._given_up: set[str] = set()
        self._reluctant: set[str] = set()

    def leads(self, name: str) -> bool:
        """Tell whether this process leads now; from any thread."""
        return self._candidacies[name].leads(self._now())

    def fencing(self, name: str) -> int | None:
        """Return the number of the term that was seen last, whoever has it; from any thread."""
        record = self._candidacies[name].record
        return record.transitions if record is not None else None

    def holder(self, name: str) -> str:
        """Return who holds it as far as is known here, empty for nobody; from any thread."""
        return self._candidacies[name].holder(self._now())

    def was_ours(self, name: str) -> bool:
        """Tell whether the lease, as it was seen last, has our name, whether or not it lapsed; from any thread."""
        record = self._candidacies[name].record
        return record is not None and record.holder == self.me

    @property
    def spread(self) -> Spread:
        return Spread.seen(tuple(self._candidacies.values()), me=self.me, now=self._now())

    def give_way(self, name: str) -> None:
        """Let go of a lease at the next opportunity, and let others come first; from any thread."""
        self._given_up.add(name)

    def round(self) -> None:
        """Make one round. Raises the first KubernetesError that is not a conflict; terms that lapsed are ended then."""
        try:
            self._renew(self._led())
            self._see()
            self._renew(self._candidacies[name] for name in sorted(self._unwritable))
            self._end_lapsed()
            self._give()
            self._acquire()
            self._ask()
        finally:
            self._end_lapsed()

    def release(self, name: str, reason: str) -> None:
        """Let go of one lease so that another replica takes it at once. Raises KubernetesError: then it runs out."""
        candidacy = self._candidacies[name]
        if candidacy.renewed_at is None:
            return
        self._end(candidacy, reason)  # first: whatever the API answers, nothing is done here any more
        self._put(candidacy.release(self._clock.now()))

    def _led(self) -> list[Candidacy]:
        led = [each for each in self._candidacies.values() if each.renewed_at is not None]
        return sorted(led, key=lambda each: each.renewed_at or 0.0)

    def _renew(self, candidacies: Iterable[Candidacy]) -> None:
        for candidacy in list(candidacies):
            self._unwritable.discard(candidacy.name)
            if not candidacy.leads(self._now()):
                continue
            try:
                self._put(candidacy.renewal(self._clock.now()))
            except ResourceConflict:
                self._unwritable.add(candidacy.name)

    def _see(self) -> None:
        shown = {record.name: record for record in self._leases.list()}
        at = self._now()
        for name, before in self._candidacies.items():
            after = before.observe(shown.get(name), at=at)
            self._candidacies[name] = after
            if after.holder(at) not in ("", self.me):
                self._reluctant.discard(name)
            if before.renewed_at is not None and after.renewed_at is None:
                taker = after.record.holder if after.record is not None else ""
                self._hooks.ended(name, f"its lease is {taker}'s now" if taker else "its lease was taken away")

    def _end_lapsed(self) -> None:
        now = self._now()
        for candidacy in list(self._candidacies.values()):
            if candidacy.has_lapsed(now):
                self._end(candidacy, "its lease could not be renewed in time")

    def _end(self, candidacy: Candidacy, reason: str) -> None:
        self._candidacies[candidacy.name] = candidacy.ended()
        self._given_up.discard(candidacy.name)
        self._hooks.ended(candidacy.name, reason)

    def _give(self) -> None:
        for candidacy in self._led():
            reason = self._reason_to_give(candidacy)
            if reason and self._hooks.may_give(candidacy.name):
                try:
                    self.release(candidacy.name, reason)
                finally:
                    self._hooks.kept(candidacy.name)

    def _reason_to_give(self, candidacy: Candidacy) -> str:
        """Return why to let go, empty for no reason."""
        if candidacy.name in self._given_up:
            self._reluctant.add(candidacy.name)
            return "this replica failed at it, another one may do better"
        if should_give(candidacy, self.spread, now=self._now()):
            return f"{candidacy.record.wanted_by if candidacy.record else ''} has fewer"
        return ""

    def _acquire(self) -> None:
        """Try for what is free, as long as the terms that there are need no renewal: the rest comes with the next round."""
        until = self._now() + self._timings.retry_seconds
        for candidacy in in_own_order(self._candidacies.values(), self.me):
            is_reluctant = candidacy.name in self._reluctant
            if self._now() < until and may_acquire(candidacy, self.spread, now=self._now(), is_reluctant=is_reluctant):
                with suppress(ResourceConflict):  # somebody was faster; the next round shows who
                    record = self._put(candidacy.acquisition(self._clock.now()))
                    self._reluctant.discard(candidacy.name)
                    if self.leads(candidacy.name):
                        self._hooks.begun(candidacy.name, record.transitions)

    def _ask(self) -> None:
        for candidacy in leases_to_ask_for(self._candidacies.values(), self.spread, now=self._now()):
            with suppress(ResourceConflict):
                self._candidacies[candidacy.name] = candidacy.observe(
                    self._leases.put(candidacy.wish()), at=self._now()
                )

    def _put(self, record: LeaseRecord) -> LeaseRecord:
        """Write a record of ours and count from when the call was begun."""
        begun_at = self._now()
        stored = self._leases.put(record)
        before = self._candidacies[record.name]
        self._candidacies[record.name] = before.written(stored, begun_at=begun_at, at=self._now())
        return stored
