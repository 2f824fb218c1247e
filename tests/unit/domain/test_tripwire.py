"""When vanishing keys are a mass deletion, and what is to be kept then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from etcd_dr.domain.catalogue import Pin, Snapshot
from etcd_dr.domain.key_count import KeyFall, KeyReading
from etcd_dr.domain.tripwire import (
    TripwireTerms,
    fall_between,
    fall_between_snapshots,
    fall_since,
    last_good,
    open_trip,
    pin_reason,
    remember,
)
from fakes.catalogue import catalogue_of, moment, snapshot

NOON = moment("2026-08-20 12:00")
MINUTE = timedelta(minutes=1)
CLUSTER_ID = 0x9E2FA4CF38D7116F
TERMS = TripwireTerms(fall_percent=30, min_keys=500, within=timedelta(hours=1))


def reading(minute: float, keys: int, **changes: Any) -> KeyReading:
    plain = KeyReading(
        at=NOON + minute * MINUTE,
        keys=keys,
        counted=keys,
        revision=1000 + int(minute),
        raft_term=3,
        cluster_id=CLUSTER_ID,
    )
    return replace(plain, **changes)


def remembered(*readings: KeyReading) -> tuple[KeyReading, ...]:
    kept: tuple[KeyReading, ...] = ()
    for each in readings:
        kept = remember(kept, each, within=TERMS.within)
    return kept


def of_keys(taken_at: str, live_keys: int, **more: Any) -> Snapshot:
    plain = snapshot(taken_at, revision=more.pop("revision", 900), **more)
    database = plain.manifest.database.model_copy(update={"live_keys": live_keys})
    return replace(plain, manifest=plain.manifest.model_copy(update={"database": database}))


def fall(before: int = 2000, after: int = 500, at: str = "2026-08-20 12:01") -> KeyFall:
    return KeyFall(keys_before=before, before_at=NOON, keys_after=after, at=moment(at))


@pytest.mark.parametrize(
    ("before", "after", "is_one"),
    [
        (2000, 1400, True),
        (2000, 1401, False),  # not 30 %
        (1000, 501, False),  # half of them, and fewer than 500
        (1000, 500, True),
        (10_000, 0, True),
        (500, 900, False),
    ],
)
def test_fall_is_a_share_of_all_keys_and_a_least_number(before: int, after: int, is_one: bool) -> None:
    """Both limits count."""
    found = fall_between(remembered(reading(0, before), reading(1, after)), TERMS)

    assert (found is not None) is is_one


def test_fall_in_steps_is_measured_from_the_highest_count_of_the_time() -> None:
    """No single step is a fall; and what was lower before the peak does not matter."""
    kept = remembered(reading(0, 1000), reading(1, 3000), reading(20, 2600), reading(40, 2300), reading(59, 2100))

    found = fall_between(kept, TERMS)

    assert found is not None
    assert (found.keys_before, found.keys_after, found.percent) == (3000, 2100, 30.0)
    assert found.before_at == NOON + MINUTE


def test_what_went_before_the_time_is_forgotten() -> None:
    """The peak is more than an hour old."""
    assert fall_between(remembered(reading(0, 3000), reading(61, 2000)), TERMS) is None


def test_only_counts_that_matter_are_remembered() -> None:
    """A growing cluster needs one."""
    assert len(remembered(*(reading(minute, 1000 + minute) for minute in range(50)))) == 1


@pytest.mark.parametrize(
    "changes",
    [{"cluster_id": 1}, {"revision": 5}, {"raft_term": 2}, {"revision": 1_001_000}],
    ids=["another cluster", "revision back", "term back", "revision bumped"],
)
def test_recovery_begins_a_new_history(changes: dict[str, int]) -> None:
    """Fewer keys in restored data are no deletion; the same fall a minute later is one."""
    restored = reading(1, 100, **changes)
    grown = replace(restored, at=NOON + 2 * MINUTE, counted=1000, keys=1000)
    gone = replace(grown, at=NOON + 3 * MINUTE, counted=10, keys=10)

    assert fall_between(remembered(reading(0, 2000), restored), TERMS) is None
    assert fall_between(remembered(reading(0, 2000), restored, grown, gone), TERMS) is not None


def test_many_writes_in_a_long_time_are_no_recovery() -> None:
    """A million revisions in half an hour are a busy cluster."""
    kept = remembered(reading(0, 2000), reading(30, 100, revision=1_500_000))

    assert fall_between(kept, TERMS) is not None


def test_first_count_is_compared_with_the_newest_snapshot() -> None:
    """With all its keys, of the same cluster, and not of the day before."""
    now = reading(1, 100)

    assert fall_since(of_keys("2026-08-20 11:00", 2000), now, TERMS) is not None
    assert fall_since(of_keys("2026-08-20 11:00", 500), now, TERMS) is None
    assert fall_since(of_keys("2026-08-20 11:00", 2000, cluster_id="1"), now, TERMS) is None
    assert fall_since(of_keys("2026-08-20 11:00", 2000, cluster_id=None), now, TERMS) is None
    assert fall_since(of_keys("2026-08-20 11:00", 2000, revision=5000), now, TERMS) is None
    assert fall_since(of_keys("2026-08-19 11:00", 2000), now, TERMS) is None
    assert fall_since(None, now, TERMS) is None


def test_two_newest_proven_snapshots_are_compared_where_nobody_counts() -> None:
    """An unproven one between them is passed over; one of another cluster is not comparable."""
    older, newer = of_keys("2026-08-20 10:00", 2000), of_keys("2026-08-20 12:00", 100, revision=901)
    unproven = of_keys("2026-08-20 11:00", 100, state="unproven")

    found = fall_between_snapshots(catalogue_of(older, unproven, newer), TERMS)

    assert found is not None
    assert found.at == newer.taken_at
    assert fall_between_snapshots(catalogue_of(newer), TERMS) is None
    other = of_keys("2026-08-20 12:00", 100, revision=901, cluster_id="1")
    assert fall_between_snapshots(catalogue_of(older, other), TERMS) is None


def test_last_good_snapshot_still_has_the_keys() -> None:
    """A newer one that was taken in the middle of the deletion is passed over, unless there is no other."""
    good, half = of_keys("2026-08-20 11:00", 2000), of_keys("2026-08-20 11:59", 900)
    damaged = of_keys("2026-08-20 11:58", 2000, state="damaged")

    assert last_good(catalogue_of(good, damaged, half), fall(), TERMS) == good
    assert last_good(catalogue_of(half), fall(), TERMS) == half
    assert last_good(catalogue_of(), fall(), TERMS) is None
    assert last_good(catalogue_of(good, of_keys("2026-08-20 12:05", 2000)), fall(), TERMS) == good


@pytest.mark.parametrize(("first", "second"), [("000000000001", "ffffffffffff"), ("ffffffffffff", "000000000001")])
def test_keys_that_vanish_between_two_snapshots_of_one_second_are_kept(first: str, second: str) -> None:
    """A small cluster is saved in a tenth of a second, and `taken_at` counts whole ones."""
    good = of_keys("2026-08-20 12:00", 2000, token=first, minutes=0.003)
    bare = of_keys("2026-08-20 12:00", 3, token=second, minutes=0.012, revision=901)

    found = fall_between_snapshots(catalogue_of(bare, good), TERMS)

    assert found is not None
    assert last_good(catalogue_of(bare, good), found, TERMS) == good
    held = replace(good, pin=Pin(at=NOON, by="x", fall=found))
    trip = open_trip(catalogue_of(bare, held), hold=TERMS.hold, now=NOON)
    assert trip is not None
    assert (trip.snapshot_id, trip.next_id) == (str(good.id), str(bare.id))


def test_open_trip_is_the_newest_fall_that_is_pinned() -> None:
    """For as long as it is held; a person's pin is none."""

    def pinned(taken_at: str, found: KeyFall | None) -> Snapshot:
        return replace(of_keys(taken_at, 2000), pin=Pin(at=NOON, by="x", fall=found))

    first, second = fall(at="2026-08-20 12:01"), fall(at="2026-08-20 14:01")
    stored = catalogue_of(
        pinned("2026-08-20 11:00", first),
        pinned("2026-08-20 13:00", second),
        pinned("2026-08-20 09:00", None),
        of_keys("2026-08-20 15:00", 3),
    )

    trip = open_trip(stored, hold=timedelta(days=7), now=moment("2026-08-21 12:00"))

    assert trip is not None
    assert trip.fall == second
    assert trip.snapshot_id.startswith("20260820T1300")
    assert trip.next_id is not None
    assert trip.next_id.startswith("20260820T1500")
    assert open_trip(stored, hold=timedelta(days=7), now=moment("2026-08-27 14:00")) is not None
    assert open_trip(stored, hold=timedelta(days=7), now=moment("2026-08-27 15:00")) is None


def test_pin_tells_the_numbers_and_keeps_what_a_person_said() -> None:
    """Its own words are not repeated when it is pinned again."""
    own = Pin(at=NOON, by="etcd-dr tripwire", reason="mass deletion", fall=fall())
    theirs = Pin(at=NOON, by="ops", reason="before the upgrade")

    assert "2000 keys at 2026-08-20 12:00 UTC, 500 at 2026-08-20 12:01 UTC (-75 %)" in pin_reason(fall())
    assert "ops: before the upgrade" in pin_reason(fall(), earlier=theirs)
    assert pin_reason(fall(), earlier=own) == pin_reason(fall())
