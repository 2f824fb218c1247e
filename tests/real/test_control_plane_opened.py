"""Nodes opened from a configuration file, as `etcd-dr recover` opens them; and a systemd that restarts what it should not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.local_cluster import EtcdBinaries
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.bootstrap.control_plane import open_control_plane
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Overrides, Target, parse_config, resolve_target
from etcd_dr.domain.recovery.sight import ProcessState
from etcd_dr.errors import ConfigError
from fakes.clock import CountingTokens
from fakes.events import RecordingEvents, RecordingProgress
from real.peers.control_planes import Plane

SECONDS = 30.0
RECOVERY = "r1"

MakePlane = Callable[..., Plane]


@pytest.mark.parametrize("platform", ["local", "static_pod", "systemd"])
def test_nodes_of_a_configuration_are_seen(
    platform: str, request: pytest.FixtureRequest, etcd_binaries: EtcdBinaries
) -> None:
    """Three nodes, in the order of the file, each with a member of the same cluster."""
    make: MakePlane = request.getfixturevalue(f"{platform}_control_plane")
    plane = make(size=3)

    control = open_control_plane(_target(plane.section()), _surroundings())
    try:
        sights = [node.look(deadline=SECONDS) for node in control.nodes]
    finally:
        control.close()

    assert control.platform == platform.replace("_", "-")
    assert [sight.node for sight in sights] == ["m1", "m2", "m3"]
    assert [sight.launch.member_name for sight in sights if sight.launch is not None] == ["m1", "m2", "m3"]
    assert len({sight.data.cluster_id for sight in sights if sight.data is not None}) == 1
    assert len({sight.data.member_id for sight in sights if sight.data is not None}) == 3


def test_nothing_that_describes_nodes_is_said() -> None:
    """With the page that shows how."""
    with pytest.raises(ConfigError, match="no way to the nodes"):
        open_control_plane(_target(None), _surroundings())


def test_unit_stays_down_whoever_starts_it(systemd_control_plane: MakePlane) -> None:
    """Until this recovery starts it again; the assertion says why to everybody else."""
    plane = systemd_control_plane(size=1)
    node, member = plane.control.nodes[0], plane.cluster.members[0]
    node.stop_etcd(recovery_id=RECOVERY, deadline=SECONDS)

    plane.start_by_hand(node.name)
    stays_down = not member.is_running
    log = node.look(deadline=SECONDS).log_tail
    node.start_etcd(recovery_id=RECOVERY, deadline=SECONDS)

    assert stays_down
    assert any("asserts failed" in line and RECOVERY in line for line in log)
    member.wait_until_healthy()


def test_etcd_that_is_killed_comes_back_by_itself_and_is_seen_running(systemd_control_plane: MakePlane) -> None:
    """What the node restarts by itself is none of ours."""
    plane = systemd_control_plane(size=1)
    node, member = plane.control.nodes[0], plane.cluster.members[0]
    member.kill()

    plane.wait_for(lambda: member.is_running)
    # It runs a moment before its manager knows of it.
    plane.wait_for(lambda: node.look(deadline=SECONDS).process is ProcessState.RUNNING)


def test_manifest_that_is_broken_is_said(static_pod_control_plane: MakePlane) -> None:
    """A look is never an error once the node was reached: the sight says what is wrong."""
    plane = static_pod_control_plane(size=1)
    node = plane.control.nodes[0]
    manifest = plane.directory / node.name / "kubernetes" / "manifests" / "etcd.yaml"
    manifest.write_text("kind: Pod\nspec: [\n")

    sight = node.look(deadline=SECONDS)

    assert sight.launch is None
    assert sight.data is None
    assert "etcd.yaml" in sight.problem
    assert [writer.name for writer in sight.writers] == ["kube-apiserver"]


def _target(section: dict[str, Any] | None) -> Target:
    cluster: dict[str, Any] = {"name": "prod", "store": "s", "etcd": {"endpoints": ["https://127.0.0.1:2379"]}}
    if section is not None:
        cluster["control_plane"] = section
    document = {"clusters": [cluster], "stores": [{"name": "s", "directory": {"path": "/nonexistent"}}]}
    config = parse_config(yaml.safe_dump(document), {}, subject="test")
    return resolve_target(config, Overrides(), {})


def _surroundings() -> Surroundings:
    return Surroundings(
        clock=SystemClock(),
        tokens=CountingTokens(),
        events=RecordingEvents(),
        progress=RecordingProgress(),
        cancellation=CancellationSwitch(),
    )
