"""What goes wrong on the way, and what a recovery on Talos makes of it: refusals, broken uploads, remains, reboots, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from real.peers.talos import Machine, TalosDouble
from real.peers.talos.faults import DIRECTORY_NOT_EMPTY, NOT_READY_FOR_RECOVERY, TIME_NOT_SYNCED
from real.talos_site import Site, kinds

MakeDouble = Callable[..., TalosDouble]


@pytest.mark.matrix
def test_not_ready_yet_is_asked_again(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Talos says that its time is not in sync, or that it is not ready: neither is a failure for two minutes."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.refuse("EtcdRecover", NOT_READY_FOR_RECOVERY, times=2)
    machine.faults.refuse("Bootstrap", TIME_NOT_SYNCED, times=3)
    machine.faults.refuse("Bootstrap", DIRECTORY_NOT_EMPTY)

    site.plan()
    done = site.run()

    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.matrix
def test_remains_of_a_failed_restore_are_wiped_by_the_next_run(talos_double: MakeDouble, tmp_path: Path) -> None:
    """The failure has Talos' own words; what it left behind would make every further Bootstrap say AlreadyExists."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.restore_fails_with = "no space left on device"

    site.plan()
    failed = site.run()
    machine.faults.restore_fails_with = None
    boot = machine.boot_id
    done = site.resume()

    assert failed.error["code"] == "recovery.step_failed"
    assert "no space left on device" in failed.err
    assert done.status == 0, done.err
    assert machine.boot_id != boot
    assert site.has_the_treasure()


def test_an_upload_that_breaks_is_begun_again_and_then_told(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Nothing stays of a broken upload on the node; a later run begins it anew."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.recover_breaks_at = 1000

    site.plan()
    failed = site.run()
    machine.faults.recover_breaks_at = None
    done = site.resume()

    assert failed.error["context"]["error_code"] in ("etcd.unreachable", "etcd.stream_broken")
    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.matrix
def test_a_node_that_reboots_after_bootstrap_is_bootstrapped_again(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A reboot makes it forget that it was to restore; it would wait for a cluster for ever."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.restore_takes = 2.0
    machine.faults.reboot_after = "Bootstrap"

    site.plan()
    done = site.run()

    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.matrix
def test_a_slow_promotion_is_no_failure(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Minutes for each member are usual; the third waits until the second votes."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    for machine in double.machines:
        machine.faults.promotion_takes = 8.0

    site.plan()
    done = site.run()

    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.matrix
def test_a_node_that_hangs_is_waited_for_and_named(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A look is given up after its deadline, and the node's data counts as unknown until a person speaks."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    double.machines[2].faults.hanging_calls.add("ServiceList")

    done = site("recover", "assess", "-o", "json")

    restore = next(c for c in done.document["candidates"] if c["way"] == "restore")
    assert double.machines[2].address in restore["obstacle"]


@pytest.mark.matrix
def test_etcds_own_partition_is_wiped_too(talos_double: MakeDouble, tmp_path: Path) -> None:
    """From 1.14 etcd's data may be on a partition that a wipe of EPHEMERAL alone would leave."""
    double = talos_double(release="1.14.0", etcd_volume=True, nodes=2)
    site = Site(double, tmp_path)
    site.save()
    site.lose(double.machines[1])

    plan = site.plan()
    done = site.run()

    [wipe] = [step for step in plan["steps"] if step["kind"] == "talos-wipe"]
    assert wipe["labels"] == ["EPHEMERAL", "ETCD"]
    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("talos-copy-data", marks=pytest.mark.matrix),
        pytest.param("build-data", marks=pytest.mark.matrix),
        pytest.param("talos-wipe", marks=pytest.mark.matrix),
        pytest.param("talos-await-ready", marks=pytest.mark.matrix),
        "talos-bootstrap",
        pytest.param("talos-await-members", marks=pytest.mark.matrix),
        pytest.param("talos-verify", marks=pytest.mark.matrix),
    ],
)
def test_a_run_that_is_killed_is_gone_on_with(talos_double: MakeDouble, tmp_path: Path, kind: str) -> None:
    """The journal and what the nodes show are enough to go on from any step."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    site.lose(double.machines[1], double.machines[2])

    plan = site.plan()
    _run_and_kill_at(kind, site)
    done = site.resume()

    assert kind in kinds(plan)
    assert done.status == 0, done.err
    assert site.has_the_treasure()


def _run_and_kill_at(kind: str, site: Site) -> None:
    """Begin the plan in a process of its own, and kill it when a step of this kind was begun."""
    # Or the step, and all that follow, may be over before it is seen. Up to the build, snapshots are what is needed.
    held = set() if kind in ("talos-copy-data", "build-data") else {"EtcdSnapshot"}
    for machine in site.double.machines:
        machine.faults.hanging_calls |= held
    arguments = ["recover", "run", "--plan", site.plan_file, "--yes", "--config", site.directory / "etcd-dr.yaml"]
    with (site.directory / "killed.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "etcd_dr.entrypoints.cli", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ.copy(),
        )
    try:
        site.double.wait_until(lambda: site.has_begun(kind) or process.poll() is not None, deadline_seconds=120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        for machine in site.double.machines:
            machine.faults.hanging_calls -= held
    assert site.has_begun(kind), (site.directory / "killed.log").read_text()


@pytest.mark.matrix
def test_what_is_slow_or_cut_off_while_the_others_join_is_no_failure(talos_double: MakeDouble, tmp_path: Path) -> None:
    """An image that is pulled for seconds, names that are missing for a while, an attempt to join that broke off (which
    1.14 takes up again; up to 1.13 the half-made member stays in the way)."""
    double = talos_double(release="1.14.0")
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    first, second, third = double.machines
    first.faults.image_pull_takes = 2.0
    second.faults.breaks_off_joining = True
    for machine in double.machines:
        machine.faults.hides_member_names = True

    site.plan()
    third.faults.image_pull_takes = 2.0
    done = site.run()

    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.matrix
def test_a_clock_that_is_not_synced_is_waited_for_before_anything_is_uploaded(
    talos_double: MakeDouble, tmp_path: Path
) -> None:
    """Talos would refuse the bootstrap; the wait says what it is for."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.clock_is_unsynced = True
    site.plan()

    with ThreadPoolExecutor(1) as beside:
        synced = beside.submit(_sync_once_it_is_waited_for, site, machine)
        done = site.run()
        was_uploaded = synced.result()

    assert not was_uploaded
    assert done.status == 0, done.err
    assert site.has_the_treasure()


def _sync_once_it_is_waited_for(site: Site, machine: Machine) -> bool:
    site.double.wait_until(lambda: site.has_begun("talos-await-ready"), deadline_seconds=60)
    was_uploaded = site.has_begun("talos-bootstrap")
    machine.faults.clock_is_unsynced = False
    return was_uploaded


@pytest.mark.matrix
def test_a_full_disk_stops_the_recovery_before_anything_is_touched(talos_double: MakeDouble, tmp_path: Path) -> None:
    """The snapshot and what is restored from it lie on /var together."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    site.plan()
    machine.faults.var_available_bytes = 1024

    stopped = site.run()
    machine.faults.var_available_bytes = None
    done = site.resume()

    assert stopped.status != 0
    assert "bytes free" in stopped.err
    assert not site.has_begun("talos-wipe")
    assert done.status == 0, done.err
    assert site.has_the_treasure()
