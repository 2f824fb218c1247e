"""Drills over real parts: a real cluster's snapshot, etcd's own tools, and a real etcd on what they restore."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster
from etcd_dr.adapters.local_cluster.gateway import encoded
from etcd_dr.errors import EtcdError
from real.etcd_command_line import command_line
from real.full_database import has_room
from real.peers.etcd_tools import StockTools
from scenarios.command_line import CommandLine
from scenarios.documented_json import differences, examples

FreshCluster = Callable[..., LocalCluster]


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    directory = tmp_path / "rooms"
    directory.mkdir()
    return directory


@pytest.fixture
def command(etcd_binaries: EtcdBinaries, tmp_path: Path, rooms: Path) -> Callable[[LocalCluster], CommandLine]:
    """Return a command line that finds only the programs of this test's version."""

    def make(cluster: LocalCluster) -> CommandLine:
        cli = command_line(cluster, tmp_path)
        cli.environment |= {
            "ETCD_DR_TEST_ETCD_DIRS": str(etcd_binaries.etcd.parent),
            "ETCD_DR_SCRATCH_DIR": str(rooms),
            "PATH": "",
        }
        return cli

    return make


def write(cluster: LocalCluster, *, keys: int = 300) -> None:
    with cluster.gateway() as gateway:
        for number in range(keys):
            gateway.put_through(b"/registry/%d" % (number % 200), os.urandom(100))
        gateway.call("/v3/kv/compaction", {"revision": str(keys // 2), "physical": True})
        gateway.call("/v3/kv/deleterange", {"key": encoded(b"/registry/7")})


@pytest.mark.every_etcd
def test_snapshot_is_restored_started_and_compared(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine], rooms: Path
) -> None:
    """Every version, with its own tool and server; afterwards only the proof is there."""
    cluster = fresh_cluster(size=1)
    write(cluster)
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0

    done = cli("drill", "run", "-o", "json")

    assert done.status == 0, done.err + done.out
    assert {check["passed"] for check in done.document["checks"]} == {True}
    assert done.document["proof"]["drill"]["started_with"] == cluster.binaries.version
    [listed] = cli("drill", "list", "-o", "json").document["drills"]
    assert listed["proof"] == done.document["proof"]
    assert listed["snapshot"]["level"] == "restorable"
    assert list(rooms.iterdir()) == []


def test_answers_have_the_documented_keys(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine]
) -> None:
    """Programs are written against docs/json-output.md."""
    cluster = fresh_cluster(size=1)
    write(cluster)
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0

    for words in ("drill run", "drill list"):
        printed = cli(*words.split(), "-o", "json").document
        assert list(differences(examples()[words], printed)) == []


def test_leases_that_run_out_meanwhile_do_no_harm(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine]
) -> None:
    """Kubernetes has leases of seconds; everything is compared at the revision of the snapshot."""
    cluster = fresh_cluster(size=1)
    write(cluster)
    write_leased(cluster, keys=50)
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0

    assert cli("drill", "run").status == 0


def write_leased(cluster: LocalCluster, *, keys: int) -> None:
    """Write keys that live for two seconds, under another lease where the first one ran out before it was used."""
    with cluster.gateway() as gateway:
        while True:
            leased = {"value": encoded(b"x"), "lease": gateway.call("/v3/lease/grant", {"TTL": "2"})["ID"]}
            # At once, because it must not run out before it is used.
            puts = [{"requestPut": {"key": encoded(b"/leased/%d" % number), **leased}} for number in range(keys)]
            try:
                gateway.call("/v3/kv/txn", {"success": puts})
            except EtcdError as refusal:
                if "lease not found" not in refusal.message:
                    raise
            else:
                return


def test_cluster_with_users_is_drilled_as_root(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine], stock_tools: StockTools
) -> None:
    """The users are in the snapshot; the drill's own certificate is root's."""
    cluster = fresh_cluster(size=1)
    write(cluster)
    stock_tools.etcdctl(cluster, "user", "add", "root", "--new-user-password=secret")
    stock_tools.etcdctl(cluster, "user", "grant-role", "root", "root")
    stock_tools.etcdctl(cluster, "auth", "enable")
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0

    done = cli("drill", "run")

    assert done.status == 0, done.err + done.out


def test_snapshot_of_a_full_cluster_is_restorable(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine]
) -> None:
    """Its alarm comes along and forbids writes; a drill only reads."""
    cluster = fresh_cluster(size=1, quota_bytes=2 << 20)
    with cluster.gateway() as gateway:
        while has_room(gateway, b"/big", os.urandom(50_000)):
            pass
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0

    done = cli("drill", "run")

    assert done.status == 0, done.err + done.out


def test_tool_of_another_minor_is_no_tool(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine], tmp_path: Path
) -> None:
    """It is said which is missing and where it was looked for, and no proof is made."""
    cluster = fresh_cluster(size=1)
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0

    done = cli("drill", "run", "-o", "json", environment={"ETCD_DR_TEST_ETCD_DIRS": str(tmp_path)})

    assert done.status == 69
    assert done.error["code"] == "tool.missing"
    assert str(tmp_path) in done.error["message"]
    assert cli("drill", "list", "-o", "json").document["drills"] == []


def test_stopped_drill_leaves_nothing(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine], rooms: Path, tmp_path: Path
) -> None:
    """SIGTERM while etcd's tool runs: no process, no file, no proof."""
    cluster = fresh_cluster(size=1)
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0
    tools = tmp_path / "slow"
    started, never = tmp_path / "started", tmp_path / "never"
    hanging_tools(tools, cluster.binaries, started=started, never=never)
    environ = {**cli.environment, "ETCD_DR_TEST_ETCD_DIRS": str(tools), "PATH": os.environ["PATH"]}

    child = subprocess.Popen([sys.executable, "-m", "etcd_dr.entrypoints.cli", "drill", "run"], env=environ)
    tool = int(started.read_text())
    child.send_signal(signal.SIGTERM)
    status = child.wait(60)

    assert status == 130
    assert not is_running(tool)
    assert list(rooms.iterdir()) == []
    assert cli("drill", "list", "-o", "json").document["drills"] == []


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that has ended stays listed until whoever inherited it looks."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def hanging_tools(directory: Path, binaries: EtcdBinaries, *, started: Path, never: Path) -> None:
    """Make programs of the same version whose restore begins and never ends."""
    directory.mkdir()
    os.mkfifo(started)
    os.mkfifo(never)
    (directory / "etcd").symlink_to(binaries.etcd)
    for name in ("etcdutl", "etcdctl"):
        program = directory / name
        version = f'echo "{name} version: {binaries.version}"'
        program.write_text(
            f'#!/bin/sh\nif [ "$1" = version ]; then {version}; exit; fi\necho $$ > {started}\nexec cat {never}\n'
        )
        program.chmod(0o755)


def test_nothing_outlives_a_killed_drill(
    fresh_cluster: FreshCluster, command: Callable[[LocalCluster], CommandLine], rooms: Path, tmp_path: Path
) -> None:
    """SIGKILL while etcd starts: its etcd goes with it, and the next drill removes the room."""
    cluster = fresh_cluster(size=1)
    cli = command(cluster)
    assert cli("snapshot", "save").status == 0
    tools, started = tmp_path / "slow", tmp_path / "started"
    tools.mkdir()
    os.mkfifo(started)
    os.mkfifo(tmp_path / "never")
    for name in ("etcdutl", "etcdctl"):
        (tools / name).symlink_to(cluster.binaries.etcd.with_name(name))
    hanging = tools / "etcd"
    version = f'echo "etcd Version: {cluster.binaries.version}"'
    hanging.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then {version}; exit; fi\necho $$ > {started}\nexec cat {tmp_path}/never\n'
    )
    hanging.chmod(0o755)
    environ: dict[str, Any] = {**cli.environment, "ETCD_DR_TEST_ETCD_DIRS": str(tools), "PATH": os.environ["PATH"]}

    child = subprocess.Popen([sys.executable, "-m", "etcd_dr.entrypoints.cli", "drill", "run"], env=environ)
    etcd = psutil.Process(int(started.read_text()))
    child.kill()
    child.wait()
    psutil.wait_procs([etcd], timeout=60)

    assert not is_running(etcd.pid)
    assert len(list(rooms.iterdir())) == 1
    assert cli("drill", "run").status == 0
    assert list(rooms.iterdir()) == []


def test_snapshot_of_a_recovered_cluster_is_drilled(
    fresh_cluster: FreshCluster,
    command: Callable[[LocalCluster], CommandLine],
    stock_tools: StockTools,
    tmp_path: Path,
) -> None:
    """A bumped revision leaves a record without a key, which counts among the keys and is never shown by a Range."""
    cluster = fresh_cluster(size=1)
    write(cluster)
    saved = stock_tools.save_snapshot(cluster, tmp_path / "saved.db")
    bump = ("--bump-revision=1000000", "--mark-compacted", f"--data-dir={tmp_path / 'bumped'}")
    stock_tools.etcdutl("snapshot", "restore", saved, *bump)
    cli = command(cluster)
    assert cli("snapshot", "import", str(tmp_path / "bumped" / "member" / "snap" / "db")).status == 0

    done = cli("drill", "run", "-o", "json")

    assert done.status == 0, done.err + done.out
    assert {check["passed"] for check in done.document["checks"]} == {True}
