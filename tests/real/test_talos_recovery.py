"""Recovery of Talos control planes by `etcd-dr recover`, on doubles with a real etcd and the real etcdutl behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
