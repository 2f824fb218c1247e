"""The command is killed after any journal entry, and somebody else takes it back with the store alone: every entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from real.recovery_disaster import Disaster, abort_after_each, entry_count
from real.recovery_rig import RecoveryRig


@pytest.fixture
def one_survivor(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[Disaster]:
    with RecoveryRig(fresh_cluster(), tmp_path) as rig:
        yield Disaster(rig, survivors=True)


@pytest.mark.matrix
@pytest.mark.timeout(3600)
def test_a_recovery_killed_after_any_entry_is_taken_back(one_survivor: Disaster) -> None:
    """Every single entry but the last: the old state is back each time."""
    abort_after_each(one_survivor, every=True)


@pytest.mark.matrix
@pytest.mark.timeout(3600)
def test_taking_back_that_is_killed_after_any_entry_is_finished_by_the_next_try(one_survivor: Disaster) -> None:
    """A killed abort is carried on by another abort: the old state is back each time."""
    begun = entry_count(one_survivor.strike()) * 3 // 4
    for number in range(begun + 1, 2 * begun):
        plan = one_survivor.killed_at(begun)
        killed = one_survivor.rig.child(verb="abort", id=plan.recovery_id, dies_after=number)
        if killed.returncode == 0:
            break
        one_survivor.rig.parts = one_survivor.rig.parts.elsewhere(one_survivor.another_state_dir())

        done = one_survivor.rig.child(verb="abort", id=plan.recovery_id)

        assert done.returncode == 0, f"after entry {number}: {done.stderr}"
        one_survivor.check_as_before(plan)
