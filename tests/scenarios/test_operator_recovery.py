"""Somebody recovers a cluster from elsewhere, and the operator sees how that goes: on the board, in metrics, in words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.domain.notifications.conditions import Standing, conditions_of
from etcd_dr.domain.recovery.journal import EntryKind
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.watched import WatchedRecovery, WatchedState
from etcd_dr.errors import StepFailed, StoreDenied
from etcd_dr.workflows.recovery.hold_lock import acquire_lock
from scenarios.operator_world import OperatorWorld
from scenarios.recovery_world import RecoveryWorld


class WatchingWorld(OperatorWorld):
    """An operator that shares store and time with the recoveries of `elsewhere`."""

    def __init__(self, directory: Path) -> None:
        for place in ("elsewhere", "here"):
            (directory / place).mkdir()
        self.elsewhere = RecoveryWorld(directory / "elsewhere")
        super().__init__(directory / "here")
        self.store, self.clock = self.elsewhere.store, self.elsewhere.clock
        self.restart()

    def fail(self) -> Plan:
        """Begin a recovery whose second node cannot be reached when data is placed."""
        plan = self.elsewhere.restore_plan()
        self.elsewhere.plane.node("cp2").vanish("place_data")
        with pytest.raises(StepFailed):
            self.elsewhere.run(plan)
        return plan

    def seen(self) -> WatchedRecovery | None:
        self.keeper.refresh()
        answer = self.board.of("prod").recovery
        assert answer.failure is None
        return answer.value

    def state(self, plan: Plan, name: str) -> float | None:
        return self.value("etcd_dr_recovery_state", cluster="prod", recovery=plan.recovery_id, state=name)

    def journal_reads(self) -> list[str]:
        return [key for call, key in self.store.calls if call == "get" and "/journal/" in key]


@pytest.fixture
def world(tmp_path: Path) -> WatchingWorld:
    return WatchingWorld(tmp_path)


def test_where_nobody_recovers_there_is_nothing_and_two_requests(world: WatchingWorld) -> None:
    """Fifty clusters are read every five minutes."""
    world.store.calls.clear()

    assert world.seen() is None
    asked = [(call, key) for call, key in world.store.calls if "recoveries" in key]
    assert len(asked) == 2
    assert world.metrics.registry.get_sample_value("etcd_dr_recovery_state") is None


def test_recovery_under_way_is_seen_with_its_step(world: WatchingWorld) -> None:
    """The operator reads in the middle of a step."""
    plan = world.elsewhere.restore_plan()
    seen: list[WatchedRecovery | None] = []

    def look(entry: object) -> None:
        if getattr(entry, "kind", None) is EntryKind.BEGUN:
            seen.append(world.seen())

    world.elsewhere.run(plan, on_entry=look)

    [found] = seen
    assert found is not None
    assert (found.recovery_id, found.state, found.by) == (plan.recovery_id, WatchedState.RUNNING, "alice@home")


def test_failed_step_is_told_until_somebody_goes_on(world: WatchingWorld) -> None:
    """In metrics for an alert, and as a message with the ways on and back."""
    plan = world.fail()

    found = world.seen()

    assert found is not None
    assert found.state is WatchedState.FAILED
    assert (world.state(plan, "failed"), world.state(plan, "running")) == (1, 0)
    written = world.value("etcd_dr_recovery_step_started_timestamp_seconds", cluster="prod", recovery=plan.recovery_id)
    assert written == found.changed_at.timestamp()
    [condition] = conditions_of(Standing(recovery=found))
    assert condition.code == "recovery.failed"
    assert f"etcd-dr recover resume {plan.recovery_id}" in condition.next_step
    assert f"etcd-dr recover abort {plan.recovery_id}" in condition.next_step

    world.elsewhere.resume(plan)

    assert world.seen() is not None
    assert (world.state(plan, "failed"), world.state(plan, "finished")) == (0, 1)


def test_what_is_over_is_told_for_a_day_and_read_once(world: WatchingWorld) -> None:
    """Then the cluster is like any other."""
    plan = world.elsewhere.restore_plan()
    world.elsewhere.run(plan)
    first = world.seen()
    world.store.calls.clear()
    again = world.seen()

    assert first is not None
    assert again == first
    assert world.journal_reads() == []
    world.clock.advance(timedelta(days=1, minutes=1).total_seconds())
    assert world.seen() is None
    assert world.state(plan, "finished") is None


def test_only_new_entries_are_read(world: WatchingWorld) -> None:
    """A journal of a hundred entries is not fetched anew with every reading."""
    plan = world.fail()
    world.seen()
    before = len(world.elsewhere.stored_journal(plan))
    world.elsewhere.abort(plan)
    added = len(world.elsewhere.stored_journal(plan)) - before
    world.store.calls.clear()

    found = world.seen()

    assert found is not None
    assert found.state is WatchedState.ABORTED
    assert len(world.journal_reads()) == added


def test_lock_that_somebody_left_behind_is_seen(world: WatchingWorld) -> None:
    """Killed between the lock and the plan: nobody else could begin."""
    since = world.clock.now()
    lock = RecoveryLock(recovery_id="20260820T040100Z-000000000009", by="bob@office", place="/state", since=since)
    acquire_lock(world.store, world.layout, lock)
    world.clock.advance(3600)

    found = world.seen()

    assert found is not None
    assert (found.state, found.changed_at, found.by) == (WatchedState.LOCKED, since, "bob@office")


@pytest.mark.parametrize("damage", ["an entry does not parse", "an entry is gone", "the lock does not parse"])
def test_damage_is_a_value_and_hides_no_snapshot(world: WatchingWorld, damage: str) -> None:
    """Whoever reads the store trusts nothing in it, and the catalogue stays whole."""
    plan = world.fail()
    folder = f"{world.layout.recoveries}{plan.recovery_id}/journal/"
    if damage == "an entry is gone":
        world.store.lose(f"{folder}000002.json")
    else:
        key = f"{folder}000002.json" if "entry" in damage else f"{world.layout.recoveries}lock.json"
        world.store.put(key, b'{"version": 1}', if_absent=False)

    found = world.seen()

    assert found is not None
    assert found.state is WatchedState.DAMAGED
    catalogue = world.board.of("prod").catalogue
    assert catalogue is not None
    assert len(catalogue.snapshots) == 1


def test_right_to_the_snapshots_alone_is_enough(world: WatchingWorld) -> None:
    """Recoveries that may not be read are no reason to know nothing of the snapshots."""
    world.store.fail("list_folders", StoreDenied("no right to list", subject="recoveries/"))

    world.keeper.refresh()

    state = world.board.of("prod")
    assert state.catalogue is not None
    assert state.store_failure is None
    assert state.recovery.failure_code == StoreDenied.code


def test_store_that_is_gone_takes_the_metric_along(world: WatchingWorld) -> None:
    """What one replica saw last must not outlive what happened since."""
    plan = world.fail()
    world.seen()
    world.store.faults.is_gone = True

    world.keeper.refresh()

    assert world.state(plan, "failed") is None
