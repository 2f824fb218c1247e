"""What is seen of real members on real nodes, what is chosen for it, and where the chosen plan ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.etcd_programs import InstalledPrograms
from etcd_dr.adapters.etcdutl import EtcdutlRestorer
from etcd_dr.adapters.local_cluster import EtcdProcess, LocalCluster
from etcd_dr.adapters.process_table import find_process, runs_etcd_on
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.identity import expected_ids
from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry, RecoveryState
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.domain.wal_head import HEAD_BYTES, is_first_wal, read_wal_identity
from etcd_dr.errors import EtcdError, NothingPossible
from etcd_dr.ports.restorer import RestoreOrder
from real.peers.etcd_tools import StockTools
from real.recovery_decider import Decider
from real.recovery_rig import RecoveryRig


@pytest.fixture
def rig(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[RecoveryRig]:
    with RecoveryRig(fresh_cluster(), tmp_path) as made:
        yield made


def test_ids_are_those_that_a_cluster_and_etcdutl_give(
    fresh_cluster: Callable[..., LocalCluster], stock_tools: StockTools, tmp_path: Path
) -> None:
    """Computed beforehand, found in a living cluster, and in the WAL of a directory that etcdutl restored."""
    cluster = fresh_cluster()
    urls = {m.name: (m.settings.peer_url,) for m in cluster.members}
    living, members = expected_ids(urls, cluster.members[0].settings.cluster_token)
    restored, restored_members = expected_ids(urls, "another-token")
    saved = stock_tools.save_snapshot(cluster, tmp_path / "saved.db")
    version = EtcdVersion.parse(cluster.binaries.version)

    with RecoveryRig(cluster, tmp_path) as rig:
        statuses = rig.statuses()
    EtcdutlRestorer(InstalledPrograms([cluster.binaries.etcd.parent])).restore(
        RestoreOrder(
            source=saved,
            data_dir=tmp_path / "m2.restored",
            name="m2",
            peer_urls=urls["m2"],
            initial_cluster=urls,
            token="another-token",
        ),
        server=version,
        cancellation=CancellationSwitch(),
    )
    [wal] = [p for p in (tmp_path / "m2.restored" / "member" / "wal").iterdir() if is_first_wal(p.name)]
    identity = read_wal_identity(wal.read_bytes()[:HEAD_BYTES])

    assert {name: (s.cluster_id, s.member_id) for name, s in statuses.items()} == {
        name: (living, member) for name, member in members.items()
    }
    assert (identity.cluster_id, identity.member_id) == (restored, restored_members["m2"])


def test_all_members_down_with_their_data_are_started_and_nothing_is_lost(rig: RecoveryRig) -> None:
    """Never restored: the plan starts them, and the cluster is the same as before."""
    seen, decider = rig.fill(20), Decider(rig)
    rig.take_snapshot()
    before = rig.ids()
    rig.stop("m1", "m2", "m3")

    survey, plan = decider.survey(), decider.plan()
    with pytest.raises(NothingPossible):
        decider.plan(Wishes(way=Way.RESTORE))
    outcome = decider.carry_out(plan)

    assert survey.assessment.standing is QuorumStanding.MAY_RETURN
    assert {m.verdict for m in survey.assessment.members} == {MemberVerdict.DOWN}
    assert survey.assessment.highest_revision_seen == seen
    assert (plan.way, outcome.state) == (Way.START, RecoveryState.FINISHED)
    assert rig.ids() == before


def test_wiped_member_is_replaced_while_the_others_serve(rig: RecoveryRig) -> None:
    """It comes back with another id, votes, and has everything."""
    rig.fill(20)
    decider = Decider(rig)
    before = rig.ids()
    rig.wipe("m2")
    decider.survey_once_led()

    plan = decider.plan()
    outcome = decider.carry_out(plan)

    assert (plan.way, plan.chosen.target, outcome.state) == (Way.REPLACE, "m2", RecoveryState.FINISHED)
    after = rig.ids()
    assert {name for name in after if after[name] != before[name]} == {"m2"}
    assert not rig.member_list().learners
    assert decider.settled_verdicts() == {MemberVerdict.HEALTHY}


def applied_revision(member: EtcdProcess) -> int:
    """Return the revision that a member has, learner or not; 0 while it does not answer."""
    with suppress(EtcdError), member.gateway() as gateway:
        return int(gateway.call("/v3/maintenance/status", {})["header"].get("revision", 0))
    return 0


@pytest.mark.parametrize("has_caught_up", [False, True], ids=["at-once", "caught-up"])
def test_joining_member_that_ends_is_started_again(rig: RecoveryRig, has_caught_up: bool) -> None:
    """It ends by itself where the member that it asks does not know of it yet; nothing else would start it.

    One that has caught up counts as ready, also when it has ended, and must not vote before it runs again.
    """
    revision = rig.fill(20)
    decider = Decider(rig)
    rig.wipe("m2")
    decider.survey_once_led()
    plan = decider.plan()

    def end_it(entry: JournalEntry) -> None:
        if entry.kind is EntryKind.DONE and "start-etcd" in entry.step:
            process = find_process(runs_etcd_on(rig.data_dir("m2")))
            if process is None:
                return  # it has done so by itself
            with process:
                while has_caught_up and process.is_running and applied_revision(rig.cluster.member("m2")) < revision:
                    time.sleep(0.02)
                process.end(until=time.monotonic() + 20, check=lambda: None)

    outcome = decider.carry_out(plan, on_entry=end_it)

    assert outcome.state is RecoveryState.FINISHED
    assert decider.settled_verdicts() == {MemberVerdict.HEALTHY}


@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "stopped"])
def test_newer_survivor_goes_before_the_newest_snapshot(rig: RecoveryRig, is_stopped: bool) -> None:
    """Two of three wiped: what was written after the snapshot is still there afterwards."""
    rig.fill(10)
    rig.take_snapshot()
    seen, decider = rig.fill(30, prefix="/registry/after/"), Decider(rig)
    rig.wipe("m1", "m2")
    if is_stopped:
        rig.stop("m3")

    plan = decider.plan()
    outcome = decider.carry_out(plan)

    assert (plan.way, plan.chosen.target, plan.chosen.loss.revisions) == (Way.REBUILD, "m3", 0)
    assert plan.source is not None
    assert plan.source.revision == seen
    assert outcome.state is RecoveryState.FINISHED
    assert rig.value_of("/registry/after/00029") == b"value-29"


def test_recovered_cluster_is_sound_and_can_be_lost_again(rig: RecoveryRig) -> None:
    """All data gone twice: the second recovery uses the snapshot that the first one took, under the new id."""
    rig.fill(10)
    decider = Decider(rig)
    first_snapshot = rig.take_snapshot()
    rig.wipe("m1", "m2", "m3")

    first = decider.plan()
    decider.carry_out(first)
    settled = decider.settled_verdicts()
    rig.end_all()
    rig.wipe("m1", "m2", "m3")
    second = decider.plan()

    assert (first.way, first.chosen.target) == (Way.RESTORE, str(first_snapshot.id))
    assert settled == {MemberVerdict.HEALTHY}
    assert second.way is Way.RESTORE
    assert second.chosen.target != first.chosen.target
    assert second.source is not None
    assert second.source.revision is not None
    assert second.source.revision > 1_000_000
