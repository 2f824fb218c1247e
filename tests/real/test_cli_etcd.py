"""The command against a real cluster: what etcdctl's users type, and what they get."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from etcd_dr.adapters.local_cluster import LocalCluster
from real.etcd_command_line import command_line, etcdctl_environment, healthy, once
from real.peers.etcd_tools import StockTools
from real.peers.tcp_proxy import TcpProxy
from scenarios.command_line import Done


def test_save_takes_proves_and_keeps_with_etcdctls_environment(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """Who has a working etcdctl needs a store and a recipient, and nothing else."""
    cli = command_line(shared_cluster, tmp_path)

    done = cli("snapshot", "save", "-o", "json", "--label", "change=4711")

    assert done.status == 0, done.err
    document = done.document
    assert {proof["level"]: proof["result"] for proof in document["proofs"]} == {
        "stored": "passed",
        "intact": "passed",
        "consistent": "passed",
    }
    assert document["snapshot"]["level"] == "consistent"
    assert cli("snapshot", "list", "-o", "json").document["snapshots"][0] == document["snapshot"]


def test_save_without_a_name_finds_its_cluster_among_several(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """The markers say which cluster these endpoints belong to; a person is asked only where they do not."""
    cli = command_line(shared_cluster, tmp_path)
    assert cli("snapshot", "save", "--cluster", "prod", "-o", "json").status == 0
    other = tmp_path / "store" / "v1" / "lab"
    other.mkdir()
    (other / "cluster.json").write_text(
        '{"version": 1, "cluster": "lab", "etcd_cluster_ids": ["00000000000000aa"], '
        '"created_at": "2026-08-20T03:00:00Z", "created_by": "test"}'
    )

    saved = cli("snapshot", "save", "-o", "json")
    health = cli("health", "-o", "json")
    listed = cli("snapshot", "list")

    assert saved.status == 0, saved.err
    assert saved.document["snapshot"]["cluster"] == "prod"
    assert health.document["cluster"] == "prod"
    assert listed.status == 64


def test_save_to_a_file_is_what_etcdctl_writes(
    shared_cluster: LocalCluster, stock_tools: StockTools, tmp_path: Path
) -> None:
    """`etcd-dr snapshot save FILE` is a drop-in; etcd's own tool agrees about the file, and nothing else is left."""
    cli = command_line(shared_cluster, tmp_path)
    file = tmp_path / "plain.db"

    done = cli("snapshot", "save", file, "-o", "json")
    status = cli("snapshot", "status", file, "-o", "json").document
    theirs = stock_tools.snapshot_status(file)

    assert done.status == 0, done.err
    assert status["is_restorable"]
    assert (status["status"]["status_hash"], status["status"]["revision"]) == (theirs["hash"], theirs["revision"])
    assert status["status"]["total_size_bytes"] == theirs["totalSize"]
    assert theirs["totalKey"] in (status["status"]["all_records"], status["status"]["live_keys"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.db", "store"]


def test_members_and_health_agree_with_the_cluster(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> None:
    """Three rows, one leader; a healthy cluster with a fresh snapshot ends with 0."""
    cli = command_line(fresh_cluster(), tmp_path)  # of its own: members that run for long remember slow moments
    assert cli("snapshot", "save").status == 0

    members = once(lambda: cli("members", "-o", "json"), lambda done: roles(done) == ["follower", "follower", "leader"])
    health = healthy(cli, "-o", "json")

    assert [row["label"] for row in members.document["members"]] == ["m1", "m2", "m3"]
    assert roles(members) == ["follower", "follower", "leader"]
    assert health.document["quorum"]["verdict"] == "held"
    assert (health.status, health.document["severity"]) == (0, "ok"), health.out


def test_dead_member_is_a_warning_and_a_dead_quorum_is_critical(
    fresh_cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    """The verdict comes first, the exit status is what Nagios reads, and a snapshot can still be had."""
    cluster = fresh_cluster()
    cli = command_line(cluster, tmp_path)

    cluster.member("m3").kill()
    without_tolerance = "WARNING default: quorum held-without-tolerance"
    one_down = once(  # m3 may have been the leader
        lambda: cli("health", "--no-snapshots"), lambda done: done.out.startswith(without_tolerance)
    )
    cluster.member("m2").kill()
    two_down = once(  # until the survivor's election timeout it still names a leader
        lambda: cli("health", "--no-snapshots", "-o", "json"),
        lambda done: bool(done.document["quorum"]["verdict"] == "lost-may-return"),
    )
    saved = cli("snapshot", "save", "-o", "json")

    assert one_down.status == 1
    assert one_down.out.startswith(without_tolerance)
    assert "m3" in one_down.out
    assert two_down.status == 2
    assert two_down.document["quorum"]["verdict"] == "lost-may-return"
    assert saved.status == 0, saved.err


def test_configuration_file_describes_it_all(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """The file alone is enough, and a flag lies over it."""
    tls = shared_cluster.client_tls
    etcd = {
        "endpoints": list(shared_cluster.endpoints),
        "cacert": str(tls.ca),
        "cert": str(tls.certificate),
        "key": str(tls.key),
    }
    (tmp_path / "etcd-dr.yaml").write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "prod", "store": "here", "etcd": etcd, "labels": {"site": "a"}}],
                "stores": [{"name": "here", "prefix": "deep/er", "directory": {"path": str(tmp_path / "store")}}],
                "encryption": {"enabled": False},
            }
        )
    )
    cli = command_line(shared_cluster, tmp_path)
    cli.environment = {}

    saved = cli("snapshot", "save", "-o", "json")
    shown = cli("snapshot", "show", "-o", "json")
    overridden = cli("members", "--endpoints", shared_cluster.endpoints[0], "-o", "json")

    assert saved.document["snapshot"]["cluster"] == "prod"
    assert "/store/deep/er/v1/prod/snapshots/" in saved.document["url"]
    assert shown.document["manifest"]["labels"] == {"site": "a"}
    assert len(overridden.document["members"]) == 3


def test_store_of_another_cluster_is_not_touched(
    shared_cluster: LocalCluster, fresh_cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    """Two clusters in one prefix would prune each other's snapshots."""
    first = command_line(shared_cluster, tmp_path)
    assert first("snapshot", "save").status == 0
    other = command_line(fresh_cluster(size=1), tmp_path)

    refused = other("snapshot", "save", "-o", "json")
    named = other("snapshot", "save", "--cluster", "other", "-o", "json")
    accepted = other("snapshot", "save", "--cluster", "default", "--accept-new-cluster-id")

    assert (refused.status, refused.error["code"]) == (78, "etcd.foreign_cluster")
    assert named.status == 0
    assert accepted.status == 0, accepted.err


def test_verify_compares_with_the_live_members(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """And without members at hand it goes as far as the bytes allow."""
    cli = command_line(shared_cluster, tmp_path)
    assert cli("snapshot", "save").status == 0

    with_members = cli("snapshot", "verify", "--level", "consistent", "-o", "json")
    cli.environment = {"ETCD_DR_STORE": cli.store}
    alone = cli("snapshot", "verify", "-o", "json")
    insisting = cli("snapshot", "verify", "--level", "consistent")

    assert with_members.status == 0, with_members.err
    assert [proof["level"] for proof in alone.document["verified"][0]["proofs"]] == ["stored", "intact"]
    assert insisting.status == 69


def test_health_watch_says_each_change_once(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> None:
    """On a pipe: the first state, then a line when something changes; SIGTERM ends it with the last status."""
    cluster = fresh_cluster()
    watch = subprocess.Popen(
        [sys.executable, "-m", "etcd_dr.entrypoints.cli", "health", "--watch", "--interval", "200ms", "-o", "json"],
        env={**os.environ, **etcdctl_environment(cluster)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert watch.stdout is not None
        before = said_until(watch.stdout, verdict="held", exit_status=0)
        cluster.member("m1").kill()
        after = said_until(watch.stdout, verdict="held-without-tolerance", exit_status=1)
        watch.terminate()
        rest, errors = watch.communicate(timeout=60)
    finally:
        watch.kill()
        watch.wait()

    told = [(said["quorum"]["verdict"], found(said)) for said in [*before, *after, *map(json.loads, rest.splitlines())]]
    assert all(earlier != later for earlier, later in pairwise(told))
    assert errors == ""
    assert watch.returncode in (1, 2), rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_save_leaves_nothing_visible(
    fresh_cluster: Callable[..., LocalCluster],
    tcp_proxy: Callable[[int], TcpProxy],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    """A signal in the middle of a stream that stands still ends it with 130, at once, and with a clean store."""
    cluster = fresh_cluster(size=1)
    with cluster.gateway() as gateway:
        for key in range(300):
            gateway.put_through(b"%d" % key, os.urandom(4000))
    proxy = tcp_proxy(cluster.members[0].settings.client_port)
    proxy.stall_after(500_000)
    cli = command_line(cluster, tmp_path)
    save = subprocess.Popen(
        [sys.executable, "-m", "etcd_dr.entrypoints.cli", "snapshot", "save", "--endpoints", proxy.endpoint],
        env={**os.environ, **cli.environment, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: proxy.bytes_to_client >= 500_000)
        save.send_signal(number)
        out, errors = save.communicate(timeout=25)  # the stream itself is given up after 30
    finally:
        save.kill()
        save.wait()

    assert (save.returncode, out) == (130, ""), errors
    assert "Traceback" not in errors
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] in ([], ["cluster.json"])
    assert not list(tmp_path.glob("etcd-dr-scratch-*"))


def roles(done: Done) -> list[str]:
    return sorted(row["role"] for row in done.document["members"])


def said_until(stream: IO[str], *, verdict: str, exit_status: int) -> list[dict[str, Any]]:
    """Return what is said up to this state; elections, and a machine that is slow, have more to say before."""
    said: list[dict[str, Any]] = []
    while line := stream.readline():
        said.append(json.loads(line))
        if (said[-1]["quorum"]["verdict"], said[-1]["exit_status"]) == (verdict, exit_status):
            return said
    raise AssertionError(f"it never came to {verdict}: {said}")


def found(said: dict[str, Any]) -> list[tuple[str, str, str]]:
    return sorted((str(each["code"]), str(each["member"]), each["severity"]) for each in said["findings"])


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    """Return once it is so; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)
