"""Get, keep and share the leases of all clusters: one round of it, which a loop repeats.

1. Renew what is led, the longest unrenewed first: nothing else may cost a term.
2. List all leases, and see what changed.
3. Renew what another one's wish had made unwritable in step 1, and end the terms that ran out or were taken.
4. Let go of what a replica with fewer leases asked for, or what this one fails at, where no work is under way.
5. Try for what is free; ask for what is missing to a fair share.

A call that is not answered ends the round: terms run out while others wait in vain. A refusal of one lease is kept for
the end of the round, so that it does not cost the others. `round` and `release_all` belong to one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from etcd_dr.errors import ApiUnreachable, KubernetesError, ResourceConflict
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
        self._unreleased: set[str] = set()
        self._refusal: KubernetesError | None = None
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
        """Let go of a lease that is held, at the next opportunity, and let others come first; from any thread."""
        if self.leads(name):
            self._given_up.add(name)

    def round(self) -> None:
        """Make one round. Raises the KubernetesError that ended it, or the last refusal; terms that ran out are ended."""
        self._refusal = None
        try:
            self._renew(self._led())
            self._see()
            self._renew(self._candidacies[name] for name in sorted(self._unwritable))
            self._end_lapsed()
            self._release_rest()
            self._give()
            self._acquire()
            self._ask()
        finally:
            self._end_lapsed()
        if self._refusal is not None:
            raise self._refusal

    def release_all(self, reason: str) -> None:
        """Let go of everything, so that other replicas take it at once. Raises KubernetesError: then the rest runs out."""
        led = self._led()
        for candidacy in led:
            self._end(candidacy, reason)  # first: whatever the API answers, nothing is done here any more
        for candidacy in led:
            self._release(candidacy)
        if self._unreleased:
            self._see()
            self._release_rest()

    def _led(self) -> list[Candidacy]:
        led = [each for each in self._candidacies.values() if each.renewed_at is not None]
        return sorted(led, key=lambda each: each.renewed_at or 0.0)

    def _renew(self, candidacies: Iterable[Candidacy]) -> None:
        for candidacy in list(candidacies):
            self._unwritable.discard(candidacy.name)
            if not candidacy.leads(self._now()):
                continue
            if not self._write(candidacy.renewal(self._clock.now())):
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
                self._end(candidacy, reason)
                self._hooks.kept(candidacy.name)
                self._release(candidacy)

    def _release(self, candidacy: Candidacy) -> None:
        if not self._write(candidacy.release(self._clock.now())):
            self._unreleased.add(candidacy.name)

    def _release_rest(self) -> None:
        """Let go, over its newest state, of what a wish of somebody else had made unwritable."""
        for name in sorted(self._unreleased):
            candidacy = self._candidacies[name]
            if candidacy.renewed_at is None and candidacy.record is not None and candidacy.record.holder == self.me:
                self._write(candidacy.release(self._clock.now()))
        self._unreleased.clear()

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
                if not self._write(candidacy.acquisition(self._clock.now())):
                    continue  # somebody was faster; the next round shows who
                self._reluctant.discard(candidacy.name)
                if self.leads(candidacy.name):
                    self._hooks.begun(candidacy.name, self.fencing(candidacy.name) or 0)

    def _ask(self) -> None:
        for candidacy in leases_to_ask_for(self._candidacies.values(), self.spread, now=self._now()):
            self._write(candidacy.wish())

    def _write(self, record: LeaseRecord) -> bool:
        """Write a record and say whether that was done. A term counts from when the call was begun.

        False: somebody was faster, or this lease is refused. Raises ApiUnreachable.
        """
        begun_at = self._now()
        try:
            stored = self._leases.put(record)
        except ApiUnreachable:
            raise
        except ResourceConflict:
            return False
        except KubernetesError as refusal:
            self._refusal = refusal
            return False
        before, at = self._candidacies[record.name], self._now()
        is_wish = stored.holder not in ("", self.me)
        after = before.observe(stored, at=at) if is_wish else before.written(stored, begun_at=begun_at, at=at)
        self._candidacies[record.name] = after
        return True
