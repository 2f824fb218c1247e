"""A journal in two places: here it counts, there it is caught up, and two stories are never mixed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry
from etcd_dr.errors import Busy, JournalDamaged, StoreUnreachable
from etcd_dr.workflows.recovery.mirrored_journal import MirroredJournal
from fakes.clock import MORNING, FakeClock
from fakes.events import RecordingEvents
from fakes.journal_store import FakeJournalStore

ID = "20260820T030000Z-000000000001"


class Both:
    def __init__(self) -> None:
        self.here, self.there = FakeJournalStore("here"), FakeJournalStore("there")
        self.clock, self.events = FakeClock(), RecordingEvents()
        self.journal = MirroredJournal(self.here, self.there, clock=self.clock, events=self.events)

    def append(self, number: int, *, by: str = "alice") -> None:
        self.journal.append(entry(number, by=by))


def entry(number: int, *, by: str = "alice") -> JournalEntry:
    return JournalEntry(
        recovery_id=ID, number=number, at=MORNING + timedelta(seconds=number), kind=EntryKind.INTENT, by=by
    )


def test_an_entry_counts_although_the_mirror_is_gone() -> None:
    """The recovery goes on, and says how many entries the store lacks."""
    both = Both()
    both.there.fail(StoreUnreachable("gone"))

    both.append(1)

    assert both.here.entries(ID) == (entry(1),)
    assert both.journal.lag == 1
    assert both.events.of("journal.mirror_lags")[0].fields["entries"] == 1


def test_a_mirror_that_is_gone_is_left_alone_for_a_while() -> None:
    """A dead store costs one timeout now and then, not one for each step."""
    both = Both()
    both.there.fail(StoreUnreachable("gone"), times=100)

    for number in range(1, 11):
        both.append(number)

    assert len(both.events.of("journal.mirror_lags")) == 1
    both.clock.advance(6)
    both.append(11)
    assert len(both.events.of("journal.mirror_lags")) == 2
    assert both.journal.lag == 11


def test_what_is_missing_is_brought_in_order_with_a_later_entry() -> None:
    """The mirror never has a gap."""
    both = Both()
    both.there.fail(StoreUnreachable("gone"))
    both.append(1)
    both.append(2)
    both.clock.advance(60)

    both.append(3)

    assert both.there.entries(ID) == (entry(1), entry(2), entry(3))
    assert both.journal.lag == 0


def test_a_mirror_that_somebody_else_went_on_in_is_busy() -> None:
    """The run stops before it touches anything more."""
    both = Both()
    both.append(1)
    both.there.append(entry(2, by="bob"))

    with pytest.raises(Busy):
        both.append(2)


def test_opening_gives_each_place_what_it_lacks() -> None:
    """On another machine the journal comes from the store; after an outage the store gets it from here."""
    both = Both()
    both.there.append(entry(1))
    both.here.append(entry(1))
    both.here.append(entry(2))
    elsewhere = Both()
    elsewhere.there.append(entry(1))

    assert both.journal.entries(ID) == both.there.entries(ID) == (entry(1), entry(2))
    assert elsewhere.journal.entries(ID) == elsewhere.here.entries(ID) == (entry(1),)


def test_looking_copies_nothing() -> None:
    """Who only asks where a recovery stands leaves both places as they are, and learns what the store lacks."""
    both = Both()
    looking = MirroredJournal(both.here, both.there, clock=both.clock, events=both.events, only_reads=True)
    both.there.append(entry(1))
    both.here.append(entry(1))
    both.here.append(entry(2))

    assert looking.entries(ID) == (entry(1), entry(2))
    assert looking.lag == 1
    assert both.there.entries(ID) == (entry(1),)


def test_two_stories_of_one_recovery_are_never_mixed() -> None:
    """It went on elsewhere while this machine was cut off: said with the entry at which they part."""
    both = Both()
    for kept in (both.here, both.there):
        kept.append(entry(1))
    both.here.append(entry(2))
    both.there.append(entry(2, by="bob"))

    with pytest.raises(JournalDamaged, match="entry 2") as raised:
        both.journal.entries(ID)

    assert raised.value.context["by"] == "bob"


def test_without_the_mirror_what_is_here_is_enough() -> None:
    """A journal that is here can be read and gone on with while the store is gone."""
    both = Both()
    both.here.append(entry(1))
    both.there.fail(StoreUnreachable("gone"))

    assert both.journal.entries(ID) == (entry(1),)


def test_without_the_mirror_and_with_nothing_here_the_store_is_what_is_missing() -> None:
    """An empty answer would be a lie."""
    both = Both()
    both.there.fail(StoreUnreachable("gone"))

    with pytest.raises(StoreUnreachable):
        both.journal.entries(ID)
