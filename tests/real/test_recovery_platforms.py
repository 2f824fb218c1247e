"""The same recovery on nodes behind real sshd: static pods that a kubelet keeps starting, and systemd units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.domain.recovery.journal import RecoveryState
from etcd_dr.domain.recovery.step import AwaitCluster
from etcd_dr.errors import StepFailed
from real.peers.control_planes import Plane
from real.recovery_rig import RecoveryRig


@pytest.fixture(params=["static-pod", pytest.param("systemd", marks=pytest.mark.matrix)])
def plane(
    request: pytest.FixtureRequest,
    static_pod_control_plane: Callable[..., Plane],
    systemd_control_plane: Callable[..., Plane],
) -> Plane:
    make = static_pod_control_plane if request.param == "static-pod" else systemd_control_plane
    return make(size=3)


@pytest.fixture
def rig(plane: Plane, tmp_path: Path) -> Iterator[RecoveryRig]:
    with RecoveryRig(plane.cluster, tmp_path, control=plane.control) as made:
        yield made


def writers_run(plane: Plane) -> bool:
    return all(plane.writer_runs(name) for name in ("m1", "m2", "m3"))


def corrupt(plane: Plane, *names: str) -> None:
    """Overwrite the databases of these members, as a bad disk does; whatever starts them fails from then on."""
    for name in names:
        member = plane.cluster.member(name)
        database = member.data_dir / "member" / "snap" / "db"
        with database.open("r+b") as file:
            file.write(b"\xff" * 16384)
        member.kill()


@pytest.mark.matrix
def test_two_corrupt_members_of_three_come_back_from_a_snapshot(rig: RecoveryRig, plane: Plane) -> None:
    """Writers are fenced and come back, old data lies aside on each node, and the cluster is the planned one."""
    rig.fill(20)
    rig.take_snapshot()
    corrupt(plane, "m2", "m3")
    plan = rig.restore_plan()

    outcome = rig.run(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert plan.expected is not None
    assert rig.ids() == {m.name: (plan.expected.cluster_id, m.id) for m in plan.expected.members}
    assert rig.value_of("/registry/pods/00019") == b"value-19"
    plane.wait_for(lambda: writers_run(plane))  # the kubelet sees a moment later that the manifests are back
    assert all(len(rig.aside(name)) == 1 for name in ("m1", "m2", "m3"))


@pytest.mark.matrix
def test_a_recovery_that_fails_is_taken_back_on_every_node(rig: RecoveryRig, plane: Plane) -> None:
    """The cluster that comes up is not the expected one: the old data and the writers are back."""
    rig.fill(20)
    rig.take_snapshot()
    plan = rig.restore_plan()
    plan = plan.model_copy(update={"steps": tuple(expecting_another_cluster(step) for step in plan.steps)})
    with pytest.raises(StepFailed, match="expected beef"):
        rig.run(plan)

    outcome = rig.abort(plan)

    assert outcome.state is RecoveryState.ABORTED
    plane.cluster.wait_until_healthy()
    assert rig.value_of("/registry/pods/00019") == b"value-19"
    assert plan.expected is not None
    assert all(cluster_id != plan.expected.cluster_id for cluster_id, _ in rig.ids().values())
    plane.wait_for(lambda: writers_run(plane))


def expecting_another_cluster(step: Any) -> Any:
    return step.model_copy(update={"cluster_id": "beef"}) if isinstance(step, AwaitCluster) else step
