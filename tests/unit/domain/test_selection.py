"""Which snapshot somebody means, and what they are told when there is none."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.catalogue import Catalogue, DataState, UncommittedEntry, UnreadableEntry
from etcd_dr.domain.selection import (
    AtRevision,
    AtTime,
    ById,
    Latest,
    parse_moment,
    parse_selector,
    select,
)
from etcd_dr.errors import (
    EtcdDrError,
    ManifestInvalid,
    ManifestVersionUnknown,
    SnapshotAmbiguous,
    SnapshotNotFound,
    StoreError,
    UsageError,
)
from fakes.catalogue import State, catalogue_of, moment, snapshot

OLD = snapshot("2026-08-18 03:00", token="9f2c41d07b6a", revision=100)
MIDDLE = snapshot("2026-08-19 03:00", token="9f2caaaaaaaa", revision=200)
NEW = snapshot("2026-08-20 03:00", token="0123456789ab", revision=300, state="damaged")
CATALOGUE = catalogue_of(OLD, MIDDLE, NEW)


@pytest.mark.parametrize(
    "text",
    [str(OLD.id), "20260818", "20260818T030000Z-9", "9f2c41d07b6a", "9f2c4", "9F2C4", "20260818t03", "  9f2c4  "],
)
def test_an_id_or_the_beginning_of_one_names_a_snapshot(text: str) -> None:
    """The time as well as the token may be shortened, in upper or lower case."""
    assert select(CATALOGUE, parse_selector(text)).snapshot is OLD


def test_an_ambiguous_beginning_lists_its_candidates() -> None:
    """Nothing is chosen for somebody who did not say enough."""
    with pytest.raises(SnapshotAmbiguous) as caught:
        select(CATALOGUE, parse_selector("9f2c"))

    assert str(OLD.id) in str(caught.value)
    assert str(MIDDLE.id) in str(caught.value)
    assert str(NEW.id) not in str(caught.value)


def test_no_match_names_what_is_alike_and_the_command_that_lists() -> None:
    """A typing error in the last character is easily seen."""
    with pytest.raises(SnapshotNotFound) as caught:
        select(CATALOGUE, parse_selector("20260819T040000Z"))

    assert not isinstance(caught.value, SnapshotAmbiguous)
    assert str(MIDDLE.id) in str(caught.value)
    assert str(OLD.id) not in str(caught.value)
    assert "etcd-dr snapshot list --cluster prod" in caught.value.next_step


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("manifest.invalid", ManifestInvalid),
        ("manifest.version_unknown", ManifestVersionUnknown),
        ("store.denied", StoreError),
    ],
)
def test_unreadable_manifest_that_is_named_ends_in_its_own_error(code: str, kind: type[EtcdDrError]) -> None:
    """Damage is no typing error: whoever types its id learns that it is there, and why it cannot be used."""
    entry = UnreadableEntry("20260101T000000Z-aaaaaaaaaaaa", code, "does not parse")

    with pytest.raises(EtcdDrError, match="does not parse") as caught:
        select(replace(CATALOGUE, unreadable=(entry,)), parse_selector("20260101"))

    assert type(caught.value) is kind
    assert ("delete --broken" in caught.value.next_step) is (code == "manifest.invalid")


def test_a_folder_without_a_manifest_is_said_to_be_there() -> None:
    """Whoever types its id learns that it was never committed."""
    entry = UncommittedEntry("20260101T000000Z-aaaaaaaaaaaa", moment("2026-01-01"), 1, 9)

    with pytest.raises(SnapshotNotFound, match="never committed"):
        select(replace(CATALOGUE, uncommitted=(entry,)), parse_selector("20260101"))


@pytest.mark.parametrize("data", [DataState.MISSING, DataState.SIZE_DIFFERS])
def test_what_has_lost_its_data_is_not_the_latest_verified(data: DataState) -> None:
    """Its proofs were true once; a recovery needs what is there now."""
    older, newer = snapshot("2026-08-20 03:00"), snapshot("2026-08-20 04:00")
    catalogue = catalogue_of(older, replace(newer, data=data))

    assert select(catalogue, parse_selector("latest-verified")).snapshot.id == older.id
    assert catalogue.snapshots[-1].is_damaged
    assert catalogue.snapshots[-1].level is None


@pytest.mark.parametrize("text", ["", "   ", "9f2", "yesterday", "latest-proven", "../../etc", "9f2c*", "x" * 500])
def test_what_can_be_no_selector_is_a_usage_error(text: str) -> None:
    """Before any store is asked."""
    with pytest.raises(UsageError):
        parse_selector(text)


def test_latest_is_the_newest_whatever_its_state() -> None:
    """`latest` asks for time only."""
    assert select(CATALOGUE, parse_selector("latest")).snapshot is NEW


def test_latest_verified_is_the_newest_proven() -> None:
    """A newer damaged one is passed over."""
    assert select(CATALOGUE, parse_selector("latest-verified")).snapshot is MIDDLE


@pytest.mark.parametrize(("state", "step"), [("unproven", "snapshot verify"), ("damaged", "snapshot save")])
def test_without_a_proven_snapshot_there_is_no_latest_verified(state: State, step: str) -> None:
    """The newest one is named, with how to prove it; what is damaged is not worth a proof."""
    only = snapshot("2026-08-20 03:00", state=state)

    with pytest.raises(SnapshotNotFound) as caught:
        select(catalogue_of(only), Latest(verified=True))

    assert str(only.id) in str(caught.value)
    assert step in caught.value.next_step


@pytest.mark.parametrize(
    "selector", [Latest(), Latest(verified=True), ById("9f2c"), AtRevision(9), AtTime(moment("2026-01-01"))]
)
def test_in_an_empty_catalogue_nothing_is_found(selector: object) -> None:
    """Not even by a selector that cannot fail otherwise."""
    with pytest.raises(SnapshotNotFound):
        select(Catalogue("prod", ()), selector)


@pytest.mark.parametrize(
    ("at", "expected", "is_exact"),
    [
        ("2026-08-19 03:00", MIDDLE, True),
        ("2026-08-20 02:59:59", MIDDLE, False),
        ("2026-08-19 02:59:59", OLD, False),
        ("2030-01-01", NEW, False),
    ],
)
def test_a_time_is_the_newest_taken_at_or_before_it(at: str, expected: object, is_exact: bool) -> None:
    """Never one from after the moment that somebody wants to go back before."""
    selection = select(CATALOGUE, AtTime(moment(at)))

    assert selection.snapshot is expected
    assert selection.is_exact is is_exact


def test_a_time_before_all_snapshots_names_the_oldest() -> None:
    """What is not there is not replaced by what came later."""
    with pytest.raises(SnapshotNotFound, match=str(OLD.id)):
        select(CATALOGUE, AtTime(moment("2026-08-18 02:59:59")))


@pytest.mark.parametrize(
    ("revision", "expected", "is_exact"),
    [(300, NEW, True), (299, MIDDLE, False), (200, MIDDLE, True), (9_999, NEW, False)],
)
def test_a_revision_is_the_highest_at_or_below_it(revision: int, expected: object, is_exact: bool) -> None:
    """Whether it is that very revision is part of the answer."""
    selection = select(CATALOGUE, AtRevision(revision))

    assert selection.snapshot is expected
    assert selection.is_exact is is_exact


def test_of_two_snapshots_of_one_revision_the_later_counts() -> None:
    """Nothing was written in between; the later one has the later leases."""
    first, second = snapshot("2026-08-20 01:00", revision=7), snapshot("2026-08-20 02:00", revision=7)

    assert select(catalogue_of(first, second), AtRevision(7)).snapshot is second


def test_a_revision_below_all_names_the_lowest() -> None:
    """What was compacted away before the first snapshot cannot be had."""
    with pytest.raises(SnapshotNotFound, match=str(OLD.id)):
        select(CATALOGUE, AtRevision(99))


@pytest.mark.parametrize(
    ("text", "expected", "assumption"),
    [
        ("2026-08-20T03:00:00Z", "2026-08-20 03:00", ""),
        ("2026-08-20T05:00:00+02:00", "2026-08-20 03:00", ""),
        ("2026-08-20T05:00+0200", "2026-08-20 03:00", ""),
        ("20260820T030000Z", "2026-08-20 03:00", ""),
        ("2026-08-20 03:00", "2026-08-20 03:00", "UTC"),
        ("2026-08-20T03:00:00", "2026-08-20 03:00", "UTC"),
        (" 2026-08-20 ", "2026-08-20 00:00", "the beginning of that day and UTC"),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: str, assumption: str) -> None:
    """What was assumed is said."""
    assert parse_moment(text) == AtTime(moment(expected), assumption)


def test_an_assumed_zone_is_repeated_with_the_answer() -> None:
    """Somebody who meant local time notices."""
    selection = select(CATALOGUE, parse_moment("2026-08-19 04:00"))

    assert "read as UTC" in selection.note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2h ago",
        "03:00",
        "2026-13-01",
        "1755658800",
        "2026-08-20T03:00:00+99:00",
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_is_no_time_is_a_usage_error(text: str) -> None:
    """A wrong guess would recover the wrong state."""
    with pytest.raises(UsageError):
        parse_moment(text)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_every_written_moment_is_read_back(value: datetime) -> None:
    """RFC 3339 with a fraction survives."""
    assert parse_moment(value.isoformat()).moment == value


@given(st.text(max_size=50))
def test_any_text_is_a_selector_or_a_usage_error(text: str) -> None:
    """No other exception, whatever is typed."""
    for parse in (parse_selector, parse_moment):
        with contextlib.suppress(UsageError):
            parse(text)
