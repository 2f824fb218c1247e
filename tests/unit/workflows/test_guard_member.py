"""Two pieces of heavy work never meet on one member."""

from __future__ import annotations

import pytest

from etcd_dr.errors import Busy
from etcd_dr.workflows.guard_member import MemberGuard


def test_member_is_held_by_one_at_a_time() -> None:
    """The second one is told what the first one does, and does not wait."""
    guard = MemberGuard()

    with (
        guard.hold(1, 2, work="a defragmentation", subject="https://m2:2379"),
        pytest.raises(Busy, match="a defragmentation"),
        guard.hold(1, 2, work="a snapshot", subject="https://m2:2379"),
    ):
        pass


def test_member_is_free_again_after_a_failure() -> None:
    """Whatever ended the work, the next one may begin."""
    guard = MemberGuard()
    with pytest.raises(ValueError, match="gone wrong"), guard.hold(1, 2, work="a snapshot", subject=""):
        raise ValueError("gone wrong")

    with guard.hold(1, 2, work="a snapshot", subject=""):
        pass


def test_same_id_in_another_cluster_is_another_member() -> None:
    """Clusters that were made alike have members with equal ids."""
    guard = MemberGuard()

    with guard.hold(1, 2, work="a snapshot", subject=""), guard.hold(9, 2, work="a snapshot", subject=""):
        pass
