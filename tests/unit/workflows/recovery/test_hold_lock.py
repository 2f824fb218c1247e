"""One recovery of one cluster at a time, on stores of every kind."""

from __future__ import annotations

import json

import pytest

from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import JournalDamaged, ObjectLocked, RecoveryLocked
from etcd_dr.workflows.recovery.hold_lock import acquire_lock, lock_key, read_lock, release_lock
from fakes.clock import MORNING
from fakes.object_store import FakeObjectStore

LAYOUT = ClusterLayout(prefix="backups", cluster="prod")
ALICE = RecoveryLock(recovery_id="r1", by="alice@home", place="/state", since=MORNING)
BOB = RecoveryLock(recovery_id="r2", by="bob@office", place="/state", since=MORNING)


def test_the_first_one_gets_it() -> None:
    """And it says who, where and since when."""
    store = FakeObjectStore()

    held = acquire_lock(store, LAYOUT, ALICE)

    assert held.is_certain
    assert read_lock(store, LAYOUT) == ALICE


def test_of_two_that_race_exactly_one_wins() -> None:
    """The second put finds the key taken."""
    store = FakeObjectStore()
    acquire_lock(store, LAYOUT, ALICE)

    with pytest.raises(RecoveryLocked) as raised:
        acquire_lock(store, LAYOUT, BOB)

    assert raised.value.context == {
        "recovery_id": "r1",
        "by": "alice@home",
        "place": "/state",
        "since": MORNING.isoformat(),
    }


def test_without_conditional_writes_a_writer_that_slips_through_is_noticed() -> None:
    """What is there after the put decides: the loser reads another name than its own."""
    store = FakeObjectStore(put_if_absent=False)
    plain = json.dumps(BOB.model_dump(mode="json")).encode()

    held = acquire_lock(store, LAYOUT, ALICE)
    store.plant(lock_key(LAYOUT), plain)

    assert not held.is_certain
    with pytest.raises(RecoveryLocked):
        acquire_lock(store, LAYOUT, ALICE)


def test_who_comes_back_to_the_same_place_has_it_already() -> None:
    """A command that was killed and is run again by the same person from the same directory needs no word."""
    store = FakeObjectStore()
    acquire_lock(store, LAYOUT, ALICE)

    again = acquire_lock(store, LAYOUT, ALICE.model_copy(update={"since": MORNING.replace(hour=5)}))

    assert again.taken_from is None
    assert again.lock.since == MORNING


def test_taking_over_is_for_the_same_recovery_only() -> None:
    """Another recovery's lock is never taken, whatever is wished."""
    store = FakeObjectStore()
    acquire_lock(store, LAYOUT, ALICE)

    taken = acquire_lock(store, LAYOUT, BOB.model_copy(update={"recovery_id": "r1"}), take_over=True)

    assert taken.taken_from == ALICE
    with pytest.raises(RecoveryLocked):
        acquire_lock(store, LAYOUT, BOB, take_over=True)


def test_releasing_frees_it_and_is_for_the_own_recovery_only() -> None:
    """A lock that somebody else has is left alone."""
    store = FakeObjectStore()
    acquire_lock(store, LAYOUT, ALICE)

    assert not release_lock(store, LAYOUT, BOB)
    assert release_lock(store, LAYOUT, ALICE)
    assert not release_lock(store, LAYOUT, ALICE)
    assert read_lock(store, LAYOUT) is None


def test_a_store_that_refuses_to_delete_gets_the_time_of_release() -> None:
    """A released lock counts as free, and the next recovery replaces it."""
    store = FakeObjectStore()
    acquire_lock(store, LAYOUT, ALICE)
    store.fail("delete", ObjectLocked("under retention"))

    assert release_lock(store, LAYOUT, ALICE)

    assert read_lock(store, LAYOUT) is None
    assert acquire_lock(store, LAYOUT, BOB).lock == BOB
    assert read_lock(store, LAYOUT) == BOB


def test_a_lock_that_does_not_parse_is_nobodys_to_break() -> None:
    """It is said to be damaged, with its place."""
    store = FakeObjectStore()
    store.plant(lock_key(LAYOUT), b"{}")

    with pytest.raises(JournalDamaged) as raised:
        acquire_lock(store, LAYOUT, ALICE)

    assert lock_key(LAYOUT) in raised.value.subject
