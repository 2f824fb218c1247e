"""The operator drills in time, on what it can open, and its metrics tell what the store remembers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_files import DirectoryRooms, PartFiles
from etcd_dr.domain.proof import ProofLevel, ProofOrigin
from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.entrypoints.operator.keeper_parts import KeeperDrills
from etcd_dr.errors import ToolMissing
from etcd_dr.workflows.drill_restore import DrillOptions, DrillPorts
from fakes.codec import FakeDecoder
from fakes.restorer import FakeRestorer
from fakes.throwaway_member import FakeMemberHost
from scenarios.operator_world import OperatorWorld

PLACE = {"cluster": "prod", "store": "main"}


class DrillingWorld(OperatorWorld):
    """A keeper that drills every Sunday; `rooms` is where."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.rooms = directory / "rooms"
        self.rooms.mkdir()
        self.restorer = FakeRestorer()
        self.host = FakeMemberHost()
        self.drills = KeeperDrills(
            ports=self._drill_ports,
            options=DrillOptions(sample_keys=20, objective=timedelta(minutes=10)),
            schedule=CronSchedule("23 4 * * 0", "UTC", "prod/drill"),
        )
        self.restart()

    def _drill_ports(self) -> DrillPorts:
        return DrillPorts(
            store=self.store,
            decoder=self.decoder,
            files=PartFiles(),
            rooms=DirectoryRooms(self.rooms),
            restorer=self.restorer,
            host=self.host,
            clock=self.clock,
            tokens=self.tokens,
            events=self.events,
            progress=self.progress,
            cancellation=self.cancellation,
        )

    @property
    def drilled(self) -> list[ProofOrigin]:
        """From what each drilled snapshot of the store was drilled."""
        proofs = [s.newest_proofs.get(ProofLevel.RESTORABLE) for s in self.catalogue.snapshots]
        return [proof.made_from for proof in proofs if proof is not None]


@pytest.fixture
def world(tmp_path: Path) -> DrillingWorld:
    return DrillingWorld(tmp_path)


def test_stored_snapshot_is_drilled_once_a_slot(world: DrillingWorld) -> None:
    """With an identity, the whole way; a second look and a restart repeat nothing."""
    world.keeper.look_at_schedule()

    world.keeper.drill()
    world.keeper.drill()
    world.restart()
    world.keeper.drill()

    assert world.drilled == [ProofOrigin.STORED_OBJECT]
    assert len(world.restorer.orders) == 1


def test_next_slot_drills_again(world: DrillingWorld) -> None:
    """What the store remembers is older than the slot then."""
    world.keeper.look_at_schedule()
    world.keeper.drill()
    world.clock.advance(7 * 86_400)

    world.keeper.look_at_schedule()
    world.keeper.drill()

    assert len(world.restorer.orders) == 2


def test_operator_without_an_identity_drills_what_it_saves_next(world: DrillingWorld) -> None:
    """A stolen pod decrypts nothing, and the restore is rehearsed all the same; the plain copy is gone afterwards."""
    world.keeper.look_at_schedule()
    world.decoder = FakeDecoder()

    world.keeper.drill()
    before_the_save = list(world.drilled)
    world.clock.advance(3600)
    world.keeper.look_at_schedule()

    assert before_the_save == []
    assert world.drilled == [ProofOrigin.SCRATCH]
    assert list(world.rooms.iterdir()) == []
    assert world.scratch.left_behind == []


def test_drill_that_cannot_be_made_never_costs_the_snapshot(world: DrillingWorld) -> None:
    """A missing tool is counted as the drill's error; the snapshot is committed and not repeated."""
    world.decoder = FakeDecoder()
    world.restorer.versions = []
    world.keeper.drill()

    world.keeper.look_at_schedule()

    assert len(world.catalogue.snapshots) == 1
    assert world.value("etcd_dr_job_errors_total", cluster="prod", task="drill", code=ToolMissing.code) == 1
    assert world.value("etcd_dr_snapshot_total", **PLACE, result="success") == 1


def test_metrics_tell_the_last_drill_whoever_made_it(world: DrillingWorld) -> None:
    """They are read from the store, so a restart does not lose them."""
    world.keeper.look_at_schedule()
    world.keeper.refresh()
    never = world.value("etcd_dr_drill_last_success_timestamp_seconds", **PLACE)
    world.keeper.drill()
    drilled_at = world.clock.now().timestamp()
    world.restart()
    world.keeper.refresh()

    assert never == 0
    assert world.value("etcd_dr_drill_last_success_timestamp_seconds", **PLACE) == drilled_at
    assert world.value("etcd_dr_drill_last_result", **PLACE) == 1
    assert world.value("etcd_dr_drill_rto_seconds", **PLACE) is not None
    assert world.value("etcd_dr_drill_rto_objective_seconds", **PLACE) == 600
    assert world.value("etcd_dr_drill_phase_seconds", **PLACE, phase="restoring") is not None


def test_failed_drill_is_told(world: DrillingWorld) -> None:
    """The last good one keeps its time; the result says no."""
    world.keeper.look_at_schedule()
    world.host.hash_flaw = 1

    world.keeper.drill()

    assert world.value("etcd_dr_drill_last_result", **PLACE) == 0
    assert world.value("etcd_dr_drill_total", **PLACE, result="failed") == 1
