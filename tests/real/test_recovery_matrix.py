"""The disasters that a recovery is for, on real clusters of one, three and five: verdict, choice, end state, loss."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import EtcdProcess, LocalCluster
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.journal import RecoveryState
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.errors import NothingPossible
from real.full_database import has_room
from real.recovery_decider import Decider
from real.recovery_rig import RecoveryRig

pytestmark = pytest.mark.matrix

MakeRig = Callable[..., RecoveryRig]


@pytest.fixture
def make_rig(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> Iterator[MakeRig]:
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(RecoveryRig(fresh_cluster(**settings), tmp_path))


def recover(rig: RecoveryRig) -> Plan:
    """Carry out what is recommended, and see that the cluster is sound afterwards."""
    decider = Decider(rig)
    plan = decider.plan()

    outcome = decider.carry_out(plan)

    assert outcome.state is RecoveryState.FINISHED
    found = decider.survey_once_led().assessment
    assert found.standing is QuorumStanding.HELD
    assert not found.alarms
    return plan


def take_in_new_members(rig: RecoveryRig) -> None:
    """Let the configuration know members that joined after the rig was made."""
    rig._write_nodes()
    rig.parts = replace(rig.parts, endpoints=list(rig.cluster.endpoints))


def damage(rig: RecoveryRig, name: str, *, at: int, count: int) -> None:
    """Overwrite a part of a stopped member's database."""
    with (rig.data_dir(name) / "member" / "snap" / "db").open("r+b") as database:
        database.seek(at)
        database.write(b"\xff" * count)


def test_member_with_a_corrupt_disk_is_replaced(make_rig: MakeRig) -> None:
    """Its first pages cannot be read; the others serve on."""
    rig = make_rig()
    rig.fill(20)
    rig.stop("m3")
    damage(rig, "m3", at=0, count=16384)

    verdict = Decider(rig).survey_once_led().assessment.member("m3").verdict  # m3 may have led
    plan = recover(rig)

    assert verdict is MemberVerdict.DAMAGED
    assert (plan.way, plan.chosen.target) == (Way.REPLACE, "m3")


def test_diverged_follower_is_replaced(make_rig: MakeRig) -> None:
    """One value differs on its disk, and etcd notices nothing; the hashes do."""
    rig = make_rig()
    rig.fill(20)
    odd = "m2" if rig.leader() == "m3" else "m3"
    rig.stop(odd)
    path = rig.data_dir(odd) / "member" / "snap" / "db"
    path.write_bytes(path.read_bytes().replace(b"value-7", b"VALUE-7"))
    never_elected(rig.cluster.member(odd)).start()
    rig.cluster.wait_until_healthy()

    plan = recover(rig)

    assert (plan.way, plan.chosen.target) == (Way.REPLACE, odd)
    assert len({answer.hash for answer in rig.hashes().values()}) == 1


def never_elected(member: EtcdProcess) -> EtcdProcess:
    """Let a member wait for so long without a leader that others are elected: one that leads cannot be replaced."""
    longest = "--election-timeout=50000"  # etcd takes no more (embed/config.go, maxElectionMs)
    member.settings = replace(member.settings, flags=(*member.settings.flags, longest))
    return member


def test_stuck_learner_is_replaced_and_votes(make_rig: MakeRig) -> None:
    """Its disk is gone before it was ever promoted."""
    rig = make_rig()
    rig.fill(20)
    rig.cluster.add_learner("m4")
    take_in_new_members(rig)
    rig.wipe("m4")

    cause = Decider(rig).survey().assessment.member("m4").cause
    plan = recover(rig)

    assert cause is Cause.LEARNER_STUCK
    assert (plan.way, plan.chosen.target) == (Way.REPLACE, "m4")
    assert len(rig.member_list().voters) == 4


def test_nospace_is_repaired_without_losing_a_key(make_rig: MakeRig) -> None:
    """One key written over and over fills the quota with its history; compacting gives the room back."""
    rig = make_rig(quota_bytes=16 << 20)
    rig.fill(20)
    fill_quota(rig)

    plan = recover(rig)

    assert (plan.way, plan.chosen.target) == (Way.REPAIR, Cause.NO_SPACE.value)
    assert rig.value_of("/registry/pods/00007") == b"value-7"
    assert rig.fill(1, prefix="/registry/after/") > 0


def fill_quota(rig: RecoveryRig) -> None:
    """Write until etcd refuses."""
    with rig.cluster.gateway() as gateway:
        while has_room(gateway, b"/registry/large", b"x" * 500_000):
            pass


def test_two_survivors_of_five_are_rebuilt_from(make_rig: MakeRig) -> None:
    """All five come back with everything that the survivors had."""
    rig = make_rig(size=5)
    rig.fill(20)
    rig.take_snapshot()
    rig.fill(20, prefix="/registry/after/")
    rig.wipe("m1", "m2", "m3")

    plan = recover(rig)

    assert (plan.way, plan.chosen.loss.revisions) == (Way.REBUILD, 0)
    assert len(rig.member_list().voters) == 5
    assert rig.value_of("/registry/after/00019") == b"value-19"


def test_two_wiped_of_five_are_replaced_one_after_the_other(make_rig: MakeRig) -> None:
    """The first plan does not wait for the second member, and the second plan finds it."""
    rig = make_rig(size=5)
    rig.fill(20)
    rig.wipe("m4", "m5")
    decider = Decider(rig)
    decider.survey_once_led()

    first = decider.plan()
    decider.carry_out(first)
    second = recover(rig)

    assert [(plan.way, plan.chosen.target) for plan in (first, second)] == [(Way.REPLACE, "m4"), (Way.REPLACE, "m5")]
    assert decider.settled_verdicts() == {MemberVerdict.HEALTHY}


def test_lone_member_is_started_or_restored(make_rig: MakeRig) -> None:
    """Down with its data: started. Without it: restored, at a higher revision."""
    rig = make_rig(size=1)
    seen = rig.fill(20)
    rig.take_snapshot()
    rig.stop("m1")

    started = recover(rig)
    rig.end_all()
    rig.wipe("m1")
    restored = recover(rig)

    assert (started.way, restored.way) == (Way.START, Way.RESTORE)
    assert rig.statuses()["m1"].revision > seen
    assert rig.value_of("/registry/pods/00019") == b"value-19"


def test_snapshot_newer_than_the_only_survivor_is_restored(make_rig: MakeRig) -> None:
    """The survivor was down while the others went on; the snapshot has what it never saw."""
    rig = make_rig()
    rig.fill(10)
    rig.stop("m3")
    rig.fill(30, prefix="/registry/after/")
    rig.take_snapshot()
    rig.wipe("m1", "m2")

    plan = recover(rig)

    assert plan.way is Way.RESTORE
    assert any("ahead of the best survivor" in reason for reason in plan.chosen.reasons)
    assert rig.value_of("/registry/after/00029") == b"value-29"


def test_damaged_newest_snapshot_gives_way_to_the_one_before(make_rig: MakeRig) -> None:
    """Its data was cut off in the store; the plan says so, and loses what came between."""
    rig = make_rig()
    saved_at = rig.fill(10)
    older = rig.take_snapshot()
    lost_at = rig.fill(10, prefix="/registry/after/")
    newer = rig.take_snapshot()
    [data] = [p for p in Path(rig.parts.store_dir).rglob("data*") if str(newer.id) in str(p) and p.is_file()]
    data.write_bytes(data.read_bytes()[:-10])
    rig.wipe("m1", "m2", "m3")

    plan = recover(rig)

    assert (plan.way, plan.chosen.target) == (Way.RESTORE, str(older.id))
    assert any(str(newer.id) in reason for reason in plan.chosen.reasons)
    assert plan.chosen.loss.revisions == lost_at - saved_at >= 10
    assert rig.value_of("/registry/after/00001") is None


def test_store_of_another_cluster_is_not_restored_from(
    make_rig: MakeRig, fresh_cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    """What is left of the data says another cluster id than the store: nobody is led to mix them."""
    rig = make_rig()
    rig.fill(10)
    rig.take_snapshot()
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    with RecoveryRig(fresh_cluster(), elsewhere, store=rig.snapshots.store) as other:
        other.stop("m1", "m2", "m3")
        whole = Decider(other).survey().assessment
        other.wipe("m1", "m2")

        with pytest.raises(NothingPossible):
            Decider(other).plan()

    assert whole.standing is QuorumStanding.MAY_RETURN
    assert any("other means" in note for note in whole.notes)


@pytest.mark.every_etcd
def test_every_version_is_judged_started_and_rebuilt_alike(make_rig: MakeRig) -> None:
    """Stopped members are read, started again, and the last one left makes a new cluster where its tools can."""
    rig = make_rig()
    rig.fill(20)
    rig.stop("m1", "m2", "m3")
    found = Decider(rig).survey().assessment

    started = recover(rig)
    rig.end_all()
    rig.wipe("m1", "m2")
    version = EtcdVersion.parse(rig.cluster.binaries.version)
    wishes = Wishes(no_bump=version is not None and not version.can_bump)
    rebuilt = Decider(rig).plan(wishes)
    outcome = Decider(rig).carry_out(rebuilt)

    assert {member.verdict for member in found.members} == {MemberVerdict.DOWN}
    assert (started.way, rebuilt.way, rebuilt.chosen.target) == (Way.START, Way.REBUILD, "m3")
    assert outcome.state is RecoveryState.FINISHED
    assert rig.value_of("/registry/pods/00019") == b"value-19"
