"""Recovery of Talos control planes by `etcd-dr recover`, on doubles with a real etcd and the real etcdutl behind them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries
from real.peers.talos import TalosDouble
from real.talos_site import Site, kinds, verification

MakeDouble = Callable[..., TalosDouble]
BUMP = 1_000_000


def test_one_node_comes_back_from_a_snapshot(talos_double: MakeDouble, tmp_path: Path) -> None:
    """A wiped single node is bootstrapped from a prepared snapshot: revisions raised, data as predicted."""
    site = Site(talos_double(nodes=1), tmp_path)
    site.save()
    site.lose()

    plan = site.plan()
    done = site.run()

    assert plan["chosen"]["way"] == "restore"
    assert done.status == 0, done.err
    assert site.has_the_treasure()
    found = verification(done)
    assert found["is_as_predicted"] is True
    assert found["current_revision"] > BUMP


def test_three_nodes_come_back_from_a_snapshot(talos_double: MakeDouble, tmp_path: Path) -> None:
    """All wiped: one is bootstrapped, two join by themselves and vote, and a fresh snapshot ends it."""
    site = Site(talos_double(), tmp_path)
    site.save()
    site.lose()

    plan = site.plan()
    done = site.run()

    assert "talos-wipe" not in kinds(plan)  # nothing is left to wipe
    assert kinds(plan)[-1] == "take-snapshot"
    assert done.status == 0, done.err
    assert site.has_the_treasure()
    assert verification(done)["members"] == 3
    assert verification(done)["is_as_predicted"] is True


def test_etcds_certificates_beside_talos_complete_the_verification(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Then revisions are known beforehand, and a write and a read through the cluster are tried too."""
    double = talos_double(nodes=1)
    tls = double.etcd_tls
    etcd = {
        "endpoints": double.etcd_endpoints,
        "cacert": str(tls.ca),
        "cert": str(tls.certificate),
        "key": str(tls.key),
    }
    site = Site(double, tmp_path, {"etcd": etcd})
    site.save()
    site.lose()

    site.plan()
    done = site.run()

    assert done.status == 0, done.err
    found = verification(done)
    assert found["not_compared"] == ""
    assert found["is_as_predicted"] is True
    assert found["written_at_revision"] > BUMP


@pytest.mark.matrix
def test_the_recovery_goes_on_elsewhere_with_the_store_alone(talos_double: MakeDouble, tmp_path: Path) -> None:
    """The machine that began it is gone: plan and journal are in the store, and the snapshot is fetched again."""
    double = talos_double(nodes=1)
    site = Site(double, tmp_path)
    site.save()
    site.lose()
    [machine] = double.machines
    machine.faults.restore_fails_with = "no space left on device"

    site.plan()
    failed = site.run()
    shutil.rmtree(tmp_path / "state")
    machine.faults.restore_fails_with = None
    done = site.resume("--take-over")

    assert failed.status != 0
    assert done.status == 0, done.err
    assert site.has_the_treasure()


@pytest.mark.every_etcd
@pytest.mark.matrix
def test_every_etcd_comes_back(talos_double: MakeDouble, etcd_binaries: EtcdBinaries, tmp_path: Path) -> None:
    """What etcdutl restored here is restored by Talos' etcdutl again, whatever its version."""
    if etcd_binaries.etcdutl is None:
        pytest.skip("etcdutl came with etcd 3.5")
    site = Site(talos_double(nodes=2), tmp_path)
    site.save()
    site.lose()

    site.plan()
    done = site.run()

    assert done.status == 0, done.err
    assert site.has_the_treasure()
    assert verification(done)["is_as_predicted"] is True
