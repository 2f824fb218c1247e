"""What the entries of a journal add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry, JournalProgress, RecoveryState

_NOON = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)


def folded(*told: tuple[EntryKind, str]) -> JournalProgress:
    entries = [
        JournalEntry(
            recovery_id="r", number=n, at=_NOON + timedelta(seconds=n), kind=kind, step=step, facts={"entry": n}
        )
        for n, (kind, step) in enumerate(told, start=1)
    ]
    return JournalProgress.of(entries)


def test_nothing_is_a_new_recovery() -> None:
    """Before its first entry a plan has no history."""
    progress = folded()

    assert (progress.state, progress.last_number, progress.begun_at) == (RecoveryState.NEW, 0, None)


def test_a_step_is_open_between_its_two_entries() -> None:
    """A step that was begun and has no end may have done anything: it is carried out again."""
    progress = folded((EntryKind.BEGUN, ""), (EntryKind.INTENT, "a"), (EntryKind.DONE, "a"), (EntryKind.INTENT, "b"))

    assert progress.done == {"a"}
    assert progress.touched == ("a", "b")
    assert progress.is_open("b")
    assert not progress.is_open("a")
    assert progress.facts["a"] == {"entry": 3}


def test_a_step_that_is_carried_out_again_is_open_again() -> None:
    """What it made before is not there any more."""
    progress = folded((EntryKind.INTENT, "a"), (EntryKind.DONE, "a"), (EntryKind.INTENT, "a"))

    assert progress.done == frozenset()
    assert progress.touched == ("a",)


def test_a_failure_is_forgotten_when_its_step_is_done_after_all() -> None:
    """The last failure is what a person has to look at; one that was overcome is not."""
    failed = ((EntryKind.BEGUN, ""), (EntryKind.INTENT, "a"), (EntryKind.FAILED, "a"))

    assert folded(*failed).last_failure is not None
    assert folded(*failed, (EntryKind.INTENT, "a"), (EntryKind.DONE, "a")).last_failure is None


def test_a_step_that_was_taken_back_is_neither_done_nor_touched() -> None:
    """The next abort goes on with what is left."""
    progress = folded(
        (EntryKind.BEGUN, ""),
        (EntryKind.INTENT, "a"),
        (EntryKind.DONE, "a"),
        (EntryKind.INTENT, "b"),
        (EntryKind.ABORTING, ""),
        (EntryKind.UNDO_INTENT, "b"),
        (EntryKind.UNDONE, "b"),
    )

    assert progress.state is RecoveryState.ABORTING
    assert progress.touched == ("a",)
    assert progress.done == {"a"}


def test_stopping_for_a_person_is_remembered_with_the_step() -> None:
    """When the run is gone on with, the person has done what was asked."""
    progress = folded((EntryKind.BEGUN, ""), (EntryKind.INTENT, "hand"), (EntryKind.STOPPED, "hand"))

    assert progress.waited_for == {"hand"}
    assert progress.state is RecoveryState.UNDER_WAY


def test_an_end_is_an_end() -> None:
    """Finished and aborted recoveries are over; everything else may go on."""
    over = {state for state in RecoveryState if state.is_over}

    assert over == {RecoveryState.FINISHED, RecoveryState.ABORTED}
    assert folded((EntryKind.BEGUN, ""), (EntryKind.FINISHED, "")).state is RecoveryState.FINISHED
