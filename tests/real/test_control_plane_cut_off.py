"""Nodes that vanish, and commands that are killed, in the middle of a call: nothing is lost, and the call may be repeated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.domain.recovery.sight import ProcessState
from etcd_dr.errors import Cancelled, EtcdDrError, NodeUnreachable
from etcd_dr.ports.control_plane import Node
from real.peers.control_planes import Plane

SECONDS = 30.0
RECOVERY = "r1"
_LARGE_BYTES = 1 << 30
"""Seconds of streaming, so that somebody acts in the middle of it; by then it may be over on a busy machine."""
_SMALL_BYTES = 1 << 20

MakePlane = Callable[..., Plane]


def test_node_that_vanishes_while_data_is_placed_is_found_again(
    static_pod_control_plane: MakePlane, tmp_path: Path
) -> None:
    """The connection is cut in mid-stream; nothing lies under the name, and the next call places it whole."""
    plane = static_pod_control_plane(size=1)
    node, member = plane.control.nodes[0], plane.cluster.members[0]
    built = _stopped_and_aside(node, member.data_dir, tmp_path)
    with plane.held("sha256sum"):  # nothing is renamed into place before it
        failure = _while_placing(node, built, member.data_dir, plane.hosts[node.name].cut_connections)
        is_there = member.data_dir.exists()
    os.truncate(built / "member" / "large", _SMALL_BYTES)

    node.place_data(built, recovery_id=RECOVERY, deadline=SECONDS)
    node.start_etcd(recovery_id=RECOVERY, deadline=SECONDS)

    assert isinstance(failure, NodeUnreachable)
    assert not is_there
    member.wait_until_healthy()
    assert not list(member.data_dir.parent.glob("*.partial*"))


def test_node_that_is_gone_is_unreachable_until_it_is_back(static_pod_control_plane: MakePlane) -> None:
    """Each call says so by itself, in time, and none of them has to be made anew."""
    plane = static_pod_control_plane(size=1)
    node = plane.control.nodes[0]
    host = plane.hosts[node.name]
    node.look(deadline=SECONDS)
    host.cut()

    with pytest.raises(NodeUnreachable) as raised:
        node.look(deadline=SECONDS)
    host.start()

    assert raised.value.retryable
    assert "ssh" in raised.value.next_step
    assert node.look(deadline=SECONDS).process is ProcessState.RUNNING


def test_cancelled_stream_leaves_nothing_under_the_name(systemd_control_plane: MakePlane, tmp_path: Path) -> None:
    """Ctrl-C is heard at once, and what was half there is cleared away by the next call."""
    plane = systemd_control_plane(size=1)
    node, member = plane.control.nodes[0], plane.cluster.members[0]
    built = _stopped_and_aside(node, member.data_dir, tmp_path)
    began = time.monotonic()

    with plane.held("sha256sum"):
        failure = _while_placing(node, built, member.data_dir, lambda: _cancel(plane.cancellation))
        took, is_there = time.monotonic() - began, member.data_dir.exists()

    assert isinstance(failure, Cancelled)
    assert took < SECONDS
    assert not is_there


def test_command_that_is_killed_while_it_places_data_is_made_whole_by_the_next(
    local_control_plane: MakePlane, tmp_path: Path
) -> None:
    """What the killed command left running on the node cannot mix with what the next one does."""
    plane = local_control_plane(size=1)
    node, member = plane.control.nodes[0], plane.cluster.members[0]
    built = _stopped_and_aside(node, member.data_dir, tmp_path)
    os.truncate(built / "member" / "large", _LARGE_BYTES // 4)
    for _ in range(3):
        _killed_while_placing(plane.directory, built, member.data_dir)

    node.place_data(built, recovery_id=RECOVERY, deadline=SECONDS)

    assert _files(member.data_dir) == _files(built)
    node.start_etcd(recovery_id=RECOVERY, deadline=SECONDS)
    member.wait_until_healthy()


def _stopped_and_aside(node: Node, data_dir: Path, tmp_path: Path) -> Path:
    """Stop etcd, take a copy of its data with something large in it, and set the data aside."""
    node.stop_etcd(recovery_id=RECOVERY, deadline=SECONDS)
    built = tmp_path / "built"
    shutil.copytree(data_dir, built)
    with (built / "member" / "large").open("wb") as file:
        file.truncate(_LARGE_BYTES)
    node.set_data_aside(recovery_id=RECOVERY, deadline=SECONDS)
    return built


def _while_placing(node: Node, built: Path, data_dir: Path, act: Callable[[], object]) -> EtcdDrError | None:
    """Do something once the stream has begun to arrive, and return how placing ended."""
    failures: list[EtcdDrError] = []

    def place() -> None:
        try:
            node.place_data(built, recovery_id=RECOVERY, deadline=SECONDS)
        except EtcdDrError as error:
            failures.append(error)

    placing = threading.Thread(target=place)
    placing.start()
    _wait_for_partial(data_dir)
    act()
    placing.join(SECONDS)
    assert not placing.is_alive()
    return failures[0] if failures else None


def _killed_while_placing(root: Path, built: Path, data_dir: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", _PLACE, str(root), str(built), RECOVERY])
    _wait_for_partial(data_dir)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def _wait_for_partial(data_dir: Path) -> None:
    until = time.monotonic() + SECONDS
    while not any(
        path.exists() for path in data_dir.parent.glob(f"{data_dir.name}.etcd-dr-{RECOVERY}.partial-*/member/*")
    ):
        if data_dir.exists() or time.monotonic() > until:
            return  # a killed predecessor's copy may have come to its end: that is a right end, too
        time.sleep(0.002)


def _cancel(switch: CancellationSwitch) -> None:
    switch.cancel("SIGINT")


def _files(directory: Path) -> dict[str, int]:
    return {
        str(path.relative_to(directory)): path.stat().st_size
        for path in directory.rglob("*")
        if path.is_file() and path.name != "etcd-dr-recovery.tmp"
    }


_PLACE = """
import sys
from pathlib import Path
from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.local import open_local
[node] = open_local(Path(sys.argv[1]), cancellation=CancellationSwitch()).nodes
node.place_data(Path(sys.argv[2]), recovery_id=sys.argv[3], deadline=60)
"""
