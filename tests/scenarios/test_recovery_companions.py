"""A recovery puts back what nodes lost beside their data, and leaves to people what it should not touch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etcd_dr.adapters.companions import NodeFiles
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.recovery.candidate import Candidate, Loss, Way
from etcd_dr.domain.recovery.lost_files import LostFiles
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.plan_making import make_plan
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.recovery.step import PutCompanions, StartEtcd
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.find_missing_companions import find_missing_companions
from etcd_dr.workflows.keep_companions import CompanionOrder
from etcd_dr.workflows.take_snapshot import take_snapshot
from scenarios.recovery_world import NODES, RecoveryWorld

CA, SA = "/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/sa.key"
APISERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"


class LossyWorld(RecoveryWorld):
    """The snapshot has three files of each node; cp1 is a new machine that has none of them, cp2 lost one."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        for node in self.plane.nodes:
            node.files |= {path: f"{path} of {node.name}".encode() for path in (CA, SA, APISERVER)}
        self.snapshot = self.take_with_companions()
        self.plane.node("cp1").files.clear()
        del self.plane.node("cp2").files[CA]

    def take_with_companions(self) -> Snapshot:
        """Take a snapshot of members that run for so long, with the files that the nodes have now."""
        for member in self.cluster.members:
            member.start()
        order = CompanionOrder([NodeFiles(lambda: self.plane, paths=[CA, SA, APISERVER])])
        ports = replace(self.snapshots.ports, companions=order)
        self.clock.advance(60)
        said = SnapshotOrder(layout=self.layout, reason="on-demand", taken_by="test")
        taken = take_snapshot(said, ports=ports, limits=self.snapshots.limits).snapshot
        for member in self.cluster.members:
            member.stop()
        return taken

    def lost_files(self, *, can_be_opened: bool = True) -> LostFiles:
        found = find_missing_companions(self.plane, self.snapshot.manifest.companions, deadline=1.0)
        return LostFiles(found, can_be_opened=can_be_opened)

    def plan_with(self, lost: LostFiles, *, survivor: str = "") -> Plan:
        way, target = (Way.REBUILD, survivor) if survivor else (Way.RESTORE, str(self.snapshot.id))
        candidate = Candidate(way=way, target=target, summary="recover it", loss=Loss(text="some revisions"))
        stamp = Stamp(
            recovery_id="20260820T050000Z-000000000009",
            token="token-9",
            made_at=self.clock.now(),
            made_by="test",
            tool_version="0",
        )
        return make_plan(self.assessment(), candidate, catalogue=self.snapshots.catalogue, stamp=stamp, lost_files=lost)


@pytest.fixture
def world(tmp_path: Path) -> LossyWorld:
    return LossyWorld(tmp_path)


def test_lost_files_are_put_back_before_etcd_starts(world: LossyWorld) -> None:
    """Each node gets its own; one that has all of them is left alone."""
    plan = world.plan_with(world.lost_files())

    steps = {step.node: step.paths for step in plan.steps if isinstance(step, PutCompanions)}
    assert steps == {"cp1": (CA, SA), "cp2": (CA,)}
    last_put = max(step.phase for step in plan.steps if isinstance(step, PutCompanions))
    assert last_put < min(step.phase for step in plan.steps if isinstance(step, StartEtcd))

    world.run(plan)

    assert world.is_recovered(plan)
    assert world.plane.node("cp1").files == {path: f"{path} of cp1".encode() for path in (CA, SA)}
    assert world.plane.node("cp2").files[CA] == f"{CA} of cp2".encode()


def test_file_that_came_back_meanwhile_is_never_replaced(world: LossyWorld) -> None:
    """Somebody may have put a newer one there since the plan was made."""
    plan = world.plan_with(world.lost_files())
    world.plane.node("cp1").files[CA] = b"newer"

    world.run(plan)

    assert world.plane.node("cp1").files[CA] == b"newer"


def test_manifests_are_left_to_people(world: LossyWorld) -> None:
    """The kubelet would start an API server on a half-made cluster."""
    plan = world.plan_with(world.lost_files())

    assert not any(APISERVER in step.paths for step in plan.steps if isinstance(step, PutCompanions))
    assert any("cp1" in sentence and APISERVER in sentence for sentence in plan.afterwards)
    assert not any("cp3" in sentence and "missing" in sentence for sentence in plan.afterwards)


def test_what_cannot_be_opened_stops_no_plan(world: LossyWorld) -> None:
    """Without the key the plan says what is missing, instead of failing in its middle."""
    plan = world.plan_with(world.lost_files(can_be_opened=False))

    assert not any(isinstance(step, PutCompanions) for step in plan.steps)
    assert any(CA in sentence and SA in sentence for sentence in plan.afterwards)


def test_nothing_lost_changes_no_plan(world: LossyWorld) -> None:
    """Nodes that have everything get no step."""
    for name in NODES:
        world.plane.node(name).files |= dict.fromkeys((CA, SA, APISERVER), b"there")

    plan = world.plan_with(world.lost_files())

    assert not any(isinstance(step, PutCompanions) for step in plan.steps)


def test_files_come_from_the_newest_snapshot_that_has_them(world: LossyWorld) -> None:
    """One that was taken since then, as the first step of a replacement does, lacks what a node has lost."""
    world.keep_data_of("cp3")
    plan = world.plan_with(world.lost_files(), survivor="m3")
    world.take_with_companions()

    world.run(plan)

    assert world.plane.node("cp1").files[SA] == f"{SA} of cp1".encode()
    assert world.plane.node("cp2").files[CA] == f"{CA} of cp2".encode()
