"""The other ways back on Talos: from a survivor, by replacing one, by a reboot; and what is refused."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from real.peers.talos import Machine, TalosDouble
from real.talos_site import Site, kinds, verification

MakeDouble = Callable[..., TalosDouble]


def candidates(site: Site, *words: object) -> dict[str, dict[str, Any]]:
    """Return the ways back by name; of several the last one."""
    done = site("recover", "assess", "-o", "json", *words)
    assert done.status == 0, done.err
    return {each["way"]: each for each in done.document["candidates"]}


@pytest.mark.matrix
def test_a_survivor_is_copied_wiped_and_rebuilt_from(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Two of three lost their disks: what the third has, and no snapshot has, is kept; the copy lies here."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    double.put(b"/newer", b"than the snapshot")
    site.lose(double.machines[1], double.machines[2])

    plan = site.plan()
    done = site.run()

    assert plan["chosen"]["way"] == "rebuild"
    [wipe] = [step for step in plan["steps"] if step["kind"] == "talos-wipe"]
    assert wipe["labels"] == ["EPHEMERAL"]
    assert kinds(plan).index("talos-copy-data") < kinds(plan).index("talos-wipe")
    assert any("cannot be taken back" in each["effect"] for each in plan["chosen"]["effects"])
    assert done.status == 0, done.err
    assert site.has_the_treasure()
    assert double.get(b"/newer") == b"than the snapshot"
    assert verification(done)["is_as_predicted"] is True
    [copy] = tmp_path.glob("state/prod/recoveries/*/**/copies/*/snap/db")
    assert copy.stat().st_size > 0


@pytest.mark.matrix
def test_a_survivor_whose_etcd_does_not_run_is_rebuilt_from(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Its database file is read from the node, proven here page by page, and given the trailer that Talos asks for."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    double.put(b"/newer", b"than the snapshot")  # or the snapshot has all that the survivor has, and goes first
    survivor = double.machines[0]
    double.caller(survivor).content("EtcdSnapshot")  # which lets etcd write into its file what is in its WAL alone
    site.lose(double.machines[1], double.machines[2])
    survivor.faults.etcd_crashes_with = "no such luck"
    double.kill_etcd(survivor)
    double.wait_until(lambda: any("no such luck" in told for told in survivor.etcd_history.messages))

    plan = site.plan()
    survivor.faults.etcd_crashes_with = None
    survivor.faults.unmet.add("network")
    double.reboot(survivor)
    survivor.faults.unmet.clear()
    done = site.run()

    assert plan["chosen"]["way"] == "rebuild"
    assert done.status == 0, done.err
    assert site.has_the_treasure()
    assert double.get(b"/newer") == b"than the snapshot"


def test_a_lost_member_is_replaced_while_the_others_serve(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Its old id is removed through the others, and the wiped node joins by itself and votes."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    lost = double.machines[2]
    lost.faults.never_joins = True  # until the old member is gone, so that the plan stays true
    old = {member.name: member.ID for member in double.members()}
    site.lose(lost)

    plan = site.plan("--way", "replace", "--member", lost.hostname)
    with ThreadPoolExecutor(1) as beside:
        joined = beside.submit(_let_it_join, site, lost)
        done = site.run()
        joined.result()

    assert "talos-wipe" not in kinds(plan)
    assert done.status == 0, done.err
    assert site.has_the_treasure()
    now = {member.name: member.ID for member in double.members()}
    assert now[lost.hostname] != old[lost.hostname]


def _let_it_join(site: Site, machine: Machine) -> None:
    site.double.wait_until(lambda: site.has_begun("talos-await-members"), deadline_seconds=60)
    machine.faults.never_joins = False


@pytest.mark.matrix
def test_a_learner_that_stays_one_is_replaced_by_wish(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Nothing in Talos' API promotes it: it is removed by its id, its node wiped, and it joins anew."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    stuck = double.machines[2]
    stuck.faults.is_never_promoted = True
    double.lose_data(stuck)
    double.wait_for_complaint(stuck, "rpc not supported for learner")

    plan = site.plan("--way", "replace", "--member", stuck.hostname)
    stuck.faults.is_never_promoted = False
    done = site.run()

    assert "talos-remove-member" in kinds(plan)
    assert "talos-wipe" in kinds(plan)
    assert done.status == 0, done.err
    assert site.has_the_treasure()


def test_a_cluster_that_serves_is_never_wiped(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Not even by wish: there is nothing aside to go back to."""
    site = Site(talos_double(nodes=1), tmp_path)
    site.save()

    done = site("recover", "plan", "--way", "restore", "--roll-back")

    assert done.status != 0
    assert "cannot be taken back" in done.err
    assert candidates(site)["nothing"]["is_recommended"]


def test_an_init_machine_is_refused(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Talos would make an empty cluster there; the command that changes its type is told."""
    double = talos_double(machine_types={0: "init"})
    site = Site(double, tmp_path)
    site.save()
    site.lose(double.machines[1], double.machines[2])

    restore = candidates(site)["restore"]

    assert "of type init" in restore["obstacle"]
    assert "edit machineconfig --mode=staged" in restore["obstacle"]


def test_a_worker_among_the_nodes_is_named(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A worker has no etcd; the obstacle says to leave it out."""
    double = talos_double(nodes=2, machine_types={1: "worker"})
    site = Site(double, tmp_path)
    site.save()
    site.lose(double.machines[0])

    restore = candidates(site)["restore"]

    assert f"{double.machines[1].address} is a worker" in restore["obstacle"]


def test_two_clusters_stop_everything(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Two bootstraps made two clusters: nothing is recommended and nothing can be wiped; a person decides."""
    double = talos_double(nodes=2, start="unbootstrapped")
    site = Site(double, tmp_path)
    for machine in double.machines:
        machine.faults.never_joins = True  # or the second one joins the first before it is bootstrapped
    for machine in double.machines:
        double.bootstrap_alone(machine)

    ways = candidates(site)

    assert not any(each["is_recommended"] for each in ways.values())
    assert "There may be two clusters" in ways["replace"]["obstacle"] or "members" in ways["nothing"]["obstacle"]


def test_a_node_that_is_off_stands_against_a_new_cluster(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Its data could make it part of the new cluster; a person's word that it is lost is enough."""
    double = talos_double()
    site = Site(double, tmp_path)
    site.save()
    double.switch_off(double.machines[2])
    site.lose(double.machines[0], double.machines[1])

    without, said = candidates(site), candidates(site, "--lost", "talos-3")

    assert "--lost talos-3" in without["restore"]["obstacle"]
    assert said["restore"]["obstacle"] == ""


@pytest.mark.matrix
def test_a_node_whose_etcd_stands_still_is_rebooted(talos_double: MakeDouble, tmp_path: Path) -> None:
    """etcd cannot be started through Talos; a reboot does it, and no data is touched."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    [machine] = double.machines
    double.kill_etcd(machine, number=signal.SIGSTOP)
    double.wait_until(lambda: not machine.etcd.is_healthy)

    plan = site.plan()
    done = site.run()

    assert plan["chosen"]["way"] == "start"
    assert done.status == 0, done.err
    assert site.has_the_treasure()


def test_a_role_that_is_too_small_is_told_before_anything_is_touched(talos_double: MakeDouble, tmp_path: Path) -> None:
    """os:reader sees everything and may change nothing: the first step says which role is needed."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    reader = double.talosconfig("reader", roles=("os:reader",))
    site.cluster["talos"] = {"config_file": str(reader), "nodes": list(double.addresses)}
    boot = double.machines[0].boot_id

    site.plan()
    done = site.run()

    assert done.status != 0
    assert done.error["context"]["error_code"] == "etcd.denied"
    assert "os:admin" in done.err
    assert double.machines[0].boot_id == boot


def test_an_expired_certificate_is_told(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Nothing can be seen with it, so nothing is proposed, and the reason is in the evidence."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    past = datetime.now(UTC) - timedelta(days=1)
    expired = double.talosconfig("expired", valid_from=past - timedelta(days=1), valid_until=past)
    site.cluster["talos"] = {"config_file": str(expired), "nodes": list(double.addresses)}

    done = site("recover", "assess", "-o", "json")

    assert "expired" in done.out + done.err
    if done.status == 0:
        assert not any(each["is_recommended"] for each in done.document["candidates"])


def test_the_last_word_says_that_nodes_are_wiped(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A person who types the confirmation was told; whoever stops there has changed nothing."""
    double = talos_double(nodes=2)
    site = Site(double, tmp_path)
    site.save()
    site.lose(double.machines[1])
    boot = double.machines[0].boot_id

    done = site("recover", "run", stdin="\ngo\nno\n")

    assert "WIPED, which cannot be taken back" in done.err
    assert "Nothing is deleted" not in done.err
    assert done.status != 0
    assert double.machines[0].boot_id == boot


def test_abort_ends_it_and_says_what_stays(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Nothing on the nodes is taken back; the lock is free for the next plan, which brings the cluster back."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.restore_fails_with = "no space left on device"

    site.plan()
    failed = site.run()
    aborted = site("recover", "abort", "--yes", "-o", "json")
    machine.faults.restore_fails_with = None

    assert failed.status != 0
    assert aborted.status == 0, aborted.err
    assert "abort changes nothing on Talos nodes" in aborted.out
