"""What a journal and a lock say to somebody who does not run the recovery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.watched import WatchedRecovery, WatchedState
from fakes.clock import MORNING

ID = "20260820T040100Z-000000000001"
LOCK = RecoveryLock(recovery_id=ID, by="alice@home", place="/state", since=MORNING)


def journal(*said: str) -> list[JournalEntry]:
    """Return entries a minute apart, each written as `kind step`."""
    entries = []
    for number, line in enumerate(said, start=1):
        kind, _, step = line.partition(" ")
        at = MORNING + timedelta(minutes=number)
        entries.append(
            JournalEntry(recovery_id=ID, number=number, at=at, kind=EntryKind(kind), step=step, by="alice@home")
        )
    return entries


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (["begun"], "running"),
        (["begun", "intent a"], "running"),
        (["begun", "intent a", "failed a"], "failed"),
        (["begun", "intent a", "intent b", "failed a", "done b"], "failed"),
        (["begun", "intent a", "failed a", "resumed"], "running"),
        (["begun", "intent a", "failed a", "resumed", "intent a", "done a"], "running"),
        (["begun", "intent a", "failed a", "aborting"], "aborting"),
        (["begun", "intent a", "aborting", "undo-intent a", "failed a"], "failed"),
        (["begun", "intent a", "aborting", "undo-intent a", "failed a", "undo-intent a"], "aborting"),
        (["begun", "stopped a"], "stopped"),
        (["begun", "intent a", "done a", "finished"], "finished"),
        (["begun", "aborting", "aborted"], "aborted"),
    ],
)
def test_journal_tells_where_it_stands(said: list[str], state: str) -> None:
    """A failure lasts until somebody goes on or back, whatever ends beside it."""
    found = WatchedRecovery.of(journal(*said), lock=LOCK if state not in ("finished", "aborted") else None)

    assert found.state.value == state
    assert found.changed_at == MORNING + timedelta(minutes=len(said))
    assert bool(found.next_step) is not found.state.is_over


def test_lock_of_one_that_is_over_keeps_others_out_for_nothing() -> None:
    """Its run ended before it could release it; `resume` of what is over releases it."""
    found = WatchedRecovery.of(journal("begun", "finished"), lock=LOCK)

    assert found.state is WatchedState.LOCKED
    assert f"recover resume {ID}" in found.next_step


def test_lock_of_one_that_never_began_is_freed_by_an_abort() -> None:
    """There is no plan to go on with."""
    found = WatchedRecovery.only_locked(LOCK)

    assert (found.state, found.changed_at) == (WatchedState.LOCKED, MORNING)
    assert f"recover abort {ID}" in found.next_step


def test_one_that_goes_back_is_never_told_to_go_on() -> None:
    """Once it is being aborted, `resume` would be refused."""
    found = WatchedRecovery.of(journal("begun", "aborting", "undo-intent a", "failed a"), lock=LOCK)

    assert found.next_step == f"Go on with: etcd-dr recover abort {ID}"


def test_long_words_of_a_step_are_one_line() -> None:
    """They go onto a page and into messages."""
    last = journal("begun", "failed a")[1].model_copy(update={"detail": "x" * 500 + "\nand more"})

    found = WatchedRecovery.of([journal("begun")[0], last], lock=LOCK)

    assert found.detail == "x" * 200
