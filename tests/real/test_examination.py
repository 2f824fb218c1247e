"""What the doctor's scripts bring home from a node: with this machine's tools and with busybox alone, whole and cut off."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.examination.node import ShellExaminedNode
from etcd_dr.adapters.control_planes.examination.pods import StaticPodExamination
from etcd_dr.adapters.control_planes.examination.units import SystemdExamination
from etcd_dr.adapters.control_planes.local_shell import LocalShell
from etcd_dr.adapters.control_planes.static_pod import StaticPodSettings
from etcd_dr.adapters.control_planes.systemd_unit import SystemdSettings
from etcd_dr.adapters.local_cluster.pki import LocalAuthority
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.doctor.hosts.observation import HostObservation

LISTED = (
    '{"containers": [{"metadata": {"name": "etcd", "attempt": 7}, "state": "CONTAINER_EXITED"},'
    ' {"metadata": {"name": "kube-apiserver", "attempt": 0}, "state": "CONTAINER_RUNNING"}]}'
)


class ShellWithLogin(LocalShell):
    """This machine's shell, as if there were a way to it."""

    def login(self) -> str:
        return "ssh cp1"


class NodeOfFiles:
    """A node made of files and of stand-ins for what answers on a real one."""

    def __init__(self, directory: Path, *program: str) -> None:
        self.directory = directory
        self.bin = directory / "bin"
        self.manifests = directory / "kubernetes" / "manifests"
        self.data = directory / "etcd"
        self._program = program
        self.bin.mkdir()
        self.manifests.mkdir(parents=True)
        self.answers("systemctl", "echo LoadState=loaded; echo ActiveState=active; echo NRestarts=0")
        self.answers("ss", """echo 'LISTEN 0 4096 127.0.0.1:2379 0.0.0.0:* users:(("older-etcd",pid=7,fd=8))'""")
        self.answers("journalctl", "echo 'the journal'")
        self.answers(
            "crictl", f"case $* in 'ps -a -o json') echo '{LISTED}';; *logs*) echo panic: freepages;; *) echo x;; esac"
        )

    def answers(self, name: str, script: str) -> None:
        """Let a program of this node be this script."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def put_manifest(self, file: str, command: list[str], *, pod: str = "etcd") -> None:
        container = {
            "name": pod,
            "image": f"registry.example/{pod}:3.5.30-0",
            "command": command,
            "volumeMounts": [{"name": "data", "mountPath": "/var/lib/etcd"}],
        }
        volumes = [{"name": "data", "hostPath": {"path": str(self.data)}}]
        spec = {"containers": [container], "volumes": volumes}
        text = yaml.safe_dump({"kind": "Pod", "metadata": {"name": pod}, "spec": spec})
        (self.manifests / file).write_text(text)

    def put_etcd(self, *flags: str) -> None:
        self.put_manifest("etcd.yaml", ["etcd", "--name=cp1", "--data-dir=/var/lib/etcd", *flags])

    def put_data(self) -> None:
        (self.data / "member" / "snap").mkdir(parents=True)
        (self.data / "member" / "wal").mkdir()
        (self.data / "member" / "snap" / "db").write_bytes(b"d" * 8192)
        (self.data / "member" / "wal" / "0000000000000000-0000000000000000.wal").write_bytes(b"no wal")
        self.data.chmod(0o750)

    def examine(self, *, deadline: float = 20.0) -> HostObservation:
        settings = StaticPodSettings(manifests_dir=str(self.manifests))
        return ShellExaminedNode(self._shell(), StaticPodExamination(settings), clock=SystemClock()).examine(
            deadline=deadline
        )

    def examine_unit(self) -> HostObservation:
        settings = SystemdSettings(drop_ins=str(self.directory / "units"))
        return ShellExaminedNode(self._shell(), SystemdExamination(settings), clock=SystemClock()).examine(deadline=20)

    def _shell(self) -> ShellWithLogin:
        program = tuple(word.replace("BIN", str(self.bin)) for word in self._program)
        return ShellWithLogin("cp1", place="here", cancellation=CancellationSwitch(), program=program)


@pytest.fixture(params=["sh", "busybox"])
def node(request: pytest.FixtureRequest, tmp_path: Path, stock_program: Callable[[str], Path]) -> NodeOfFiles:
    """This machine's tools, or busybox and what a test puts beside it."""
    if request.param == "sh":
        return NodeOfFiles(tmp_path, "env", f"PATH=BIN:{os.environ['PATH']}", "sh")
    applets = tmp_path / "applets"
    applets.mkdir()
    busybox = stock_program("busybox")
    subprocess.run([busybox, "--install", "-s", applets], check=True)
    return NodeOfFiles(tmp_path, "env", "-i", f"PATH=BIN:{applets}", str(busybox), "sh")


def test_evidence_of_a_node_in_trouble(node: NodeOfFiles) -> None:
    """Every file that the kubelet would start, what lies beside it, the data, the runtime and its last words."""
    node.put_etcd("--quota-backend-bytes=9", "--listen-client-urls=https://127.0.0.1:2379")
    node.put_manifest("etcd.yaml.bak", ["etcd", "--name=old", "--data-dir=/var/lib/etcd"])
    (node.manifests / "broken.yaml").write_text("{")
    (node.manifests / ".hidden.yaml").write_text("{")
    node.put_data()
    (node.directory / "etcd.etcd-dr-r1").mkdir()
    fence = node.manifests.parent / "etcd-dr-r2"
    fence.mkdir()
    (fence / "kube-apiserver.yaml").write_text("kind: Pod")

    seen = node.examine()

    assert seen.failure is None
    assert {m.file: bool(m.problem) for m in seen.manifests.value or ()} == {
        "broken.yaml": True,
        "etcd.yaml": False,
        "etcd.yaml.bak": False,
    }
    assert seen.etcd is not None
    assert (seen.etcd.name, seen.etcd.version, seen.etcd.data_dir) == ("cp1", "3.5.30", str(node.data))
    assert seen.etcd.settings["quota-backend-bytes"] == "9"
    assert seen.fences == (str(fence / "kube-apiserver.yaml"),)
    assert seen.data is not None
    assert seen.data.paths["data"].mode == 0o750
    assert seen.data.aside == (str(node.directory / "etcd.etcd-dr-r1"),)
    assert seen.data.database is not None
    assert seen.data.database.size_bytes == 8192
    assert "cannot be read" in seen.data.wal_problem
    assert (seen.data.free_bytes or 0) > 0
    assert (seen.data.total_inodes or 0) >= (seen.data.free_inodes or 0)
    assert seen.data.filesystem
    assert seen.container("etcd") is not None
    assert (seen.container("etcd").attempt, seen.container("etcd").is_running) == (7, False)  # type: ignore[union-attr]  # asserted above
    assert seen.log_tail == ("panic: freepages",)
    assert seen.kubelet is not None
    assert seen.kubelet.active == "active"
    assert seen.is_running is False
    assert seen.clock is not None
    assert abs(seen.clock.offset_seconds) <= seen.clock.resolution_seconds + 0.5
    assert seen.hostname
    assert seen.holders == {2379: "older-etcd"}


def test_certificates_are_read_and_keys_are_not(node: NodeOfFiles) -> None:
    """Dates, names and who signed; of a key, whether it is there and for whom."""
    now = datetime.now(UTC)
    day = timedelta(days=1)
    pair = LocalAuthority(node.directory / "pki", valid_from=now - day, valid_until=now + day).issue("server")
    files = {"cert-file": pair.certificate, "key-file": pair.key, "trusted-ca-file": pair.ca}
    node.put_etcd(*(f"--{flag}={path}" for flag, path in files.items()), "--peer-key-file=/nowhere/peer.key")
    client = LocalAuthority(node.directory / "other", valid_from=now - day, valid_until=now + day).issue("client")
    words = [f"--etcd-certfile={client.certificate}", f"--etcd-cafile={pair.ca}"]
    node.put_manifest("kube-apiserver.yaml", ["kube-apiserver", *words], pod="kube-apiserver")
    pair.key.chmod(0o640)
    node.put_data()

    seen = node.examine()

    told_by = {certificate.flag: certificate for certificate in seen.certificates}
    server, ca = told_by["cert-file"], told_by["trusted-ca-file"]
    assert set(told_by) == {"cert-file", "trusted-ca-file", "etcd-certfile", "etcd-cafile"}
    assert (server.is_authority, ca.is_authority) == (False, True)
    assert told_by["etcd-certfile"].issuer_key_id != ca.key_id
    assert server.issuer_key_id == ca.key_id != ""
    assert "127.0.0.1" in server.names
    assert server.not_after > datetime.now(UTC)
    told = {path.path: path for path in seen.files}
    assert told[str(pair.key)].mode == 0o640
    assert not told["/nowhere/peer.key"].exists


def test_manifest_that_was_moved_is_found_beside(node: NodeOfFiles) -> None:
    """Where people put it: one directory up."""
    node.put_etcd()
    away = node.manifests.parent / "etcd.yaml"
    (node.manifests / "etcd.yaml").rename(away)

    seen = node.examine()

    assert seen.elsewhere == (str(away),)
    assert seen.manifests.value == ()
    assert seen.etcd is None


def test_runtime_that_hangs_costs_its_own_time_only(node: NodeOfFiles) -> None:
    """The rest of the answers is there, and it is said who was silent."""
    node.put_etcd()
    node.answers("crictl", "exec sleep 180")
    begun = time.monotonic()

    seen = node.examine(deadline=24.0)

    assert time.monotonic() - begun < 120  # crictl sleeps for 180
    assert seen.containers.failure is not None
    assert "in time" in seen.containers.failure.message
    assert seen.kubelet is not None


def test_what_was_said_before_a_silence_is_kept(tmp_path: Path) -> None:
    """A node that hangs at a later answer has given the earlier ones. (busybox would run a hostname of its own.)"""
    node = NodeOfFiles(tmp_path, "env", f"PATH=BIN:{os.environ['PATH']}", "sh")
    node.answers("hostname", "exec sleep 60")
    begun = time.monotonic()

    seen = node.examine(deadline=10.0)

    assert time.monotonic() - begun < 50  # hostname sleeps for 60
    assert seen.failure is not None
    assert seen.silent_at == "hostname"
    assert seen.clock is not None
    assert not seen.manifests.was_asked


def test_runtime_that_fails_says_why(node: NodeOfFiles) -> None:
    """Its last line is what people search for."""
    node.put_etcd()
    node.answers("crictl", "echo 'FATA[0000] connect: connection refused' >&2; exit 1")

    seen = node.examine()

    assert seen.containers.failure is not None
    assert "connection refused" in seen.containers.failure.message


def test_unit_with_its_environment_file(node: NodeOfFiles) -> None:
    """Settings of the file and of the command line, restarts, the journal and a fence."""
    node.put_data()
    environment = node.directory / "etcd.env"
    environment.write_text(f"ETCD_NAME=a1\nETCD_DATA_DIR={node.data}\n")
    shown = (
        "LoadState=loaded\nActiveState=activating\nMainPID=0\nNRestarts=5\nResult=exit-code\n"
        "ExecStart={ path=/usr/bin/etcd ; argv[]=/usr/bin/etcd --listen-peer-urls=http://127.0.0.1:2380 ; ignore_errors=no }\n"
        f"EnvironmentFiles={environment} (ignore_errors=no)"
    )
    node.answers("systemctl", f"cat <<'END'\n{shown}\nEND")
    drop_ins = node.directory / "units" / "etcd.service.d"
    drop_ins.mkdir(parents=True)
    (drop_ins / "zz-etcd-dr-r3.conf").touch()

    seen = node.examine_unit()

    assert seen.etcd is not None
    assert (seen.etcd.name, seen.etcd.data_dir) == ("a1", str(node.data))
    assert seen.etcd.urls("listen-peer-urls") == ("http://127.0.0.1:2380",)
    assert seen.unit is not None
    assert (seen.unit.active, seen.unit.restarts, seen.is_running) == ("activating", 5, False)
    assert seen.log_tail == ("the journal",)
    assert len(seen.fences) == 1
    assert seen.data is not None
    assert seen.data.wal_files == 1
