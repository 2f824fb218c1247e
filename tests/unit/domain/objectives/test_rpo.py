"""What would be lost now, and what will have been lost before the next snapshot is proven."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from etcd_dr.domain.objectives.rpo import Outlook, RpoStanding, judge_rpo
from etcd_dr.domain.objectives.status import ObjectiveStatus, exceeding_text, time_text
from fakes.catalogue import catalogue_of, moment, snapshot

HOUR = timedelta(hours=1)


def judged(
    *taken_at: str, at: str, rpo: timedelta | None = 2 * HOUR, next_start: str | None = None, failures: int = 0
) -> RpoStanding:
    outlook = Outlook(next_start_at=moment(next_start) if next_start else None, longest_gap=HOUR, failures=failures)
    taken = (snapshot(time, minutes=3) for time in taken_at)
    return judge_rpo(catalogue_of(*taken), rpo, now=moment(at), outlook=outlook)


def test_loss_is_the_time_since_the_newest_proven_snapshot_was_taken() -> None:
    """One that is not proven does not count, and the snapshot's own duration does not shorten the loss."""
    catalogue = catalogue_of(snapshot("2026-08-20 03:00"), snapshot("2026-08-20 04:00", state="unproven"))

    standing = judge_rpo(catalogue, 2 * HOUR, now=moment("2026-08-20 04:30"))

    assert standing.age == timedelta(minutes=90)
    assert standing.taken_at == moment("2026-08-20 03:00")
    assert standing.status is ObjectiveStatus.MET
    assert standing.breaks_at == moment("2026-08-20 05:00")


def test_objective_is_broken_when_the_loss_exceeds_it() -> None:
    """Then the next step takes a snapshot."""
    standing = judged("2026-08-20 03:00", at="2026-08-20 05:01", next_start="2026-08-20 05:01")

    assert standing.status is ObjectiveStatus.BROKEN
    assert "etcd-dr snapshot save" in standing.next_step


def test_loss_and_objective_are_told_as_different_numbers() -> None:
    """`1 min would be lost; the objective is 1 min` is what a tired person reads twice and doubts."""
    standing = judged("2026-08-20 03:00", at="2026-08-20 03:01", rpo=timedelta(seconds=50))

    assert standing.reason.startswith("1 min of writes would be lost; the objective is 50 s")
    assert exceeding_text(timedelta(minutes=60, seconds=9), HOUR) == "a little more than 1 h"
    assert exceeding_text(HOUR, HOUR) == "1 h"
    assert [time_text(timedelta(seconds=n)) for n in (9.96, 59.7, 72, 599.6, 3700)] == [
        "10.0 s",
        "1 min",
        "1 min 12 s",
        "10 min",
        "1 h 2 min",
    ]


def test_breach_is_foretold_when_the_next_snapshot_will_be_proven_too_late() -> None:
    """The run and its duration count: it begins within the objective and ends after it."""
    standing = judged("2026-08-20 03:00", at="2026-08-20 03:30", next_start="2026-08-20 04:58")

    assert standing.status is ObjectiveStatus.AT_RISK
    assert standing.projected == timedelta(hours=2, minutes=1)


def test_late_hour_is_no_risk_while_the_next_run_comes_in_time() -> None:
    """An hourly schedule with an objective of 65 minutes would otherwise warn every hour."""
    standing = judged(
        "2026-08-20 03:00", at="2026-08-20 03:59", rpo=timedelta(minutes=65), next_start="2026-08-20 04:00"
    )

    assert standing.status is ObjectiveStatus.MET


def test_failing_runs_put_the_objective_at_risk_from_a_share_of_it_on() -> None:
    """A retry is planned in time, and the ones before it failed as well."""
    early = judged("2026-08-20 03:00", at="2026-08-20 04:30", next_start="2026-08-20 04:35", failures=3)
    late = judged("2026-08-20 03:00", at="2026-08-20 04:36", next_start="2026-08-20 04:40", failures=3)

    assert early.status is ObjectiveStatus.MET
    assert late.status is ObjectiveStatus.AT_RISK


def test_overdue_run_is_projected_from_now() -> None:
    """A start in the past has not begun yet."""
    standing = judged("2026-08-20 03:00", at="2026-08-20 04:58", next_start="2026-08-20 04:00")

    assert standing.projected == timedelta(hours=2, minutes=1)


def test_schedule_that_cannot_meet_the_objective_is_known_from_the_start() -> None:
    """Its longest gap and the duration of a snapshot exceed it, although all goes well."""
    tight = judged("2026-08-20 03:00", at="2026-08-20 03:10", rpo=timedelta(minutes=62))
    enough = judged("2026-08-20 03:00", at="2026-08-20 03:10", rpo=timedelta(minutes=63))

    assert tight.schedule_is_too_slow
    assert not enough.schedule_is_too_slow


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (None, ObjectiveStatus.AT_RISK),
        ("2026-08-20 02:00", ObjectiveStatus.AT_RISK),
        ("2026-08-20 01:59", ObjectiveStatus.BROKEN),
    ],
)
def test_nothing_proven_breaks_an_objective_once_there_was_time_for_it(
    since: str | None, status: ObjectiveStatus
) -> None:
    """There is no age to tell; an installation that has just begun wakes nobody."""
    standing = judge_rpo(
        catalogue_of(), HOUR, now=moment("2026-08-20 03:00"), watching_since=moment(since) if since else None
    )

    assert standing.status is status
    assert standing.age is None


def test_without_an_objective_the_loss_is_told_and_not_judged() -> None:
    """The figures are there for whoever looks."""
    standing = judged("2026-08-20 03:00", at="2026-08-20 12:00", rpo=None)

    assert standing.status is ObjectiveStatus.UNSET
    assert standing.age == 9 * HOUR


def test_snapshot_from_the_future_loses_nothing() -> None:
    """A clock was wrong; a negative loss would be nonsense."""
    standing = judged("2026-08-20 03:05", at="2026-08-20 03:00")

    assert standing.age == timedelta(0)
    assert isinstance(standing.taken_at, datetime)
