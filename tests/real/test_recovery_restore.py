"""A cluster that lost all its data comes back from its newest snapshot, on real etcd with the official etcdutl."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.journal import EntryKind, RecoveryState
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.workflows.claim_prefix import read_marker
from etcd_dr.workflows.recovery.hold_lock import read_lock
from real.recovery_parts import LAYOUT
from real.recovery_rig import RecoveryRig


@pytest.fixture
def rig(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[RecoveryRig]:
    with RecoveryRig(fresh_cluster(), tmp_path) as made:
        yield made


@pytest.mark.every_etcd
def test_three_members_come_back_from_a_snapshot_when_all_data_is_gone(rig: RecoveryRig, tmp_path: Path) -> None:
    """All data gone: the cluster has the planned ids, the predicted hash, all keys, and a higher revision."""
    if rig.cluster.binaries.release < (3, 4, 27):
        pytest.skip("etcdctl before 3.4.27 cannot raise the revision: such a plan is refused beforehand")
    seen = rig.fill(50)
    rig.take_snapshot()
    rig.wipe("m1", "m2", "m3")
    plan = rig.restore_plan()

    outcome = rig.run(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert plan.expected is not None
    assert rig.ids() == {m.name: (plan.expected.cluster_id, m.id) for m in plan.expected.members}
    assert outcome.report.verification["is_as_predicted"] is True
    assert {facts["hash"] for facts in rig.facts_of(plan, "build-data")} == {outcome.report.verification["hash"]}
    assert not list((tmp_path / "state").rglob("db"))
    assert len({answer.hash for answer in rig.hashes().values()}) == 1
    assert min(status.revision for status in rig.statuses().values()) > seen
    assert rig.value_of("/registry/pods/00049") == b"value-49"
    assert not rig.member_list().learners
    assert outcome.lag == 0
    assert [e.kind for e in outcome.report.timeline][-1] == EntryKind.FINISHED


@pytest.mark.every_etcd
def test_without_a_raised_revision_the_hash_is_the_snapshots_own(rig: RecoveryRig) -> None:
    """On explicit wish revisions stay as they were, as every etcd from 3.4 on can do."""
    revision = rig.fill(20)
    snapshot = rig.take_snapshot()
    rig.wipe("m1", "m2", "m3")

    outcome = rig.run(rig.restore_plan(Wishes(no_bump=True)))

    assert outcome.state is RecoveryState.FINISHED
    own = snapshot.manifest.database.hash_kv
    assert own is not None
    assert outcome.report.verification["hash"] == own.hash
    assert outcome.report.verification["revision"] == revision
    assert outcome.report.verification["is_as_predicted"] is True


def test_a_survivor_is_rebuilt_with_everything_it_had_applied(rig: RecoveryRig) -> None:
    """Two of three wiped: the survivor's own data makes the new cluster, later than the newest snapshot."""
    rig.fill(10)
    rig.take_snapshot()
    rig.fill(30, prefix="/registry/after/")
    rig.wipe("m2", "m3")
    plan = rig.rebuild_plan("m1")

    outcome = rig.run(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert outcome.report.verification["is_as_predicted"] is True
    assert rig.value_of("/registry/after/00029") == b"value-29"
    assert outcome.report.real_loss_revisions == 0
    assert rig.facts_of(plan, "fetch-survivor")[0]["equals_live_hash"] is True
    assert len(rig.aside("m1")) == 1
    assert Path(outcome.report.safety_copies["m1"]).stat().st_size > 0


def test_a_stopped_survivor_is_read_from_its_node(rig: RecoveryRig) -> None:
    """A survivor whose process is down gives its database file, which is proven and then restored like any other."""
    rig.fill(10)
    rig.take_snapshot()
    rig.fill(30, prefix="/registry/after/")
    rig.wipe("m2", "m3")
    rig.stop("m1")
    plan = rig.rebuild_plan("m1")

    outcome = rig.run(plan)

    assert outcome.state is RecoveryState.FINISHED
    assert outcome.report.verification["is_as_predicted"] is True
    assert rig.value_of("/registry/after/00029") == b"value-29"


def test_a_wiped_member_is_replaced_while_the_others_serve(rig: RecoveryRig) -> None:
    """One of three wiped: it comes back as a learner, catches up and votes; the cluster keeps its id."""
    rig.fill(20)
    rig.take_snapshot()
    before = {name: id_text(status.cluster_id) for name, status in rig.statuses().items()}
    old_id = rig.ids()["m2"][1]
    rig.wipe("m2")
    for name in ("m1", "m3"):
        rig.cluster.member(name).wait_until_healthy()  # m2 may have led
    plan = rig.replace_plan("m2")

    outcome = rig.run(plan)

    assert outcome.state is RecoveryState.FINISHED
    members = rig.member_list()
    assert sorted(member.name for member in members.members) == ["m1", "m2", "m3"]
    assert not members.learners
    assert {cluster_id for cluster_id, _ in rig.ids().values()} == set(before.values())
    assert rig.ids()["m2"][1] != old_id
    assert len({answer.hash for answer in rig.hashes().values()}) == 1


def test_a_watch_from_before_the_disaster_is_told_that_its_history_is_gone(rig: RecoveryRig) -> None:
    """A watcher that asks for its last revision after the recovery gets an error, never silence (etcd #16028)."""
    seen = rig.fill(20)
    rig.take_snapshot()
    lost = rig.fill(5, prefix="/registry/lost/")
    rig.wipe("m1", "m2", "m3")

    rig.run(rig.restore_plan())

    assert lost > seen
    for start_revision in (seen + 1, lost, lost + 1):
        answer = rig.watch(start_revision=start_revision)
        assert int(answer["compact_revision"]) > lost
        assert answer["canceled"] is True


def test_the_whole_is_in_the_store_when_it_is_over(rig: RecoveryRig) -> None:
    """Plan, journal and report are in the store, the lock is free, and the marker knows both ids."""
    rig.fill(5)
    rig.take_snapshot()
    rig.wipe("m1", "m2", "m3")
    plan = rig.restore_plan()

    rig.run(plan)

    store = rig.snapshots.store
    folder = f"{LAYOUT.recoveries}{plan.recovery_id}/"
    names = {stored.key.removeprefix(folder) for stored in store.list(folder)}
    assert {"plan.json", "report.md", "report.json", "journal/000001.json"} <= names
    assert read_lock(store, LAYOUT) is None
    marker = read_marker(store, LAYOUT)
    assert marker is not None
    assert plan.expected is not None
    assert marker.etcd_cluster_ids[-1] == plan.expected.cluster_id
    assert len(marker.etcd_cluster_ids) == 2
    assert len(rig.snapshots.catalogue.snapshots) == 2
