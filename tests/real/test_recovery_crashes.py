"""The command is killed after any journal entry; somebody else goes on, or goes back, with the store alone.

The quick suite tries a few entries of each kind; `matrix` tries every single one (going back has a file of its own, so
that both can run at once).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from real.recovery_disaster import Disaster, abort_after_each, tried_entries
from real.recovery_rig import RecoveryRig


@pytest.fixture
def all_gone(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[Disaster]:
    with RecoveryRig(fresh_cluster(), tmp_path) as rig:
        yield Disaster(rig, survivors=False)


@pytest.fixture
def one_survivor(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[Disaster]:
    with RecoveryRig(fresh_cluster(), tmp_path) as rig:
        yield Disaster(rig, survivors=True)


def _resume_after_each(disaster: Disaster, *, every: bool) -> None:
    for number in tried_entries(disaster.strike(), every=every):
        plan, done = disaster.killed_then("resume", number)

        assert done.returncode == 0, f"after entry {number}: {done.stderr}"
        disaster.check_recovered(plan)


def test_a_killed_recovery_is_gone_on_with_from_the_store_alone(all_gone: Disaster) -> None:
    """Killed at its beginning, in its middle and at its end: the same end state each time."""
    _resume_after_each(all_gone, every=False)


def test_a_killed_recovery_is_taken_back_from_the_store_alone(one_survivor: Disaster) -> None:
    """Killed anywhere before its end: the old data and the old processes are back."""
    abort_after_each(one_survivor, every=False)


@pytest.mark.matrix
@pytest.mark.timeout(3600)
def test_a_recovery_killed_after_any_entry_is_gone_on_with(one_survivor: Disaster) -> None:
    """Every single entry, with old data to set aside: the same end state each time, and nothing lost."""
    _resume_after_each(one_survivor, every=True)
