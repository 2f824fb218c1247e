"""The fake bends as it promises; what it has in common with real nodes is in the contract suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.errors import NodeDenied, NodeFault, NodeUnreachable
from fakes.control_plane import FakeControlPlane

SECONDS = 5.0


def test_vanishing_halfway_has_done_the_work() -> None:
    """The answer is lost, the stop is not; and the next call finds the node again."""
    node = FakeControlPlane.of("cp1").node("cp1")
    node.vanish("stop_etcd", halfway=True)

    with pytest.raises(NodeUnreachable):
        node.stop_etcd(recovery_id="r1", deadline=SECONDS)

    assert not node.is_running
    assert node.stop_etcd(recovery_id="r1", deadline=SECONDS) is True


def test_vanishing_before_has_done_nothing() -> None:
    """For any call, once."""
    node = FakeControlPlane.of("cp1").node("cp1")
    node.vanish()

    with pytest.raises(NodeUnreachable):
        node.stop_etcd(recovery_id="r1", deadline=SECONDS)

    assert node.is_running


def test_denied_until_it_is_allowed() -> None:
    """Every call, until then."""
    node = FakeControlPlane.of("cp1").node("cp1")
    node.deny()

    for _ in range(3):
        with pytest.raises(NodeDenied):
            node.look(deadline=SECONDS)
    node.allow()

    assert node.look(deadline=SECONDS).node == "cp1"


def test_disk_that_is_full_takes_nothing(tmp_path: Path) -> None:
    """What was set aside stays where it is."""
    node = FakeControlPlane.of("cp1").node("cp1")
    for name in ("member/snap/db", "member/wal/0.wal"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x" * 100)
    node.set_data_aside(recovery_id="r1", deadline=SECONDS)
    node.fill_disk(free_bytes=10)

    with pytest.raises(NodeFault) as raised:
        node.place_data(tmp_path, recovery_id="r1", deadline=SECONDS)

    assert raised.value.context["reason"] == "disk-full"
    assert node.data is None


def test_slow_node_fails_at_the_deadline_without_waiting() -> None:
    """Time passes where the test wants it to."""
    node = FakeControlPlane.of("cp1").node("cp1")
    waited: list[float] = []
    node.on_wait = waited.append
    node.slow(10)

    with pytest.raises(NodeUnreachable):
        node.look(deadline=SECONDS)

    assert waited == [SECONDS]
