"""Which recovery `resume`, `abort` and `status` mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.entrypoints.cli.recover.session import only_unfinished
from etcd_dr.errors import RecoveryError
from fakes.journal_store import FakeJournalStore
from scenarios.recovery_world import RecoveryWorld


def _journal(tmp_path: Path, *, ended: int, begun: int) -> tuple[FakeJournalStore, list[str]]:
    """Keep the plans of some recoveries that ended, and of some that never did."""
    world, journal, ids = RecoveryWorld(tmp_path), FakeJournalStore(), []
    made = world.restore_plan()
    world.run(made)
    entries = world.stored_journal(made)
    for number in range(ended + begun):
        recovery_id = f"2026010{number}T000000Z-000000000000"
        plan: Plan = made.model_copy(update={"recovery_id": recovery_id})
        journal.create(plan)
        for entry in entries if number < ended else entries[:3]:
            journal.append(entry.model_copy(update={"recovery_id": recovery_id}))
        ids.append(recovery_id)
    return journal, ids


def test_the_one_that_has_not_ended_is_meant(tmp_path: Path) -> None:
    """After the second disaster nobody copies an id at 3 a.m."""
    journal, ids = _journal(tmp_path, ended=2, begun=1)

    assert only_unfinished(journal, None) == ids[2]


def test_the_only_one_is_meant_also_when_it_has_ended(tmp_path: Path) -> None:
    journal, ids = _journal(tmp_path, ended=1, begun=0)

    assert only_unfinished(journal, None) == ids[0]


@pytest.mark.parametrize(
    ("ended", "begun", "says"),
    [(0, 0, "no recovery is known"), (2, 0, "all of them have ended"), (1, 2, "2 have not ended: 2026")],
)
def test_where_it_cannot_be_told_it_is_asked_for(tmp_path: Path, ended: int, begun: int, says: str) -> None:
    journal, _ = _journal(tmp_path, ended=ended, begun=begun)

    with pytest.raises(RecoveryError, match=says):
        only_unfinished(journal, None)
