"""How well the RPO was kept, and what the store does not remember any more."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.objectives.rpo_history import RpoHistory, rpo_history
from etcd_dr.domain.retention import RetentionPolicy, decide_retention
from fakes.catalogue import catalogue_of, moment, snapshot

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def history(
    *snapshots: Snapshot | str,
    at: str,
    objective: timedelta = 2 * HOUR,
    policy: RetentionPolicy | None = None,
    since: str | None = None,
    window: timedelta = 30 * DAY,
) -> RpoHistory | None:
    taken = (snapshot(s) if isinstance(s, str) else s for s in snapshots)
    return rpo_history(
        catalogue_of(*taken),
        objective=objective,
        share_wanted=0.9,
        now=moment(at),
        window=window,
        policy=policy or RetentionPolicy(),
        watching_since=moment(since) if since else None,
    )


def told(*snapshots: Snapshot | str, **how: object) -> RpoHistory:
    found = history(*snapshots, **how)  # type: ignore[arg-type]  # passed on as they are
    assert found is not None
    return found


def test_gap_longer_than_the_objective_is_missed_for_what_exceeds_it() -> None:
    """Five hours between two snapshots: two of them within the objective, three not."""
    kept = told("2026-08-20 00:00", "2026-08-20 05:00", at="2026-08-20 06:00")

    assert (kept.kept, kept.missed, kept.unknown) == (3 * HOUR, 3 * HOUR, timedelta(0))
    assert kept.worst == 5 * HOUR
    assert kept.breaches == 1
    assert kept.share == 0.5


def test_budget_is_what_may_be_missed_less_what_was() -> None:
    """Of 100 hours at 90 % ten may be missed; four were."""
    times = [f"2026-08-{1 + h // 24:02} {h % 24:02}:00" for h in (*range(0, 51, 2), *range(56, 99, 2))]

    kept = told(*times, at="2026-08-05 04:00", window=100 * HOUR)

    assert kept.missed == 4 * HOUR
    assert kept.allowed == 10 * HOUR
    assert kept.budget_left == pytest.approx(0.6)


def test_first_minutes_do_not_spend_a_month() -> None:
    """The budget is that of the whole window, however little of it has gone by."""
    kept = told("2026-08-20 00:00", "2026-08-20 05:00", at="2026-08-20 06:00")

    assert kept.allowed == 3 * DAY
    assert kept.budget_left == pytest.approx(1 - 3 / 72)


def test_snapshot_helps_from_the_moment_it_is_finished() -> None:
    """Taken in time and proven an hour later: until then the one before it is what there is."""
    kept = told("2026-08-20 00:00", snapshot("2026-08-20 02:00", minutes=60), at="2026-08-20 03:30")

    assert kept.missed == HOUR
    assert kept.worst == 3 * HOUR


def test_damaged_and_unproven_snapshots_never_were() -> None:
    """Nobody could have restored them."""
    kept = told(
        "2026-08-20 00:00",
        snapshot("2026-08-20 01:00", state="damaged"),
        snapshot("2026-08-20 02:00", state="unproven"),
        "2026-08-20 03:00",
        at="2026-08-20 04:00",
    )

    assert kept.missed == HOUR


def test_first_snapshot_that_came_late_is_missed_time() -> None:
    """Snapshots were due since the prefix was claimed."""
    kept = told("2026-08-20 06:00", since="2026-08-20 00:00", at="2026-08-20 07:00")

    assert kept.since == moment("2026-08-20 00:00")
    assert kept.missed == 4 * HOUR


def test_only_the_window_counts() -> None:
    """A breach of last month is forgiven, one that reaches into the window counts from its beginning."""
    kept = told("2026-08-01 00:00", "2026-08-10 00:00", at="2026-08-10 01:00", window=DAY)

    assert kept.since == moment("2026-08-09 01:00")
    assert (kept.missed, kept.kept) == (23 * HOUR, HOUR)
    assert kept.worst == 9 * DAY


def test_gap_that_retention_may_have_made_proves_nothing() -> None:
    """The last one of each day is left of the past: of a day nothing is known but the hours after midnight."""
    daily = [f"2026-08-{day:02} 23:00" for day in (1, 2, 3)]
    lately = [f"2026-08-04 {hour:02}:00" for hour in range(4)]

    kept = told(*daily, *lately, at="2026-08-04 04:00", policy=RetentionPolicy(keep_last=4, keep_daily=7))

    assert kept.missed == timedelta(0)
    assert kept.unknown == 2 * 22 * HOUR
    assert kept.kept == 2 * 2 * HOUR + HOUR + 4 * HOUR
    assert kept.share == 1.0
    assert kept.known_share == pytest.approx(9 / 53)
    assert kept.worst == HOUR


def test_gap_among_those_that_retention_keeps_is_missed() -> None:
    """`keep_within` keeps each of them, so nothing can have been between two."""
    kept = told(
        "2026-08-01 00:00",
        "2026-08-04 00:00",
        "2026-08-04 05:00",
        at="2026-08-04 05:00",
        policy=RetentionPolicy(keep_within=12 * HOUR),
    )

    assert kept.missed == 3 * HOUR
    assert kept.unknown == 70 * HOUR


def test_nothing_is_told_of_an_empty_store() -> None:
    """Unless somebody knows since when snapshots are due."""
    assert history(at="2026-08-20 00:00") is None
    assert told(since="2026-08-19 00:00", at="2026-08-20 00:00").missed == 22 * HOUR


def test_empty_hours_are_missed_where_the_newest_of_each_hour_is_kept() -> None:
    """Nothing was taken at 02 and 03; whether something was at 04:00 to 04:30 is not known."""
    times = ["2026-08-20 00:30", "2026-08-20 01:30", "2026-08-20 04:30", "2026-08-20 05:30"]

    kept = told(*times, at="2026-08-20 06:00", objective=HOUR, policy=RetentionPolicy(keep_hourly=24))

    assert kept.missed == 1.5 * HOUR
    assert kept.unknown == 0.5 * HOUR
    assert kept.breaches == 1
    assert kept.worst == 2.5 * HOUR


def test_present_loss_is_certain_whatever_the_policy_removes() -> None:
    """The newest proven snapshot is never removed, so nothing newer was there."""
    kept = told("2026-08-20 00:00", at="2026-08-20 05:00", policy=RetentionPolicy(keep_yearly=1))

    assert (kept.kept, kept.missed, kept.unknown) == (2 * HOUR, 3 * HOUR, timedelta(0))


@given(
    quarters=st.lists(st.integers(0, 4 * 24 * 5), min_size=1, max_size=40, unique=True),
    objective=st.integers(1, 30),
    counts=st.tuples(*[st.integers(0, 5)] * 3),
    within=st.sampled_from([None, 3 * HOUR, 30 * HOUR]),
)
def test_what_retention_removes_is_never_told_as_missed_nor_as_kept(
    quarters: list[int], objective: int, counts: tuple[int, int, int], within: timedelta | None
) -> None:
    """Retention runs after each snapshot, as in life; nothing is claimed then that the whole past does not bear out."""
    begin = moment("2026-08-01 00:00")
    policy = RetentionPolicy(keep_last=counts[0], keep_hourly=counts[1], keep_daily=counts[2], keep_within=within)
    everything = [snapshot(begin + quarter * HOUR / 4) for quarter in sorted(quarters)]
    left: list[Snapshot] = []
    for each in everything:
        plan = decide_retention(catalogue_of(*left, each), policy, now=each.taken_at)
        left = [decision.snapshot for decision in plan.kept]

    def of(snapshots: list[Snapshot], rules: RetentionPolicy) -> RpoHistory:
        found = rpo_history(
            catalogue_of(*snapshots),
            objective=objective * HOUR / 2,
            share_wanted=0.99,
            now=everything[-1].taken_at + HOUR,
            window=30 * DAY,
            policy=rules,
            watching_since=begin,
        )
        assert found is not None
        return found

    truth, told_of = of(everything, RetentionPolicy()), of(left, policy)

    assert told_of.missed <= truth.missed
    assert told_of.kept <= truth.kept
    assert told_of.kept + told_of.missed + told_of.unknown == told_of.until - told_of.since


@given(
    hours=st.lists(st.integers(0, 200), min_size=1, max_size=30, unique=True),
    objective=st.integers(1, 50),
    keep_last=st.integers(0, 10),
)
def test_all_time_of_the_window_is_accounted_for(hours: list[int], objective: int, keep_last: int) -> None:
    """Kept, missed and unknown add up to the window, and keeping less on purpose never makes time missed."""
    begin = moment("2026-08-01 00:00")
    times = sorted(begin + hour * HOUR for hour in hours)
    taken = [snapshot(time) for time in times]
    now = begin + 201 * HOUR

    def of(policy: RetentionPolicy) -> RpoHistory:
        found = rpo_history(
            catalogue_of(*taken),
            objective=objective * HOUR,
            share_wanted=0.99,
            now=now,
            window=30 * DAY,
            policy=policy,
        )
        assert found is not None
        return found

    whole, thinned = of(RetentionPolicy()), of(RetentionPolicy(keep_last=keep_last, keep_daily=1))

    gaps = [later - earlier for earlier, later in pairwise([*times, now])]
    assert whole.kept + whole.missed == now - times[0]
    assert whole.missed == sum((max(gap - objective * HOUR, timedelta(0)) for gap in gaps), timedelta(0))
    assert thinned.kept + thinned.missed + thinned.unknown == now - times[0]
    assert thinned.missed <= whole.missed
