"""Control planes over real clusters: as local processes, and behind real sshd with a kubelet or a systemd played.

    plane.cluster     the LocalCluster; its members are found whoever started them
    plane.control     what is tested: etcd_dr.ports.control_plane.ControlPlane
    plane.section()   the same as a `control_plane:` section of a configuration file
    plane.hosts       the ssh servers by node name, to be cut and started again (none for local processes)

Every node behind ssh sees its own directory at /mnt, in the mount namespace of its sshd, so all nodes have the same
paths: /mnt/kubernetes/manifests, /mnt/units, /mnt/state.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any

import yaml

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.local import open_local
from etcd_dr.adapters.control_planes.plane import NodeGroup
from etcd_dr.adapters.control_planes.remote import open_static_pods, open_systemd
from etcd_dr.adapters.control_planes.ssh import SshSettings
from etcd_dr.adapters.control_planes.static_pod import StaticPodSettings
from etcd_dr.adapters.control_planes.systemd_unit import SystemdSettings
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.local_cluster.child import log_tail, start_child
from etcd_dr.adapters.process_table import find_process
from real.peers import crictl, kubelet, systemctl, systemd
from real.peers.sshd import Sshd, SshdProgram

_MANIFESTS = "/mnt/kubernetes/manifests"
_UNITS = ("etcd.service", "kube-apiserver.service")


@dataclass
class Plane:
    """One control plane over one cluster."""

    cluster: LocalCluster
    directory: Path
    control: NodeGroup
    cancellation: CancellationSwitch
    settings: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, Sshd] = field(default_factory=dict)

    def section(self) -> dict[str, Any]:
        """Return the section of a configuration file that describes these nodes."""
        return self.settings

    def start_by_hand(self, name: str) -> None:
        """Run `systemctl start etcd` on a node, as a person would, and wait for its end."""
        socket = self.directory / name / "manager" / "systemd.sock"
        systemctl.ask(str(socket), ["systemctl", "start", "etcd.service"])

    def wait_for(self, fact: Callable[[], bool]) -> None:
        """Return once something has become so. Raises TimeoutError."""
        _wait_for(fact)

    @contextlib.contextmanager
    def held(self, program: str) -> Iterator[None]:
        """Let a program of the nodes behind ssh wait, whoever calls it, and go on when the context is left."""
        real = shutil.which(program)
        assert real is not None
        gate = self.directory / f"{program}-waits"
        gate.touch()
        for name in self.hosts:
            wait = 'while [ -e "$0" ]; do sleep 0.05; done; exec "$@"'
            _script(self.directory / name, program, "sh", "-c", wait, gate, real)
        try:
            yield
        finally:
            gate.unlink()

    def writer_runs(self, name: str) -> bool:
        """Say whether the trivial writer of a node runs, from outside of the driver."""
        program = f"/{_writer_name(self.cluster, name)} "
        return any(
            program in line
            for line in subprocess.run(
                ["ps", "-eo", "args"], capture_output=True, text=True, check=True
            ).stdout.splitlines()
        )


@contextlib.contextmanager
def local_plane(cluster: LocalCluster) -> Iterator[Plane]:
    """Lend the members of a cluster as local nodes; what the driver starts dies with this process."""
    root = cluster.describe_nodes(cluster.directory / "nodes")
    for member in cluster.members:
        _add_local_writer(root / member.name, _writer_program(cluster, member.name))
    cancellation = CancellationSwitch()
    control = open_local(
        root,
        cancellation=cancellation,
        start=lambda command, log, environ: start_child(command, log=log, environ=environ),
    )
    plane = Plane(cluster, root, control, cancellation, {"platform": "local", "local": {"root": str(root)}})
    writers = [_start_writer(cluster, member.name) for member in cluster.members]
    _wait_for(lambda: all(plane.writer_runs(member.name) for member in cluster.members))
    try:
        yield plane
    finally:
        control.close()
        cluster.kill()
        for writer in writers:
            writer.kill()
            writer.wait()
        _end_writers(cluster)


@contextlib.contextmanager
def static_pod_plane(cluster: LocalCluster, program: SshdProgram) -> Iterator[Plane]:
    """Lend them as static pods: a kubelet for each node starts them, and one trivial kube-apiserver beside each."""
    root = cluster.directory / "nodes"
    with contextlib.ExitStack() as stack:
        cluster.stop()
        hosts = {}
        for number, member in enumerate(cluster.members):
            node = root / member.name
            manifests, state = node / "kubernetes" / "manifests", node / "kubelet"
            manifests.mkdir(parents=True)
            state.mkdir()
            command = member.settings.command_line(member.binaries.etcd)
            _write_pod(
                manifests / "etcd.yaml", "etcd", command, data_dir=member.data_dir, version=member.binaries.version
            )
            _write_pod(
                manifests / "kube-apiserver.yaml",
                "kube-apiserver",
                [str(_writer_program(cluster, member.name)), "100000"],
            )
            if number == 0:  # the others have no crictl, and are looked at through /proc
                _script(node, "crictl", sys.executable, "-I", "-S", crictl.__file__, state)
            _play(stack, kubelet.__file__, manifests, state)
            hosts[member.name] = stack.enter_context(_host(node, program))
        _wait_for(lambda: all(member.is_running for member in cluster.members))
        cluster.wait_until_healthy()
        config = _client_config(root, hosts)
        cancellation = CancellationSwitch()
        control = open_static_pods(
            {name: name for name in hosts},
            ssh=SshSettings(config_file=config, sudo="always"),
            settings=StaticPodSettings(manifests_dir=_MANIFESTS),
            cancellation=cancellation,
        )
        stack.callback(control.close)
        section = {
            "platform": "static-pod",
            "nodes": [{"name": name} for name in hosts],
            "ssh": {"config_file": str(config), "sudo": "always"},
            "static_pod": {"manifests_dir": _MANIFESTS},
        }
        plane = Plane(cluster, root, control, cancellation, section, hosts)
        _wait_for(lambda: all(plane.writer_runs(name) for name in hosts))
        yield plane


@contextlib.contextmanager
def systemd_plane(cluster: LocalCluster, program: SshdProgram) -> Iterator[Plane]:
    """Lend them as units; the second takes its name and data directory from an environment file."""
    root = cluster.directory / "nodes"
    with contextlib.ExitStack() as stack:
        cluster.stop()
        hosts = {}
        for number, member in enumerate(cluster.members):
            node = root / member.name
            units, state = node / "units", node / "manager"
            units.mkdir(parents=True)
            state.mkdir()
            command = member.settings.command_line(member.binaries.etcd)
            _write_etcd_unit(units, command, through_environment=number == 1)
            writer = f"{_writer_program(cluster, member.name)} 100000"
            (units / "kube-apiserver.service").write_text(
                f"[Unit]\nDescription=writer\n[Service]\nExecStart={writer}\n"
            )
            _play(stack, systemd.__file__, units, state)
            for tool in ("systemctl", "journalctl"):
                _script(node, tool, sys.executable, "-I", "-S", systemctl.__file__, state / "systemd.sock", tool)
            _wait_for(lambda state=state: (state / "systemd.sock").exists())
            hosts[member.name] = stack.enter_context(_host(node, program))
            for unit in _UNITS:
                systemctl.ask(str(state / "systemd.sock"), ["systemctl", "start", "--no-block", unit])
        _wait_for(lambda: all(member.is_running for member in cluster.members))
        cluster.wait_until_healthy()
        config = _client_config(root, hosts)
        cancellation = CancellationSwitch()
        control = open_systemd(
            {name: name for name in hosts},
            ssh=SshSettings(config_file=config),
            settings=SystemdSettings(drop_ins="/mnt/units", state_dir="/mnt/state"),
            cancellation=cancellation,
        )
        stack.callback(control.close)
        section = {
            "platform": "systemd",
            "nodes": [{"name": name} for name in hosts],
            "ssh": {"config_file": str(config)},
            "systemd": {"drop_ins": "/mnt/units", "state_dir": "/mnt/state"},
        }
        _wait_for(lambda: all(_has_main_pid(root / name, unit) for name in hosts for unit in _UNITS))
        yield Plane(cluster, root, control, cancellation, section, hosts)


def _host(node: Path, program: SshdProgram) -> Sshd:
    _script(node, "sudo", "sh", "-c", 'test "$1" = -n || exit 1; shift; test "$1" != -- || shift; exec "$@"', "sudo")
    path = f"{node / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    return Sshd(node / "ssh", program, environment={"PATH": path, "HOME": str(node)}, mounts={"/mnt": node})


def _script(node: Path, name: str, *command: str | Path) -> None:
    path = node / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
    path.chmod(0o755)


def _play(stack: contextlib.ExitStack, module: str, directory: Path, state: Path) -> None:
    process = start_child([sys.executable, module, directory, state], log=state / "played.log")

    def end() -> None:
        process.kill()
        process.wait()

    stack.callback(end)


def _client_config(root: Path, hosts: dict[str, Sshd]) -> Path:
    config = root / "ssh_config"
    parts = [f"Host {name}\n  HostName 127.0.0.1\n{host.client_options()}" for name, host in hosts.items()]
    config.write_text("\n".join(parts))
    return config


def _write_pod(path: Path, name: str, command: list[str], *, data_dir: Path | None = None, version: str = "1") -> None:
    container: dict[str, Any] = {"name": name, "image": f"registry.example/{name}:{version}-0", "command": command}
    spec: dict[str, Any] = {"containers": [container], "hostNetwork": True}
    if data_dir is not None:
        container["volumeMounts"] = [{"name": "data", "mountPath": str(data_dir)}]
        spec["volumes"] = [{"name": "data", "hostPath": {"path": str(data_dir), "type": "DirectoryOrCreate"}}]
    metadata = {"name": name, "namespace": "kube-system"}
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))


def _write_etcd_unit(units: Path, command: list[str], *, through_environment: bool) -> None:
    environment = ""
    if through_environment:
        moved = {"--initial-cluster", "--initial-cluster-state", "--name"}
        lines = [word for word in command if word.partition("=")[0] in moved]
        command = [word for word in command if word not in lines]
        variables = [word.lstrip("-").partition("=") for word in lines]
        (units / "etcd.env").write_text(
            "".join(f"ETCD_{name.upper().replace('-', '_')}={value}\n" for name, _, value in variables)
        )
        environment = f"EnvironmentFile=-{units / 'etcd.env'}\n"
    (units / "etcd.service").write_text(
        f"[Unit]\nDescription=etcd\n[Service]\nType=notify\n{environment}ExecStart={' '.join(command)}\nRestart=always\n"
    )


def _writer_name(cluster: LocalCluster, name: str) -> str:
    """Return a program name that no other test on this machine has: drivers know writers by their program."""
    token = hashlib.sha256(str(cluster.directory).encode()).hexdigest()[:8]
    return f"kube-apiserver-{token}-{name}"


def _writer_program(cluster: LocalCluster, name: str) -> Path:
    """Return a program that runs for long: a copy of sleep(1)."""
    program = cluster.directory / "nodes" / name / _writer_name(cluster, name)
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        found = shutil.which("sleep")
        assert found is not None
        shutil.copyfile(Path(found).resolve(), program)
        program.chmod(0o755)
    return program


def _add_local_writer(node: Path, program: Path) -> None:
    described = json.loads((node / "node.json").read_text())
    described["writers"] = [{"name": "kube-apiserver", "command": [str(program), "100000"]}]
    (node / "node.json").write_text(json.dumps(described))


def _start_writer(cluster: LocalCluster, name: str) -> subprocess.Popen[bytes]:
    program = _writer_program(cluster, name)
    return start_child([program, "100000"], log=program.parent / "writer.log")


def _has_main_pid(node: Path, unit: str) -> bool:
    """Say whether a node's manager knows the process of a unit: a program runs a moment before it does."""
    socket = node / "manager" / "systemd.sock"
    _, said = systemctl.ask(str(socket), ["systemctl", "show", "-p", "MainPID", "--value", unit])
    return said.strip() != "0"


def _end_writers(cluster: LocalCluster) -> None:
    """End the writers that a driver started."""
    for member in cluster.members:
        program = f"/{_writer_name(cluster, member.name)}"
        while (process := find_process(lambda words, program=program: words[0].endswith(program))) is not None:
            with process:
                process.send_signal(SIGKILL)
                process.wait(5)


def _wait_for(is_there: Callable[[], bool], *, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > until:
            raise TimeoutError("a peer did not start")
        time.sleep(0.02)


__all__ = ["Plane", "local_plane", "log_tail", "static_pod_plane", "systemd_plane"]
