"""Files that a snapshot keeps beside the database come back with it, on real etcd and local nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.companions import LocalFiles, NodeFiles
from etcd_dr.adapters.control_planes.local import open_local
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.recovery.journal import EntryKind, RecoveryState
from etcd_dr.domain.recovery.lost_files import LostFiles
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.step import PutCompanions
from etcd_dr.errors import Cancelled
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.workflows.find_missing_companions import find_missing_companions
from etcd_dr.workflows.keep_companions import CompanionOrder, read_companions
from etcd_dr.workflows.recovery.plan_recovery import PlanAuthor, facts_for, plan_recovery, propose_recovery
from etcd_dr.workflows.recovery.run_plan import run_plan
from real.recovery_decider import Decider
from real.recovery_rig import BY, RecoveryRig

CA, SA, OWN = b"the authority's key", b"the service accounts' key", b"only where the command runs"


class LostNode:
    """A snapshot with companions of three nodes that share one disk; then all data and a key are lost."""

    def __init__(self, rig: RecoveryRig, directory: Path) -> None:
        self.rig, self.pki = rig, directory / "pki"
        self.pki.mkdir()
        (self.pki / "ca.key").write_bytes(CA)
        (self.pki / "sa.key").write_bytes(SA)
        (directory / "local.yaml").write_bytes(OWN)
        paths = [str(self.pki / "ca.key"), str(self.pki / "sa.key")]
        order = CompanionOrder([NodeFiles(self.open, paths=paths), LocalFiles([str(directory / "local.yaml")])])
        rig.fill(10)
        self.snapshot = rig.snapshots.take(companions=order).snapshot
        rig.wipe("m1", "m2", "m3")
        (self.pki / "ca.key").unlink()

    def open(self) -> ControlPlane:
        return open_local(self.rig.nodes_dir, cancellation=CancellationSwitch())

    def plan(self) -> Plan:
        survey = Decider(self.rig).survey()
        author = PlanAuthor(BY, "0", SystemClock(), SystemTokens())
        return plan_recovery(survey, propose_recovery(survey), author=author, find_lost=self._find_lost)

    def _find_lost(self, snapshot: Snapshot) -> LostFiles:
        with contextlib.closing(self.open()) as plane:
            return LostFiles(
                find_missing_companions(plane, snapshot.manifest.companions, deadline=10.0), can_be_opened=True
            )


@pytest.fixture
def lost(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[LostNode]:
    with RecoveryRig(fresh_cluster(), tmp_path) as rig:
        yield LostNode(rig, tmp_path)


def test_lost_file_is_put_back_once_and_what_is_there_stays(lost: LostNode) -> None:
    """The first node writes it; those that find it there, and every other file, are left as they are."""
    (lost.pki / "sa.key").write_bytes(b"newer")
    plan = lost.plan()

    outcome = Decider(lost.rig).carry_out(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert {path for step in plan.steps if isinstance(step, PutCompanions) for path in step.paths} == {
        str(lost.pki / "ca.key")
    }
    assert (lost.pki / "ca.key").read_bytes() == CA
    assert (lost.pki / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (lost.pki / "sa.key").read_bytes() == b"newer"
    assert lost.rig.value_of("/registry/pods/00009") == b"value-9"
    facts = lost.snapshot.manifest.companions
    snapshots = lost.rig.snapshots
    assert facts is not None
    kept = read_companions(snapshots.store, snapshots.layout, lost.snapshot.id, facts, decoder=snapshots.decoder)
    assert sorted(file.body for file in kept) == sorted([CA, SA] * 3 + [OWN])


def test_file_that_was_put_back_stays_when_the_recovery_is_aborted(lost: LostNode) -> None:
    """It was missing and is the node's own: taking it away again would help nobody."""
    plan, cancellation = lost.plan(), CancellationSwitch()
    puts = {step.id for step in plan.steps if isinstance(step, PutCompanions)}

    with pytest.raises(Cancelled):
        run_plan(
            plan,
            lost.rig.ports(cancellation=cancellation),
            by=BY,
            facts_now=lambda: facts_for(plan, Decider(lost.rig).survey()),
            on_entry=lambda entry: (
                cancellation.cancel("enough") if entry.kind is EntryKind.DONE and entry.step in puts else None
            ),
        )
    outcome = lost.rig.abort(plan)

    assert outcome.state is RecoveryState.ABORTED
    assert (lost.pki / "ca.key").read_bytes() == CA
