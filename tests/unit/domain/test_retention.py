"""What stays, what goes, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.catalogue import Catalogue, Snapshot, UnreadableEntry
from etcd_dr.domain.drill import DrillRecord
from etcd_dr.domain.manifest import CompanionsFacts, StageFacts
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.retention import CLOCK_TOLERANCE, ReasonCode, RetentionPlan, RetentionPolicy, decide_retention
from fakes.catalogue import State, catalogue_of, moment, snapshot

NOW = moment("2026-08-20 12:00")


def decided(catalogue: Catalogue, *, now: datetime = NOW, **policy: object) -> RetentionPlan:
    return decide_retention(catalogue, RetentionPolicy(**policy), now=now)


def kept(plan: RetentionPlan, pattern: str = "%Y-%m-%d %H:%M") -> list[str]:
    return [decision.snapshot.taken_at.strftime(pattern) for decision in plan.kept]


def codes(plan: RetentionPlan, taken_at: str) -> set[ReasonCode]:
    (decision,) = [d for d in plan.decisions if d.snapshot.taken_at == moment(taken_at)]
    return {reason.code for reason in decision.reasons}


def every(step: timedelta, count: int, *, until: datetime = NOW, **fields: object) -> list[Snapshot]:
    return [snapshot(until - number * step, **fields) for number in range(count)]


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_an_empty_policy_keeps_everything() -> None:
    """Nobody's snapshots vanish because nothing was configured."""
    plan = decided(catalogue_of(*every(DAY, 400), snapshot("2020-01-01", state="damaged")))

    assert not plan.removed
    assert ReasonCode.EVERYTHING in codes(plan, "2020-01-01")


def test_the_newest_of_each_bucket_stays_and_the_reasons_say_which() -> None:
    """A day is represented by its last snapshot; a snapshot that serves several rules lists them all."""
    plan = decided(catalogue_of(*every(HOUR, 60)), keep_daily=2, keep_hourly=3)

    assert kept(plan) == ["2026-08-19 23:00", "2026-08-20 10:00", "2026-08-20 11:00", "2026-08-20 12:00"]
    assert codes(plan, "2026-08-20 12:00") == {ReasonCode.NEWEST_PROVEN, ReasonCode.HOURLY, ReasonCode.DAILY}
    assert codes(plan, "2026-08-19 23:00") == {ReasonCode.DAILY}


def proven_again(at: str, level: ProofLevel, *, on: str, **more: object) -> Snapshot:
    """A snapshot with one proof more, made of the stored object at another time."""
    one = snapshot(at, stages=(StageFacts(name="age", parameters={"recipients": ("age1alice",)}),))
    told = ProofResult.PASSED if "result" not in more else more.pop("result")
    origin = ProofOrigin.STORED_OBJECT if "made_from" not in more else more.pop("made_from")
    proof = Proof(level=level, result=told, at=moment(on), made_from=origin, detail="", tool_version="0", **more)
    return replace(one, proofs=(*one.proofs, proof))


def test_the_proof_that_a_recovery_works_stays() -> None:
    """Hourly snapshots and a weekly drill: the day after, nobody would know that there ever was one."""
    whole = DrillRecord(phases={}, rto_seconds=30.0)
    plan = decided(
        catalogue_of(
            *every(HOUR, 30),
            proven_again("2026-08-01", ProofLevel.RESTORABLE, on="2026-08-02", drill=whole),
            proven_again("2026-08-03", ProofLevel.RESTORABLE, on="2026-08-04", drill=whole),
            proven_again("2026-08-05", ProofLevel.RESTORABLE, on="2026-08-06", made_from=ProofOrigin.SCRATCH),
            proven_again("2026-08-06", ProofLevel.RESTORABLE, on="2026-08-07", result=ProofResult.FAILED),
            proven_again("2026-08-02", ProofLevel.INTACT, on="2026-08-08"),
        ),
        keep_last=1,
    )

    assert kept(plan, "%m-%d") == ["08-02", "08-03", "08-05", "08-20"]
    assert codes(plan, "2026-08-03") == {ReasonCode.EVIDENCE}


def test_what_goes_has_a_reason_for_each_rule() -> None:
    """`prune --dry-run` can explain every removal."""
    plan = decided(catalogue_of(*every(HOUR, 60)), keep_daily=2, keep_hourly=3)

    assert codes(plan, "2026-08-20 09:00") == {ReasonCode.REPRESENTED, ReasonCode.BEYOND}
    assert codes(plan, "2026-08-18 03:00") == {ReasonCode.BEYOND}


def test_empty_buckets_use_up_no_number() -> None:
    """Days without a snapshot do not shorten the history."""
    days = ["2026-08-20", "2026-08-03", "2026-05-01", "2026-01-09"]

    plan = decided(catalogue_of(*map(snapshot, days)), keep_daily=3)

    assert kept(plan, "%Y-%m-%d") == ["2026-05-01", "2026-08-03", "2026-08-20"]


def test_a_proven_snapshot_represents_its_bucket_before_newer_ones() -> None:
    """A bucket is never represented by a damaged copy while it has a proven one, nor by one of unknown worth."""
    plan = decided(
        catalogue_of(
            snapshot("2026-08-20 11:00"),
            snapshot("2026-08-19 20:00"),
            snapshot("2026-08-19 21:00", state="unproven"),
            snapshot("2026-08-19 22:00", state="diverged"),
        ),
        keep_daily=2,
    )

    assert kept(plan) == ["2026-08-19 20:00", "2026-08-20 11:00"]


@pytest.mark.parametrize("state", ["unproven", "stored", "inconclusive", "damaged", "diverged"])
def test_snapshots_that_are_not_proven_do_not_count(state: State) -> None:
    """A row of failed ones displaces no good one: they stay as the best of their day, and the count goes on."""
    bad = every(DAY, 5, until=NOW - DAY, state=state)
    good = every(DAY, 5, until=NOW - 6 * DAY)

    plan = decided(catalogue_of(snapshot(NOW), *bad, *good), keep_daily=3)

    assert kept(plan, "%d") == ["13", "14", "15", "16", "17", "18", "19", "20"]
    assert "does not count" in str(plan.kept[3].reasons[0])


def test_among_bad_copies_of_a_day_the_unknown_one_is_better_than_the_damaged_one() -> None:
    """Where no proven copy exists the best one there is stays."""
    plan = decided(
        catalogue_of(
            snapshot("2026-08-20 11:00"),
            snapshot("2026-08-19 10:00", state="unproven"),
            snapshot("2026-08-19 11:00", state="damaged"),
        ),
        keep_daily=2,
    )

    assert kept(plan) == ["2026-08-19 10:00", "2026-08-20 11:00"]


def test_a_damaged_one_goes_once_enough_proven_ones_are_in_front_of_it() -> None:
    """Evidence is not kept for ever."""
    plan = decided(catalogue_of(*every(DAY, 3), snapshot("2026-08-01", state="damaged")), keep_daily=3)

    assert [d.snapshot.taken_at for d in plan.removed] == [moment("2026-08-01")]


def test_nothing_goes_where_nothing_is_proven() -> None:
    """Without one good snapshot all others may be needed."""
    plan = decided(catalogue_of(*every(HOUR, 50, state="unproven")), keep_last=1)

    assert not plan.removed
    assert codes(plan, "2026-08-20 12:00") == {ReasonCode.NOTHING_PROVEN, ReasonCode.LAST}


def test_nothing_newer_than_the_newest_proven_one_goes() -> None:
    """What came after the last good snapshot stays until something newer is proven."""
    newer = every(HOUR, 10, state="damaged")
    older = every(HOUR, 10, until=NOW - 10 * HOUR)

    plan = decided(catalogue_of(*newer, *older), keep_daily=1)

    assert len(plan.kept) == 11
    assert ReasonCode.NEWEST_PROVEN in codes(plan, "2026-08-20 02:00")
    assert ReasonCode.UNPROVEN_GAP in codes(plan, "2026-08-20 04:00")


def test_the_newest_proven_one_stays_although_no_rule_reaches_it() -> None:
    """Even `last 1` with newer unproven ones keeps the one that works."""
    plan = decided(catalogue_of(snapshot("2020-02-02"), *every(HOUR, 5, state="unproven")), keep_last=1)

    assert ReasonCode.NEWEST_PROVEN in codes(plan, "2020-02-02")


def test_a_number_of_restore_points_can_be_asked_for() -> None:
    """However small the counts, so many proven snapshots stay."""
    plan = decided(catalogue_of(*every(HOUR, 9)), keep_daily=1, min_restore_points=3)

    assert kept(plan, "%H") == ["10", "11", "12"]
    assert codes(plan, "2026-08-20 10:00") == {ReasonCode.RESTORE_POINT}


def test_the_floor_of_restore_points_is_one() -> None:
    """Zero would mean that the last good snapshot may go."""
    plan = decided(
        catalogue_of(snapshot("2026-08-20 01:00"), snapshot(NOW, state="damaged")), keep_last=1, min_restore_points=0
    )

    assert len(plan.kept) == 2


def test_pinned_snapshots_stay_with_their_reason() -> None:
    """Whoever asks why an old one is still there reads who pinned it."""
    plan = decided(catalogue_of(*every(HOUR, 3), snapshot("2020-01-01", pinned=True)), keep_last=1)

    assert ReasonCode.PINNED in codes(plan, "2020-01-01")
    assert str(plan.kept[0].reasons[0]) == "pinned by somebody: before an upgrade"


def test_a_pinned_snapshot_may_stand_for_its_bucket() -> None:
    """A pin adds nothing to what the rules keep beside it."""
    plan = decided(catalogue_of(snapshot("2026-08-20 10:00"), snapshot("2026-08-20 11:00", pinned=True)), keep_daily=1)

    assert kept(plan, "%H") == ["11"]


def test_snapshots_of_another_cluster_are_not_ours_to_remove_or_to_count() -> None:
    """A manifest that names another cluster was copied here by somebody."""
    foreign = every(HOUR, 5, cluster="staging")
    own = every(HOUR, 5, until=NOW - 6 * HOUR)

    plan = decided(catalogue_of(*foreign, *own), keep_last=2)

    assert len(plan.kept) == 7
    assert codes(plan, "2026-08-20 12:00") == {ReasonCode.OTHER_CLUSTER}
    assert ReasonCode.NEWEST_PROVEN in codes(plan, "2026-08-20 06:00")


def test_unreadable_entries_are_reported_and_never_decided_about() -> None:
    """What cannot be read cannot be judged."""
    entry = UnreadableEntry("20260101T000000Z-000000000000", "manifest.invalid", "does not parse")

    plan = decided(replace(catalogue_of(*every(HOUR, 3)), unreadable=(entry,)), keep_last=1)

    assert plan.unreadable == (entry,)
    assert entry.name not in {str(decision.id) for decision in plan.decisions}


def test_a_snapshot_from_the_future_protects_nothing_and_is_not_touched() -> None:
    """One wrong clock must not make an unreal snapshot the newest proven one while the real ones go."""
    plan = decided(catalogue_of(snapshot("2036-01-01"), *every(HOUR, 5)), keep_last=2)

    assert codes(plan, "2036-01-01") == {ReasonCode.FUTURE}
    assert ReasonCode.NEWEST_PROVEN in codes(plan, "2026-08-20 12:00")
    assert len(plan.kept) == 3


def test_a_small_lead_of_the_clock_is_no_future() -> None:
    """Machines differ by minutes, and a snapshot that was just taken elsewhere is not odd."""
    ahead = snapshot(NOW + CLOCK_TOLERANCE)

    assert ReasonCode.NEWEST_PROVEN in codes(decided(catalogue_of(ahead), keep_last=1), str(ahead.taken_at))


def test_a_clock_that_fell_back_here_removes_nothing() -> None:
    """After a reset to 1970 every snapshot lies in the future, so all stay."""
    plan = decided(catalogue_of(*every(DAY, 30)), now=datetime(1970, 1, 1, tzinfo=UTC), keep_last=1)

    assert not plan.removed


def test_a_clock_that_runs_far_ahead_here_changes_nothing() -> None:
    """Ages count from the newest proven snapshot, so the year 2040 removes no more than today does."""
    catalogue = catalogue_of(*every(DAY, 30))
    policy = {"keep_daily": 3, "keep_within": timedelta(days=10)}

    assert kept(decided(catalogue, now=NOW.replace(year=2040), **policy)) == kept(decided(catalogue, **policy))


def test_a_snapshot_taken_while_the_clock_was_behind_stays() -> None:
    """Its time says that it is old, its revision that it is the newest: the revision is believed."""
    behind = snapshot("2020-01-01 00:30", revision=9_000)
    others = [snapshot(NOW - hour * HOUR, revision=8_000 - hour) for hour in range(5)]

    plan = decided(catalogue_of(behind, *others), keep_last=2)

    assert codes(plan, "2020-01-01 00:30") >= {ReasonCode.CLOCK_BEHIND}


def test_higher_revisions_of_another_etcd_cluster_prove_nothing_about_clocks() -> None:
    """A cluster that was made anew counts from one again."""
    old = snapshot("2020-01-01", revision=9_000, cluster_id="aaaa")

    plan = decided(catalogue_of(old, snapshot(NOW, revision=10)), keep_last=1)

    assert [d.id for d in plan.removed] == [old.id]


def test_within_keeps_everything_of_that_time_whatever_its_state() -> None:
    """`within` is a promise about time, not about worth."""
    states: list[State] = ["proven", "damaged", "unproven", "proven", "damaged", "proven"]
    row = [snapshot(NOW - place * DAY, state=state) for place, state in enumerate(states)]

    plan = decided(catalogue_of(*row), keep_within=timedelta(days=3))

    assert kept(plan, "%d") == ["17", "18", "19", "20"]


def test_history_does_not_melt_away_while_nothing_new_arrives() -> None:
    """A year after the operator stopped, `within 30 days` still means the 30 days before the last good snapshot."""
    catalogue = catalogue_of(*every(DAY, 100))

    plan = decided(catalogue, now=NOW + timedelta(days=365), keep_within=timedelta(days=30))

    assert len(plan.kept) == 31


def test_days_are_those_of_the_policys_time_zone() -> None:
    """23:30 UTC is the next day in Berlin."""
    times = ["2026-08-18 23:30", "2026-08-19 21:30", "2026-08-19 22:30", "2026-08-20 11:00"]

    plan = decided(catalogue_of(*map(snapshot, times)), keep_daily=2, time_zone=ZoneInfo("Europe/Berlin"))

    assert kept(plan) == ["2026-08-19 21:30", "2026-08-20 11:00"]


def test_the_hour_that_the_clock_change_repeats_is_two_hours() -> None:
    """On the last Sunday of October 02:30 comes twice in Berlin; both are kept."""
    times = ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"]

    plan = decided(
        catalogue_of(*map(snapshot, times)),
        keep_hourly=3,
        time_zone=ZoneInfo("Europe/Berlin"),
        now=moment("2026-11-01"),
    )

    assert len(plan.kept) == 3


def test_weeks_are_iso_weeks_across_the_year() -> None:
    """31 December 2026 and 1 January 2027 lie in one week, 2026-W53."""
    times = ["2026-12-20", "2026-12-31", "2027-01-01", "2027-01-04"]

    plan = decided(catalogue_of(*map(snapshot, times)), keep_weekly=2, now=moment("2027-01-05"))

    assert kept(plan, "%Y-%m-%d") == ["2027-01-01", "2027-01-04"]


YEAR_OF_HOURS = [
    "2025-08-20",
    "2025-12-31",
    "2026-01-31",
    "2026-02-28",
    "2026-03-31",
    "2026-04-30",
    "2026-05-31",
    "2026-06-30",
    "2026-07-26",
    "2026-07-31",
    "2026-08-02",
    "2026-08-09",
    "2026-08-14",
    "2026-08-15",
    "2026-08-16",
    "2026-08-17",
    "2026-08-18",
]


def test_a_year_of_hourly_snapshots() -> None:
    """The golden table: 24 hourly, 7 daily, 5 weekly, 8 monthly, 2 yearly of 8,785 snapshots leave 41."""
    pinned = snapshot("2025-08-20 12:30", pinned=True)
    catalogue = catalogue_of(*every(HOUR, 365 * 24 + 1), pinned)

    plan = decided(catalogue, keep_hourly=24, keep_daily=7, keep_weekly=5, keep_monthly=8, keep_yearly=2)

    hourly, older = kept(plan)[-24:], kept(plan, "%Y-%m-%d")[:-24]
    assert hourly[0] == "2026-08-19 13:00"
    assert hourly[-1] == "2026-08-20 12:00"
    assert older == YEAR_OF_HOURS
    assert len(plan.kept) == 41


# Properties: whatever the catalogue and the policy.

states = st.sampled_from(["proven", "proven", "proven", "unproven", "damaged", "diverged", "inconclusive"])


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    minutes = draw(st.lists(st.integers(-60 * 24 * 3, 60 * 24 * 800), max_size=25, unique=True))
    return catalogue_of(
        *(
            snapshot(
                NOW - timedelta(minutes=minute),
                state=draw(states),
                pinned=draw(st.integers(0, 9)) == 0,
                cluster="staging" if draw(st.integers(0, 9)) == 0 else "prod",
                revision=draw(st.integers(1, 50)) if draw(st.integers(0, 4)) == 0 else None,
            )
            for minute in minutes
        )
    )


counts = st.integers(0, 4)
policies = st.builds(
    RetentionPolicy,
    keep_last=counts,
    keep_hourly=counts,
    keep_daily=counts,
    keep_weekly=counts,
    keep_monthly=counts,
    keep_yearly=counts,
    keep_within=st.none() | st.timedeltas(timedelta(0), timedelta(days=400)),
    min_restore_points=counts,
    time_zone=st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("Pacific/Apia")]),
)


@given(catalogues(), policies)
def test_the_newest_proven_snapshot_is_never_removed(catalogue: Catalogue, policy: RetentionPolicy) -> None:
    """Newest among those that are ours and whose time has come."""
    plan = decide_retention(catalogue, policy, now=NOW)

    proven = [
        s
        for s in catalogue.snapshots
        if s.is_proven and s.manifest.cluster == "prod" and s.taken_at <= NOW + CLOCK_TOLERANCE
    ]
    removed = {decision.id for decision in plan.removed}
    assert not proven or proven[-1].id not in removed
    assert not {s.id for s in proven[-policy.min_restore_points :]} & removed or not policy.min_restore_points


@given(catalogues(), policies)
def test_pinned_and_foreign_ones_are_never_removed(catalogue: Catalogue, policy: RetentionPolicy) -> None:
    """No policy reaches them."""
    plan = decide_retention(catalogue, policy, now=NOW)

    assert all(d.snapshot.pin is None and d.snapshot.manifest.cluster == "prod" for d in plan.removed)


@given(catalogues(), policies)
def test_every_snapshot_is_decided_once_with_a_reason(catalogue: Catalogue, policy: RetentionPolicy) -> None:
    """Nothing is forgotten, and nothing happens without a word."""
    plan = decide_retention(catalogue, policy, now=NOW)

    assert [decision.id for decision in plan.decisions] == [s.id for s in catalogue.snapshots]
    assert all(decision.reasons for decision in plan.decisions)


@given(catalogues(), policies)
def test_applied_twice_it_removes_nothing_more(catalogue: Catalogue, policy: RetentionPolicy) -> None:
    """A prune after a prune is a no-op."""
    first = decide_retention(catalogue, policy, now=NOW)

    again = decide_retention(catalogue_of(*(d.snapshot for d in first.kept)), policy, now=NOW)

    assert not again.removed


@given(catalogues(), policies, policies)
def test_a_larger_policy_never_removes_more(
    catalogue: Catalogue, policy: RetentionPolicy, addition: RetentionPolicy
) -> None:
    """Asking for more keeps at least what was kept before."""
    larger = RetentionPolicy(
        **{
            name: getattr(policy, name) + getattr(addition, name)
            for name in ("keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly")
        },
        keep_within=max(filter(None, (policy.keep_within, addition.keep_within)), default=policy.keep_within),
        min_restore_points=policy.min_restore_points + addition.min_restore_points,
        time_zone=policy.time_zone,
    )

    before = decide_retention(catalogue, policy, now=NOW)
    after = decide_retention(catalogue, larger, now=NOW)

    assert policy.is_empty or {d.id for d in before.kept} <= {d.id for d in after.kept}


@given(catalogues(), policies, st.integers(0, 24))
def test_a_pin_never_costs_another_snapshot(catalogue: Catalogue, policy: RetentionPolicy, place: int) -> None:
    """Pinning one keeps that one and changes nothing for the rest."""
    if place >= len(catalogue.snapshots):
        return
    pin = snapshot(NOW, pinned=True).pin
    pinned = [replace(s, pin=pin) if n == place else s for n, s in enumerate(catalogue.snapshots)]

    before = decide_retention(catalogue, policy, now=NOW)
    after = decide_retention(catalogue_of(*pinned), policy, now=NOW)

    assert {d.id for d in before.kept} | {pinned[place].id} == {d.id for d in after.kept}


@given(catalogues(), policies, st.datetimes(timezones=st.just(UTC), min_value=NOW.replace(tzinfo=None)))
def test_a_clock_ahead_removes_at_most_what_lay_in_the_future(
    catalogue: Catalogue, policy: RetentionPolicy, later: datetime
) -> None:
    """Without snapshots of the future, the present time changes nothing."""
    past = catalogue_of(*(s for s in catalogue.snapshots if s.taken_at <= NOW))

    assert kept(decide_retention(past, policy, now=later)) == kept(decide_retention(past, policy, now=NOW))


def test_freed_bytes_count_data_and_companions() -> None:
    """What lies beside the database is deleted with it, and takes room too."""
    old, new = snapshot("2026-08-19 03:00", stored=b"x" * 100), snapshot("2026-08-20 03:00", stored=b"x" * 7)
    beside = CompanionsFacts(
        plain_digest=old.manifest.plain_digest,
        plain_size_bytes=90,
        stored_digest=old.manifest.stored_digest,
        stored_size_bytes=40,
        stages=(),
        files=(),
    )
    old = replace(old, manifest=old.manifest.model_copy(update={"companions": beside}))

    plan = decided(catalogue_of(old, new), keep_last=1)

    assert plan.freed_bytes == 140
