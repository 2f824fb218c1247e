"""The rules of one lease and of sharing many, among them the promise that matters: never two leaders within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etcd_dr.domain.leadership import (
    Candidacy,
    LeaseRecord,
    LeaseTimings,
    Spread,
    leases_to_ask_for,
    may_acquire,
    should_give,
)
from fakes.clock import MORNING

TIMINGS = LeaseTimings(lease_seconds=30, renew_deadline_seconds=20, retry_seconds=5, request_seconds=4)
FREE = LeaseRecord("prod", version="1")
THEIRS = LeaseRecord("prod", holder="b", transitions=4, renewed_at=MORNING, version="1")


def candidacy(name: str = "prod", me: str = "a") -> Candidacy:
    return Candidacy(name, me, TIMINGS)


def led(name: str = "prod", me: str = "a", *, at: float = 0) -> Candidacy:
    free = candidacy(name, me).observe(None, at=at)
    return free.written(replace(free.acquisition(MORNING), version="2"), begun_at=at, at=at)


def held_by(name: str, holder: str, *, wanted_by: str = "", me: str = "a") -> Candidacy:
    record = LeaseRecord(name, holder=holder, transitions=1, renewed_at=MORNING, wanted_by=wanted_by, version="1")
    return candidacy(name, me).observe(record, at=0)


def test_nothing_is_known_before_the_first_look() -> None:
    """A lease that was never looked at is not free."""
    assert candidacy().free_seconds(100) is None
    assert not candidacy().leads(100)


@pytest.mark.parametrize("record", [None, FREE])
def test_what_nobody_holds_is_free_at_once(record: LeaseRecord | None) -> None:
    """A lease that does not exist and one that was let go are the same."""
    assert candidacy().observe(record, at=5).free_seconds(5) == 0


def test_a_holder_is_gone_when_its_beat_stood_still_for_the_whole_lease() -> None:
    """Counted from our own first sight of that beat, whatever the record says about time."""
    seen = candidacy().observe(THEIRS, at=100).observe(replace(THEIRS, version="9"), at=120)

    assert seen.free_seconds(129.9) is None
    assert seen.free_seconds(130) == 0


def test_each_beat_begins_the_wait_anew() -> None:
    """A living holder is never taken over."""
    seen = candidacy().observe(THEIRS, at=100)

    again = seen.observe(replace(THEIRS, renewed_at=MORNING.replace(minute=1)), at=125)

    assert again.free_seconds(150) is None
    assert again.free_seconds(155) == 0


def test_a_wish_of_another_replica_is_no_beat() -> None:
    """Whoever asks for a dead holder's lease does not keep it alive by asking."""
    seen = candidacy().observe(THEIRS, at=100).observe(replace(THEIRS, wanted_by="c", version="2"), at=129)

    assert seen.free_seconds(130) == 0


def test_the_longer_of_two_durations_counts() -> None:
    """Replicas with different settings, in the middle of an upgrade, do not take over from one another too soon."""
    seen = candidacy().observe(replace(THEIRS, lease_seconds=90), at=0)

    assert seen.free_seconds(89) is None
    assert seen.free_seconds(90) == 0


def test_a_term_counts_from_the_beginning_of_the_write() -> None:
    """A write that took eight seconds leaves twelve of the twenty."""
    free = candidacy().observe(None, at=0)

    leading = free.written(free.acquisition(MORNING), begun_at=0, at=8)

    assert leading.leads(19.9)
    assert not leading.leads(20)
    assert leading.has_lapsed(20)


def test_each_term_has_a_higher_number_than_the_last() -> None:
    """The fencing number: the first term is 1, and a renewal keeps its number."""
    first = candidacy().observe(None, at=0)
    taken_over = candidacy().observe(THEIRS, at=0)

    assert first.acquisition(MORNING).transitions == 1
    assert taken_over.acquisition(MORNING).transitions == 5
    assert led().renewal(MORNING).transitions == 1


def test_a_lapsed_term_is_never_picked_up_again() -> None:
    """The lease still has our name; a new term with a new number begins, because the old one was given up here."""
    lapsed = led().ended()

    assert not lapsed.leads(1)
    assert lapsed.free_seconds(25) is not None
    assert lapsed.acquisition(MORNING).transitions == 2


def test_another_name_in_the_lease_ends_the_term() -> None:
    """However much time was left."""
    assert not led().observe(THEIRS, at=1).leads(1)
    assert not led().observe(None, at=1).leads(1)


def test_letting_go_makes_it_free_at_once_and_keeps_the_wish() -> None:
    """The replica that asked comes first."""
    asked = replace(led(), record=replace(led().record or FREE, wanted_by="c"))

    released = asked.release(MORNING)

    assert (released.holder, released.wanted_by) == ("", "c")
    assert candidacy(me="c").observe(released, at=50).free_seconds(50) == 0


def test_all_leases_over_all_replicas_is_fair() -> None:
    """Five leases, held by one replica, and another one that asks for one: at most three."""
    views = [held_by(f"c{n}", "b", wanted_by="a" if n == 0 else "") for n in range(5)]

    spread = Spread.seen(views, me="a", now=1)

    assert (spread.mine, spread.most) == (0, 3)


def test_a_replica_with_too_few_asks_for_what_it_lacks() -> None:
    """And only those replicas that have more than their share, and not twice."""
    views = [held_by(f"c{n}", "b") for n in range(5)]
    spread = Spread.seen(views, me="a", now=1)

    asked = leases_to_ask_for(views, spread, now=1)
    views = [replace(v, record=v.wish()) if v in asked else v for v in views]

    assert len(asked) == 2
    assert leases_to_ask_for(views, Spread.seen(views, me="a", now=1), now=1) == ()


def test_nobody_asks_when_the_spread_is_fair() -> None:
    """One lease for two replicas stays where it is."""
    views = [held_by("c0", "b")]

    assert leases_to_ask_for(views, Spread.seen(views, me="a", now=1), now=1) == ()


def test_a_holder_with_more_than_its_share_gives_what_was_asked_for() -> None:
    """Until it has its share."""
    asked = replace(led(), record=replace(led().record or FREE, wanted_by="c"))
    others = [led(f"c{n}") for n in range(2)]

    assert should_give(asked, Spread.seen([asked, *others], me="a", now=1), now=1)
    assert not should_give(asked, Spread.seen([asked, others[0], held_by("c9", "c")], me="a", now=1), now=1)
    assert not should_give(led(), Spread.seen([led(), *others], me="a", now=1), now=1)


def test_whoever_has_its_share_leaves_a_free_lease_to_others_for_a_while() -> None:
    """One lease duration, after which nothing stays without a leader."""
    free = held_by("c3", "")
    spread = Spread("a", 3, {"a": 1, "b": 1, "c": 1})

    assert not may_acquire(free, spread, now=29)
    assert may_acquire(free, spread, now=30)
    assert may_acquire(free, replace(spread, held={"a": 0, "b": 1, "c": 1}), now=0)


def test_a_lease_that_was_let_go_for_somebody_is_left_to_it() -> None:
    """The one that asked takes it at once, everybody else waits."""
    for_c = held_by("c3", "", wanted_by="c")

    assert not may_acquire(for_c, Spread("a", 3, {"a": 0, "b": 1}), now=1)
    assert may_acquire(replace(for_c, me="c"), Spread("c", 3, {"c": 1, "b": 1}), now=1)


@dataclass
class Elector:
    """A process whose steady clock runs at `rate`. One call at a time is on its way: begun, perhaps carried out."""

    view: Candidacy
    rate: float
    begun_at: float = 0
    wanted: LeaseRecord | None = None
    answer: LeaseRecord | None = None

    def local(self, true_seconds: float) -> float:
        return true_seconds * self.rate

    def begin(self, stored: LeaseRecord | None, *, now: float, beat: int) -> None:
        """Look, and send what should be written; whatever was on its way is given up by this side only."""
        self.begun_at, self.wanted, self.answer = self.local(now), None, None
        self.view = self.view.observe(stored, at=self.begun_at)
        wall = MORNING + timedelta(seconds=beat)
        if self.view.leads(self.begun_at):
            self.wanted = self.view.renewal(wall)
        elif self.view.ended().free_seconds(self.begun_at) is not None:
            self.wanted = self.view.ended().acquisition(wall)

    def hear(self, *, now: float) -> None:
        if self.answer is not None:
            self.view = self.view.written(self.answer, begun_at=self.begun_at, at=self.local(now))


def leaders_over_time(
    steps: list[tuple[int, str, float]], rates: tuple[float, float], timings: LeaseTimings
) -> Iterator[list[str]]:
    """Yield who leads after each step: (which elector, what it does, true seconds until then)."""
    stored: LeaseRecord | None = None
    now = 0.0
    electors = [Elector(Candidacy("prod", me, timings), rate) for me, rate in zip("ab", rates, strict=True)]
    for number, (who, action, wait) in enumerate(steps):
        now += wait
        elector = electors[who]
        if action == "begin":
            elector.begin(stored, now=now, beat=number)
        elif action == "arrive" and elector.wanted is not None:
            if elector.wanted.version == (stored.version if stored else ""):
                stored = elector.answer = replace(elector.wanted, version=str(number + 1))
            elector.wanted = None
        elif action == "hear":
            elector.hear(now=now)
        yield [each.view.me for each in electors if each.view.leads(each.local(now))]


STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from(["begin", "arrive", "hear"]), st.floats(0, 12)), max_size=80
)


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, rates=st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)))
def test_two_electors_never_lead_at_once(steps: list[tuple[int, str, float]], rates: tuple[float, float]) -> None:
    """With any pauses, late writes, lost and late answers, and clocks whose rates differ by up to a fifth."""
    assert all(len(leaders) <= 1 for leaders in leaders_over_time(steps, rates, TIMINGS))


def test_two_electors_may_both_lead_when_clocks_differ_by_more_than_the_bound() -> None:
    """The bound is real: a clock at a third of the other's speed makes a second leader, and this test can see one."""
    steps = [(0, "begin", 0.0), (0, "arrive", 0.0), (0, "hear", 0.0)]
    steps += [(1, "begin", 0.0), (1, "begin", 31.0), (1, "arrive", 0.0), (1, "hear", 0.0)]

    assert ["a", "b"] in list(leaders_over_time(steps, (0.3, 1.0), TIMINGS))
