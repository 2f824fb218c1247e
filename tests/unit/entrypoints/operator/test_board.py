"""The board that jobs write and others read."""

from __future__ import annotations

from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard


def test_listener_hears_of_each_update_with_the_state_before_and_after() -> None:
    """A change is what a listener acts on, so it is told both sides of it, and may look at the board meanwhile."""
    board = StatusBoard([ClusterState(cluster="a", store="main"), ClusterState(cluster="b", store="main")])
    heard: list[tuple[str, int, int, int]] = []
    board.on_change(lambda was, now: heard.append((now.cluster, was.failures, now.failures, board.of("a").failures)))

    board.update("a", failures=1)
    board.update("a", failures=3)
    board.update("b", failures=2)

    assert heard == [("a", 0, 1, 1), ("a", 1, 3, 3), ("b", 0, 2, 3)]
