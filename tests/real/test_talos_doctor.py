"""The doctor on a Talos control plane with one thing wrong at a time, and within seconds whatever hangs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.adapters.talos.fleet import TalosAccess, TalosNodes
from etcd_dr.domain.doctor import CODES
from real.peers.talos import TalosDouble
from real.peers.talos.pki import Authority
from real.peers.talos.roles import ADMIN, ETCD_BACKUP, READER
from scenarios.command_line import CommandLine
from scenarios.documented_json import differences, examples

MakeDouble = Callable[..., TalosDouble]
SETTLED_SECONDS = 40.0


class Doctor:
    """The command beside one control plane."""

    def __init__(self, double: TalosDouble, directory: Path) -> None:
        self.double = double
        self.cli = CommandLine(directory, {})
        self.seconds = 0.0
        self.document: dict[str, Any] = {}  # of the last look

    def __call__(self, *words: object, roles: tuple[str, ...] = (READER,), nodes: bool = True) -> dict[str, Any]:
        config = self.double.talosconfig("-".join(roles).replace(":", "_"), roles=roles)
        named = ("--nodes", ",".join(self.double.addresses)) if nodes else ()
        begun = time.monotonic()
        patient = ("--timeout", "20s") if "--timeout" not in words else ()
        done = self.cli("doctor", "--talosconfig", config, "-o", "json", *named, *patient, *words)
        self.seconds = time.monotonic() - begun
        assert done.out, done.err
        assert done.status == done.document["exit_status"]
        self.document = done.document
        return self.document

    def codes(self, *words: object, **how: Any) -> set[str]:
        """Return what was found."""
        found = {finding["code"] for finding in self(*words, **how)["findings"]}
        assert found <= set(CODES)
        return found

    def settled(self, *expected: str, **how: Any) -> set[str]:
        """Return what was found by the first look that found this alone, or by the last one.

        An election between two questions, or a port that opens a moment later, is over at the next look.
        """
        end = time.monotonic() + SETTLED_SECONDS
        while (found := self.codes(**how)) != set(expected) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def finding(self, *codes: str, says: str = "") -> dict[str, Any]:
        """Return the first of these findings, out of one look that found them all and a next step that says this.

        It may take some looks.
        """
        end = time.monotonic() + SETTLED_SECONDS
        while True:
            found = {finding["code"]: finding for finding in reversed(self("--timeout", "4s")["findings"])}
            if set(codes) <= set(found) and says in found[codes[0]]["next_step"]:
                return found[codes[0]]
            assert time.monotonic() < end, [(code, each["summary"], each["next_step"]) for code, each in found.items()]
            time.sleep(0.1)


@pytest.fixture
def doctor(shared_talos: TalosDouble, tmp_path: Path) -> Doctor:
    return Doctor(shared_talos, tmp_path)


def test_healthy_control_plane_has_no_findings(doctor: Doctor) -> None:
    """Silence is the answer that makes the other answers worth reading."""
    assert doctor.settled() == set()


def test_document_is_as_documented(doctor: Doctor) -> None:
    """Keys and their kinds are a promise."""
    assert list(differences(examples()["doctor"], doctor())) == []


def test_nodes_are_found_by_asking(doctor: Doctor) -> None:
    """Without --nodes the member list says which there are."""
    assert len(doctor(nodes=False)["nodes"]) == 3


def test_backup_role_is_told_what_it_cannot_see(doctor: Doctor) -> None:
    """One hint, and a list of what was not looked at; no false alarm."""
    assert doctor.settled("talos.role", roles=(ETCD_BACKUP,)) == {"talos.role"}
    assert any("services" in line for line in doctor.document["not_looked_at"])


def test_never_bootstrapped(talos_double: MakeDouble, tmp_path: Path) -> None:
    """All Preparing with empty directories."""
    double = talos_double(start="unbootstrapped")
    doctor = Doctor(double, tmp_path)
    for machine in double.machines:
        double.wait_for_state(machine, "Preparing")

    assert doctor.finding("etcd.not_bootstrapped")["severity"] == "critical"


def test_answer_comes_within_seconds_when_nodes_hang(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Every call of two nodes hangs, and a third is gone: the deadline and a little more."""
    double = talos_double()
    doctor = Doctor(double, tmp_path)
    for machine in double.machines[:2]:
        machine.faults.hanging_calls |= {"Version", "ServiceList", "EtcdStatus", "EtcdMemberList", "EtcdAlarmList"}
    double.switch_off(double.machines[2])

    codes = doctor.codes("--timeout", "8s")

    assert doctor.seconds < 8 * 4  # five calls, one after the other, would take forty
    assert "talos.unreachable" in codes


def test_lost_quorum(talos_double: MakeDouble, tmp_path: Path) -> None:
    """One of three is left: critical, with who is silent."""
    double = talos_double()
    doctor = Doctor(double, tmp_path)
    for machine in double.machines[1:]:
        double.switch_off(machine)

    lost = doctor.finding("etcd.quorum_lost", "talos.unreachable")

    assert lost["severity"] == "critical"
    assert doctor.document["severity"] == "critical"
    assert doctor.document["has_quorum"] is False


def test_one_node_down_leaves_no_tolerance(talos_double: MakeDouble, tmp_path: Path) -> None:
    """All works, and it is said how close it is."""
    double = talos_double()
    doctor = Doctor(double, tmp_path)
    double.switch_off(double.machines[2])

    assert doctor.finding("etcd.no_tolerance")["severity"] == "warning"


def test_crash_loop_with_the_last_words(talos_double: MakeDouble, tmp_path: Path) -> None:
    """etcd that ends again and again."""
    double = talos_double(nodes=1)
    doctor = Doctor(double, tmp_path)
    double.machines[0].faults.etcd_crashes_with = "flag provided but not defined: -wrong"
    double.reboot(double.machines[0])

    assert doctor.finding("etcd.crash_loop")["member"] is not None


def test_removed_member_is_no_disaster(talos_double: MakeDouble, tmp_path: Path) -> None:
    """The sentence of etcd is told from any other crash, and the remedy is a wipe of one node."""
    double = talos_double(nodes=1)
    doctor = Doctor(double, tmp_path)
    double.machines[0].faults.etcd_crashes_with = "the member has been permanently removed from the cluster"
    double.reboot(double.machines[0])

    assert "EPHEMERAL" in doctor.finding("etcd.removed")["next_step"]


@pytest.mark.parametrize(
    ("switches", "code"),
    [
        ({"clock_is_unsynced": True}, "node.clock_unsynced"),
        ({"clock_skew": 9.0}, "node.clock_skew"),
        ({"var_available_bytes": 1024}, "node.disk"),
    ],
)
def test_trouble_of_a_machine(doctor: Doctor, switches: dict[str, Any], code: str) -> None:
    """What is wrong with the machine under etcd."""
    faults = doctor.double.machines[1].faults
    before = {name: getattr(faults, name) for name in switches}
    for name, value in switches.items():
        setattr(faults, name, value)

    try:
        assert code in doctor.codes()
    finally:
        for name, value in before.items():
            setattr(faults, name, value)


def test_etcd_that_waits_says_for_what(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Waiting for an etcd spec means an address filter that fits nothing."""
    double = talos_double(nodes=1)
    doctor = Doctor(double, tmp_path)
    double.machines[0].faults.unmet |= {"etcd spec"}
    double.reboot(double.machines[0])

    waiting = doctor.finding("etcd.waiting", says="advertisedSubnets")

    assert "etcd spec" in waiting["summary"]


def test_machine_types_that_cannot_be_recovered(talos_double: MakeDouble, tmp_path: Path) -> None:
    """init ignores a restore; a worker has no etcd."""
    doctor = Doctor(talos_double(machine_types={0: "init", 2: "worker"}), tmp_path)

    assert {"node.init", "node.worker"} <= doctor.codes()


def test_store_without_snapshots_is_told(doctor: Doctor) -> None:
    """The doctor also says whether there is something to recover from."""
    document = doctor("--store", doctor.cli.store)

    assert "backup.none" in {finding["code"] for finding in document["findings"]}


def test_administrator_sees_the_same(doctor: Doctor) -> None:
    """More rights bring no other findings."""
    assert doctor.settled(roles=(ADMIN,)) == set()


def test_stuck_learner_is_named(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A member that is never promoted, and the third one that waits behind it."""
    double = talos_double(start="unbootstrapped")
    doctor = Doctor(double, tmp_path)
    for machine in double.machines[1:]:
        machine.faults.is_never_promoted = True
    double.wait_for_state(double.machines[0], "Preparing")
    bootstrap(double)

    assert doctor.finding("etcd.not_joined", "etcd.learner", says="one at a time")["member"]


def test_node_that_finds_nobody_to_join(talos_double: MakeDouble, tmp_path: Path) -> None:
    """One node is bootstrapped, another sees no control plane endpoint."""
    double = talos_double(nodes=2, start="unbootstrapped")
    doctor = Doctor(double, tmp_path)
    double.machines[1].faults.never_joins = True
    double.wait_for_state(double.machines[0], "Preparing")
    bootstrap(double)

    assert doctor.finding("etcd.not_joined", says="finds no member")["member"]


def test_restore_that_failed_behind_an_ok(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Bootstrap said OK; nothing had been uploaded."""
    double = talos_double(nodes=1, start="unbootstrapped")
    doctor = Doctor(double, tmp_path)
    double.wait_for_state(double.machines[0], "Preparing")
    bootstrap(double, recover=True)
    double.wait_for_state(double.machines[0], "Failed")

    found = doctor.finding("etcd.restore_failed")

    assert "no such file or directory" in found["summary"]


def test_left_over_of_a_failed_restore_is_told(talos_double: MakeDouble, tmp_path: Path) -> None:
    """The database was copied before the restore failed: the next bootstrap would be refused."""
    double = talos_double(nodes=1)
    doctor = Doctor(double, tmp_path)
    nodes = fleet(double)
    with closing(nodes.open(nodes.nodes()[0])) as node:
        with node.snapshot(stall_deadline=10, total_deadline=10) as stream:
            snapshot = b"".join(chunk.blob for chunk in stream)
        node.reset(["EPHEMERAL"], deadline=10)
    double.wait_for_state(double.machines[0], "Preparing")
    double.machines[0].faults.restore_fails_with = "no space left on device"
    with closing(nodes.open(nodes.nodes()[0])) as node:
        node.upload_snapshot([snapshot], deadline=10)
    bootstrap(double, recover=True)
    double.wait_for_state(double.machines[0], "Failed")

    assert "left a data directory" in doctor.finding("etcd.restore_failed")["next_step"]


def test_names_that_are_empty_for_a_while_are_no_finding(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Members are compared by id."""
    double = talos_double()
    double.machines[1].faults.hides_member_names = True

    assert Doctor(double, tmp_path).settled() == set()


def test_alarm_with_the_order_of_the_remedy(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A database that met its quota."""
    double = talos_double(nodes=1, etcd_flags=("--quota-backend-bytes=100000",))
    doctor = Doctor(double, tmp_path)
    fill(double)

    assert "defrag" in doctor.finding("etcd.alarm")["next_step"]


def fleet(double: TalosDouble) -> TalosNodes:
    config = double.talosconfig("helper", roles=(ADMIN,), nodes=double.addresses)
    return TalosNodes(TalosAccess(config_file=config), clock=SystemClock())


def bootstrap(double: TalosDouble, *, recover: bool = False) -> None:
    nodes = fleet(double)
    with closing(nodes.open(nodes.nodes()[0])) as node:
        node.bootstrap(recover=recover, deadline=10)


def fill(double: TalosDouble) -> None:
    """Write until etcd refuses."""
    tls = double.etcd_tls
    command = [double.settings.binaries.etcdctl, "--endpoints", double.etcd_endpoints[0], "--cacert", tls.ca]
    for number in range(20):
        words = ["--cert", tls.certificate, "--key", tls.key, "put", f"/fill/{number}", "x" * 30_000]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        if "space exceeded" in done.stderr:
            return
    raise AssertionError("etcd took everything")


def test_port_that_is_silent(talos_double: MakeDouble, tmp_path: Path) -> None:
    """trustd, which workers get their certificates from."""
    double = talos_double(nodes=1)
    double.machines[0].faults.silent_ports.add(50001)
    double.reboot(double.machines[0])
    double.wait_until_healthy()

    assert Doctor(double, tmp_path).finding("node.trustd")


def test_talosconfig_of_another_cluster_is_told_from_a_node_that_is_off(doctor: Doctor) -> None:
    """x509: unknown authority, in words that help."""
    now = datetime.now(UTC)
    other = Authority(
        "talos", is_ed25519=True, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1)
    )
    config = doctor.double.talosconfig("other", authority=other)

    done = doctor.cli("doctor", "--talosconfig", config, "--nodes", doctor.double.addresses[0], "-o", "json")

    assert done.status == 2
    assert {f["code"] for f in done.document["findings"]} >= {"talos.tls"}


@pytest.mark.matrix
def test_two_clusters_of_one_name(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Two bootstraps: nothing is to be wiped before a person decided."""
    double = talos_double(nodes=2, start="unbootstrapped")
    for machine in double.machines:
        machine.faults.never_joins = True  # or the second one joins the first before it is bootstrapped
    for machine in double.machines:
        double.bootstrap_alone(machine)

    found = Doctor(double, tmp_path).finding("etcd.views_differ")

    assert found["severity"] == "critical"
    assert "different clusters" in found["summary"]


@pytest.mark.matrix
def test_kubelet_that_failed(talos_double: MakeDouble, tmp_path: Path) -> None:
    """What keeps a node NotReady."""
    double = talos_double(nodes=1)
    double.machines[0].faults.failed_services["kubelet"] = "Failed to run pre stage: no luck"
    double.reboot(double.machines[0])
    double.wait_until_healthy()

    assert Doctor(double, tmp_path).finding("kubelet.down")


@pytest.mark.matrix
def test_api_server_that_nobody_reaches(talos_double: MakeDouble, tmp_path: Path) -> None:
    """etcd is healthy, port 6443 is not."""
    double = talos_double(nodes=1)
    double.machines[0].faults.silent_ports.add(6443)
    double.reboot(double.machines[0])
    double.wait_until_healthy()

    assert Doctor(double, tmp_path).finding("kubernetes.api_server")
