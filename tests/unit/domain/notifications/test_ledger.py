"""When a receiver is told what: settling, repeating, getting worse, being over."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.health import Severity
from etcd_dr.domain.notifications.ledger import Ledger, Wishes, decide
from etcd_dr.domain.notifications.message import Condition, Tidings
from fakes.clock import MORNING
from fakes.conditions import condition

WISHES = Wishes(settle=timedelta(minutes=1), repeat=timedelta(hours=4))
DOWN = condition()
WORSE = condition(severity=Severity.CRITICAL)
OTHER = condition("quorum.no_tolerance", member=None)


class Story:
    """One ledger through time: `at` looks at a minute with what holds then, and returns what is said."""

    def __init__(self, wishes: Wishes = WISHES) -> None:
        self._wishes = wishes
        self._ledger = Ledger()
        self.look_again_at: datetime | None = None

    def at(self, minute: float, *conditions: Condition) -> list[tuple[Tidings, str]]:
        now = MORNING + timedelta(minutes=minute)
        verdict = decide(self._ledger, conditions, now=now, wishes=self._wishes)
        self._ledger, self.look_again_at = verdict.ledger, verdict.look_again_at
        return [(tidings, entry.condition.code) for tidings, entry in verdict.said]


def test_condition_is_told_once_after_it_has_settled() -> None:
    """Neither every round nor for a blink."""
    story = Story()

    assert story.at(0, DOWN) == []
    assert story.look_again_at == MORNING + timedelta(minutes=1)
    assert story.at(1, DOWN) == [(Tidings.RAISED, DOWN.code)]
    assert story.at(2, DOWN) == []
    assert story.look_again_at == MORNING + timedelta(hours=4, minutes=1)


def test_blink_is_never_told() -> None:
    """A restart of a member wakes nobody, and its end neither."""
    story = Story()

    assert [story.at(0, DOWN), story.at(0.5), story.at(1, DOWN), story.at(1.5), story.at(9)] == [[], [], [], [], []]


def test_what_lasts_is_repeated() -> None:
    """So that a message that was missed is not the last one."""
    story = Story()
    story.at(0, DOWN)
    story.at(1, DOWN)

    assert story.at(240, DOWN) == []
    assert story.at(241, DOWN) == [(Tidings.REMINDER, DOWN.code)]
    assert story.at(242, DOWN) == []


def test_nothing_is_repeated_where_nobody_wants_it() -> None:
    """`repeat: 0s`."""
    story = Story(Wishes(repeat=None))
    story.at(0, DOWN)
    story.at(1, DOWN)

    assert story.at(10_000, DOWN) == []
    assert story.look_again_at is None


def test_what_is_over_is_told_once_it_stays_so() -> None:
    """And a return within the time is no end."""
    story = Story()
    story.at(0, DOWN)
    story.at(1, DOWN)

    assert story.at(5) == []
    assert story.at(5.5, DOWN) == []
    assert story.at(6) == []
    assert story.at(7) == [(Tidings.RESOLVED, DOWN.code)]
    assert story.at(8) == []


def test_getting_worse_is_told_at_once_and_getting_better_is_not() -> None:
    """A warning that becomes critical must not wait for its reminder."""
    story = Story()
    story.at(0, DOWN)
    story.at(1, DOWN)

    assert story.at(2, WORSE) == [(Tidings.RAISED, DOWN.code)]
    assert story.at(3, DOWN) == []
    assert story.at(4, WORSE) == []


def test_one_moment_is_one_message_with_news_first() -> None:
    """Ten findings of one outage are one message."""
    story = Story()
    story.at(0, DOWN)
    story.at(1, DOWN)
    story.at(2, OTHER, condition("clock.skew", Severity.CRITICAL))

    said = story.at(3, OTHER, condition("clock.skew", Severity.CRITICAL))

    assert said == [
        (Tidings.RAISED, "clock.skew"),
        (Tidings.RAISED, OTHER.code),
        (Tidings.RESOLVED, DOWN.code),
    ]


def test_end_is_not_told_to_who_does_not_want_it() -> None:
    """And it is forgotten all the same, so that a return is news."""
    story = Story(Wishes(send_resolved=False, settle=timedelta(0)))
    story.at(0, DOWN)

    assert story.at(1) == []
    assert story.at(2, DOWN) == [(Tidings.RAISED, DOWN.code)]


@pytest.mark.parametrize(
    ("severity", "wanted"),
    [(Severity.INFO, False), (Severity.WARNING, False), (Severity.UNKNOWN, True), (Severity.CRITICAL, True)],
)
def test_receiver_of_critical_things_hears_that_nobody_can_tell(severity: Severity, wanted: bool) -> None:
    """With every member dead the verdict is unknown, and that is the worst night of all."""
    wishes = Wishes(min_severity=Severity.CRITICAL, clusters=frozenset({"prod"}))

    assert wishes.wants("prod", condition(severity=severity)) is wanted
    assert not wishes.wants("stage", condition(severity=severity))


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=40))
def test_whatever_happens_beginnings_and_ends_alternate(changes: list[tuple[int, bool]]) -> None:
    """No end without a beginning, no second beginning without an end between them."""
    story, minute, told = Story(), 0, []
    for waited, holds in changes:
        minute += waited
        told += story.at(minute, *([DOWN] if holds else []))

    news = [tidings for tidings, _ in told if tidings is not Tidings.REMINDER]
    assert news == [Tidings.RAISED if number % 2 == 0 else Tidings.RESOLVED for number in range(len(news))]
