"""What stands in the way of a recovery: a key, a store, a disk, a version. Nothing is lost, and it can be gone on with."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster, find_etcd_binaries
from real.etcd_command_line import healthy
from real.recovering_nodes import Nodes

FreshCluster = Callable[..., LocalCluster]


@pytest.fixture
def cluster(fresh_cluster: FreshCluster) -> Iterator[LocalCluster]:
    made = fresh_cluster(size=3)
    yield made
    made.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB; only root may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], check=False).returncode != 0:
        pytest.skip("no file system can be mounted here: that takes root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_wrong_key_is_told_before_any_node_is_touched(cluster: LocalCluster, tmp_path: Path) -> None:
    """The assessment says it already, a run stops before a node is touched, and with the right key it goes on."""
    right, wrong = (_identity(tmp_path / name) for name in ("right.key", "wrong.key"))
    encryption = {"recipients": [str(right.to_public())], "identity_files": [str(tmp_path / "right.key")]}
    nodes = Nodes(cluster, tmp_path, encryption=encryption)
    nodes.fill_and_save()
    nodes.wipe("m1", "m2", "m3")
    plan = nodes.plan()
    fitting = nodes.cli("recover", "assess").out
    nodes.document["encryption"]["identity_files"] = [str(tmp_path / "wrong.key")]
    nodes.write()

    unfitting = nodes.cli("recover", "assess").out
    failed = nodes.cli("recover", "run", "--plan", plan, "--yes", "-o", "json")
    touched = [nodes.cluster.member(name).data_dir.exists() for name in ("m1", "m2", "m3")]
    nodes.document["encryption"]["identity_files"] = [str(tmp_path / "right.key")]
    nodes.write()
    resumed = nodes.cli("recover", "resume")

    assert wrong.to_public() != right.to_public()
    assert "a key at hand opens it" in " ".join(fitting.split())
    assert "it cannot be opened here" in " ".join(unfitting.split())
    assert failed.error["context"]["error_code"] == "codec.wrong_identity"
    assert touched == [False, False, False]
    assert resumed.status == 0, resumed.err
    assert healthy(nodes.cli, "--no-snapshots").status == 0


def test_store_that_vanishes_half_way_stops_nothing_that_can_go_on(cluster: LocalCluster, tmp_path: Path) -> None:
    """The nodes are brought back from what is here; what the store must know waits for it."""
    nodes = Nodes(cluster, tmp_path)
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    with nodes.held_at_start("m1"):  # the store has to be gone before the run is over
        child = nodes.spawn("recover", "run", "--plan", str(nodes.plan()), "--yes")
        child.expect("aside: done")
        (tmp_path / "store").rename(tmp_path / "elsewhere")
    child.expect("recover resume")
    child.wait()
    child.close()

    serves = healthy(nodes.cli, "--no-snapshots").status
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    resumed = nodes.cli("recover", "resume", "-o", "json")

    assert (child.exitstatus, serves) == (74, 0)
    assert resumed.status == 0, resumed.err
    assert resumed.document["journal_lag"] == 0


def test_disk_that_is_too_small_is_told_in_the_plan(cluster: LocalCluster, tmp_path: Path, small_disk: Path) -> None:
    """Before anything is touched, with the node and the bytes."""
    nodes = Nodes(cluster, tmp_path)
    nodes.fill_and_save()
    nodes.wipe("m1", "m2", "m3")
    described = tmp_path / "nodes" / "m1" / "node.json"
    data_dir = str(cluster.member("m1").data_dir)
    described.write_text(described.read_text().replace(data_dir, str(small_disk / "m1.etcd")))

    assessed = nodes.cli("recover", "assess", "-o", "json")
    planned = nodes.cli("recover", "plan", "-o", "json")

    [restore] = [c for c in assessed.document["candidates"] if c["way"] == "restore"]
    assert "m1" in restore["obstacle"]
    assert "MB" in restore["obstacle"]
    assert planned.error["code"] == "recovery.nothing_possible"


def test_snapshot_of_another_minor_needs_an_explicit_wish(
    fresh_cluster: FreshCluster, etcd_binaries: EtcdBinaries, tmp_path: Path
) -> None:
    """Tool, server and snapshot belong together (etcd #13070); an older etcd may not know what a newer one stored."""
    others = [each for each in find_etcd_binaries(os.environ) if each.release[:2] < etcd_binaries.release[:2]]
    if not others:
        pytest.skip("no older minor of etcd at hand: run `make tools`")
    cluster = fresh_cluster(size=1)
    nodes = Nodes(cluster, tmp_path)
    nodes.fill_and_save()
    nodes.wipe("m1")
    described = tmp_path / "nodes" / "m1" / "node.json"
    node = json.loads(described.read_text())
    node["etcd"][0] = str(others[0].etcd)
    described.write_text(json.dumps(node))
    nodes.document["tools"]["directories"].append(str(others[0].etcd.parent))
    nodes.write()

    refused = nodes.cli("recover", "plan", "-o", "json")
    wished = nodes.cli("recover", "plan", "--other-minor", "--no-bump", "-o", "json")
    cluster.kill()

    assert refused.error["code"] == "recovery.nothing_possible"
    assert etcd_binaries.version.rpartition(".")[0] in refused.error["message"]
    assert wished.status == 0, wished.err


def _identity(path: Path) -> pyrage.x25519.Identity:
    identity = pyrage.x25519.Identity.generate()
    path.write_text(f"{identity}\n")
    path.chmod(0o600)
    return identity
