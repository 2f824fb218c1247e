"""What is seen of a broken cluster, and what it means: verdicts, the quorum, and what nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_dr.domain.recovery.assessment import MemberVerdict, QuorumStanding, Statement
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.errors import StoreDenied, UsageError
from fakes.control_plane import FakeData
from scenarios.assessment_world import CLUSTER_ID, AssessmentWorld


def verdicts(world: AssessmentWorld) -> dict[str, MemberVerdict]:
    return {member.name: member.verdict for member in world.assess().assessment.members}


def test_sound_cluster_is_held_and_all_are_healthy() -> None:
    """Nothing is wrong, and nothing is said to be."""
    world = AssessmentWorld()
    world.take_snapshot()

    found = world.assess().assessment

    assert found.standing is QuorumStanding.HELD
    assert {m.verdict for m in found.members} == {MemberVerdict.HEALTHY}
    assert [m.node for m in found.members] == ["cp1", "cp2", "cp3"]
    assert found.last_alive_at == found.assessed_at
    assert (found.cluster_id, found.highest_revision_seen, found.etcd_version) == (CLUSTER_ID, 1000, "3.5.30")
    assert world.cluster.open_connections.total() == 0


def test_looking_changes_nothing() -> None:
    """An assessment only looks at nodes, and writes nothing to the store."""
    world = AssessmentWorld()
    world.stop("cp1", "cp2")
    before = {key: world.store.body(key) for key in world.store.keys}

    world.assess()

    assert [node.calls for node in world.plane.nodes] == [["look"]] * 3
    assert {key: world.store.body(key) for key in world.store.keys} == before


def test_one_wiped_member_is_seen_on_its_node() -> None:
    """A member that does not answer and whose directory is gone is wiped; the others hold the quorum."""
    world = AssessmentWorld()
    world.wipe("cp2")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.HELD
    assert found.member("cp2").verdict is MemberVerdict.WIPED
    assert any("does not exist" in sentence for sentence in found.member("cp2").evidence)


def test_two_wiped_of_three_lose_the_quorum_for_good() -> None:
    """The one that is left answers, and can be a source."""
    world = AssessmentWorld()
    world.wipe("cp1", "cp2")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.LOST_FOR_GOOD
    assert found.member("cp3").verdict is MemberVerdict.ANSWERS
    assert found.member("cp3").can_be_source


def test_all_down_with_their_data_may_return() -> None:
    """Silence is no loss: the data of all three was seen."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.stop("cp1", "cp2", "cp3")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.MAY_RETURN
    assert {m.verdict for m in found.members} == {MemberVerdict.DOWN}
    assert found.highest_revision_seen == 1000


def test_all_down_without_store_are_judged_by_their_nodes() -> None:
    """Without list and manifest the nodes say who the members are."""
    world = AssessmentWorld()
    world.with_store = False
    world.stop("cp1", "cp2", "cp3")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.MAY_RETURN
    assert found.cluster_id == CLUSTER_ID
    assert any("how the nodes start etcd" in note for note in found.notes)


def test_store_that_refuses_is_noted_and_hides_nothing() -> None:
    """The nodes are judged all the same."""
    world = AssessmentWorld()
    world.stop("cp1", "cp2", "cp3")
    for operation in ("get", "list"):
        world.store.fail(operation, StoreDenied("no", subject="store"))

    survey = world.assess()

    assert survey.catalogue.failure_code == "store.denied"
    assert survey.assessment.standing is QuorumStanding.MAY_RETURN
    assert any("store.denied" in note for note in survey.assessment.notes)


def test_unreachable_nodes_without_a_word_cannot_be_told() -> None:
    """Two machines are silent: nobody knows, and what would tell is said for each."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.lose_node("cp1", "cp2")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.CANNOT_TELL
    assert found.member("cp1").verdict is MemberVerdict.UNKNOWN
    assert ["--lost cp1" in found.would_tell[0], "--lost cp2" in found.would_tell[1]] == [True, True]


@pytest.mark.parametrize(
    ("statement", "standing"),
    [(Statement.LOST, QuorumStanding.LOST_FOR_GOOD), (Statement.INTACT, QuorumStanding.MAY_RETURN)],
)
def test_word_about_a_silent_member_counts(statement: Statement, standing: QuorumStanding) -> None:
    """What nobody can see, a person may say, member by member."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.lose_node("cp1", "cp2")
    world.say(statement, "cp1", "cp2")

    assert world.assess().assessment.standing is standing


def test_word_about_one_of_two_silent_members_is_not_enough() -> None:
    """The other one might come back."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.lose_node("cp1", "cp2")
    world.say(Statement.LOST, "cp1")

    assert world.assess().assessment.standing is QuorumStanding.CANNOT_TELL


def test_word_never_overrules_what_is_seen() -> None:
    """A member that answers or has its data is not lost; one that is wiped is not intact."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1")
    world.stop("cp2")
    world.say(Statement.INTACT, "cp1")
    world.say(Statement.LOST, "cp2", "cp3")

    found = world.assess().assessment

    assert verdicts(world) == {
        "cp1": MemberVerdict.WIPED,
        "cp2": MemberVerdict.DOWN,
        "cp3": MemberVerdict.ANSWERS,
    }
    assert all(m.contradiction for m in found.members)


def test_word_about_nobody_is_refused() -> None:
    """A misspelt name must not be taken for silence."""
    world = AssessmentWorld()
    world.say(Statement.LOST, "cp9")

    with pytest.raises(UsageError, match="cp1, cp2, cp3"):
        world.assess()


def test_damaged_directory_is_lost() -> None:
    """A page that cannot be read makes the data unusable, and it is no source."""
    world = AssessmentWorld()
    world.stop("cp1")
    world.plane.node("cp1").learn(damage="page 7 cannot be read")

    member = world.assess().assessment.member("cp1")

    assert member.verdict is MemberVerdict.DAMAGED
    assert not member.can_be_source


def test_directory_without_wal_cannot_vote_but_can_be_a_source() -> None:
    """The database holds what was applied, whatever became of the log."""
    world = AssessmentWorld()
    world.stop("cp1")
    world.plane.node("cp1").learn(has_wal=False)

    member = world.assess().assessment.member("cp1")

    assert member.verdict is MemberVerdict.DAMAGED
    assert member.can_be_source


@pytest.mark.parametrize(
    ("line", "verdict", "cause"),
    [
        ("panic: freepages: failed to get all reachable pages", MemberVerdict.DAMAGED, Cause.NONE),
        ("panic: tocommit(12) is out of range [lastIndex(3)]", MemberVerdict.DAMAGED, Cause.NONE),
        ("the member has been permanently removed from the cluster", MemberVerdict.DAMAGED, Cause.NONE),
        ("rejected connection: tls: certificate has expired", MemberVerdict.DOWN, Cause.CERTIFICATE_EXPIRED),
        ("write wal/0.tmp: no space left on device", MemberVerdict.DOWN, Cause.DISK_FULL),
        ("couldn't find local name in the initial cluster configuration", MemberVerdict.DOWN, Cause.MANIFEST_WRONG),
        ("open /etc/kubernetes/pki/etcd/peer.crt: no such file or directory", MemberVerdict.DOWN, Cause.MANIFEST_WRONG),
        ("request cluster ID mismatch", MemberVerdict.DOWN, Cause.NONE),
        ("a line that says nothing", MemberVerdict.DOWN, Cause.NONE),
    ],
)
def test_log_names_the_cause(line: str, verdict: MemberVerdict, cause: Cause) -> None:
    """What etcd said last tells damage from a cause that can be removed."""
    world = AssessmentWorld()
    world.stop("cp1")
    world.plane.node("cp1").log_tail = ("starting", line)

    member = world.assess().assessment.member("cp1")

    assert (member.verdict, member.cause) == (verdict, cause)


def test_full_disk_and_missing_manifest_are_causes() -> None:
    """Also without a log."""
    world = AssessmentWorld()
    world.stop("cp1", "cp2")
    world.plane.node("cp1").fill_disk(free_bytes=4096)
    world.plane.node("cp2").launch = None

    found = world.assess().assessment

    assert found.member("cp1").cause is Cause.DISK_FULL
    assert found.member("cp2").verdict is MemberVerdict.UNKNOWN


def test_data_of_another_cluster_is_foreign() -> None:
    """Its id is not ours, so it neither votes nor serves as a source."""
    world = AssessmentWorld()
    world.stop("cp1")
    world.plane.node("cp1").learn(cluster_id=0xBAD)

    member = world.assess().assessment.member("cp1")

    assert member.verdict is MemberVerdict.FOREIGN
    assert not member.can_be_source


def test_data_of_a_majority_counts_though_the_store_does_not_know_its_id() -> None:
    """A cluster that was recovered by other means must not be taken for a stranger and restored over."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.stop("cp1", "cp2", "cp3")
    for node in world.plane.nodes:
        node.learn(cluster_id=0xAB)

    found = world.assess().assessment

    assert found.standing is QuorumStanding.MAY_RETURN
    assert found.cluster_id == 0xAB
    assert any("other means" in note for note in found.notes)


def test_diverged_member_is_damaged_by_the_majority_s_hash() -> None:
    """Two agree; the third, no leader, is the odd one."""
    world = AssessmentWorld()
    world.cluster["cp3"].diverge()

    found = world.assess().assessment

    assert found.standing is QuorumStanding.HELD
    assert found.member("cp3").verdict is MemberVerdict.DAMAGED
    assert found.dispute == ""


@pytest.mark.parametrize("odd", ["cp1", "cp2"])
def test_dispute_makes_nobody_odd(odd: str) -> None:
    """The leader (cp1) being odd, or one against one: a person decides."""
    world = AssessmentWorld()
    world.cluster[odd].diverge()
    if odd == "cp2":
        world.stop("cp3")

    found = world.assess().assessment

    assert found.dispute
    assert found.member(odd).verdict is MemberVerdict.HEALTHY


def test_corrupt_alarm_is_false_where_the_hash_is_the_majority_s() -> None:
    """etcd has raised it without reason: the hashes decide."""
    world = AssessmentWorld()
    world.cluster.raise_alarm("cp2", "CORRUPT")

    member = world.assess().assessment.member("cp2")

    assert (member.verdict, member.cause) == (MemberVerdict.HEALTHY, Cause.FALSE_CORRUPT)


def test_corrupt_alarm_with_another_hash_is_damage() -> None:
    world = AssessmentWorld()
    world.cluster.raise_alarm("cp2", "CORRUPT")
    world.cluster["cp2"].diverge()

    assert world.assess().assessment.member("cp2").verdict is MemberVerdict.DAMAGED


def test_silent_learner_is_stuck_while_quorum_lives() -> None:
    """Nothing will make it vote by itself."""
    world = AssessmentWorld()
    world.add_learner("cp4")
    world.wipe("cp4")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.HELD
    assert (found.member("cp4").is_voter, found.member("cp4").cause) == (False, Cause.LEARNER_STUCK)


def test_lagging_learner_is_behind() -> None:
    world = AssessmentWorld()
    world.add_learner("cp4")
    world.cluster["cp4"].raft_applied_index = 1000

    member = world.assess().assessment.member("cp4")

    assert (member.verdict, member.cause) == (MemberVerdict.LEARNER, Cause.LEARNER_BEHIND)


def test_members_without_node_and_nodes_without_member_are_rows() -> None:
    """Nobody is dropped because the configuration and the cluster do not fit."""
    world = AssessmentWorld("cp1", "cp2", "cp3", nodes=("cp1", "cp2", "spare"))
    world.plane.node("spare").wipe()

    found = world.assess().assessment

    assert [(m.name, m.node) for m in found.members] == [
        ("cp1", "cp1"),
        ("cp2", "cp2"),
        ("cp3", ""),
        ("spare", "spare"),
    ]
    assert [m.name for m in found.voters] == ["cp1", "cp2", "cp3"]


def test_data_of_a_removed_member_is_told_from_its_successor() -> None:
    """The same node, the same peer URL, another id: the data is of the one that was removed."""
    world = AssessmentWorld()
    world.stop("cp2")
    world.plane.node("cp2").learn(member_id=0x99)

    assert world.assess().assessment.member("cp2").verdict is MemberVerdict.DAMAGED


def test_member_with_another_cluster_s_process_is_foreign() -> None:
    """It answers, and not as ours."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.cluster["cp3"].cluster_id = 0xBAD

    found = world.assess().assessment

    assert found.member("cp3").verdict is MemberVerdict.FOREIGN
    assert found.cluster_id == CLUSTER_ID


def test_highest_revision_is_over_live_members_directories_and_all_manifests() -> None:
    """Also over a snapshot that would not be used: its number was handed out once."""
    world = AssessmentWorld()
    world.take_snapshot(hours_ago=2, revision=5000, state="damaged")
    world.take_snapshot(hours_ago=1, revision=900)
    world.wipe("cp1", "cp2")

    assert world.assess().assessment.highest_revision_seen == 5000


@pytest.mark.parametrize("size", [1, 5])
def test_other_sizes_follow_the_same_arithmetic(size: int) -> None:
    """One of one, and three of five, are lost for good; two of five are not."""
    names = tuple(f"cp{n + 1}" for n in range(size))
    world = AssessmentWorld(*names)
    world.wipe(*names[: size // 2 + 1])
    world.take_snapshot()

    assert world.assess().assessment.standing is QuorumStanding.LOST_FOR_GOOD


def test_five_with_two_lost_hold_the_quorum() -> None:
    world = AssessmentWorld("cp1", "cp2", "cp3", "cp4", "cp5")
    world.wipe("cp4", "cp5")

    assert world.assess().assessment.standing is QuorumStanding.HELD


def test_slow_node_is_a_value() -> None:
    """A node that does not answer within its deadline is unknown, and the rest is judged."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.stop("cp1")
    world.plane.node("cp1").slow(1000)

    member = world.assess().assessment.member("cp1")

    assert member.verdict is MemberVerdict.UNKNOWN
    assert member.sight.failure_code == "node.unreachable"


def test_data_that_was_never_ours_does_not_make_a_node_ours() -> None:
    """One stray directory beside an empty store names no known cluster and is told apart."""
    world = AssessmentWorld()
    world.wipe("cp1", "cp2")
    world.cluster["cp3"].stop()
    world.plane.node("cp3").is_running = False
    world.plane.node("cp3").data = replace(FakeData(), cluster_id=0xBAD, member_id=7)
    world.take_snapshot()

    found = world.assess().assessment

    assert found.member("cp3").verdict is MemberVerdict.FOREIGN
    assert found.standing is QuorumStanding.LOST_FOR_GOOD


def test_cluster_that_was_made_anew_under_its_id_sets_no_survivor_aside() -> None:
    """Two wiped members were started with their usual flags: an empty quorum, and the one with the data outside of it."""
    world = AssessmentWorld()
    taken = world.take_snapshot(revision=5_000)
    world.stop("cp3")

    found = world.assess().assessment

    assert found.standing is QuorumStanding.HELD
    assert f"snapshot {taken} of it was at 5000" in found.dispute
    assert world.recommended() is None
    assert not world.propose()[Way.REPLACE].is_possible
    assert world.propose(Wishes(roll_back=True))[Way.RESTORE].is_possible


def test_snapshot_of_just_now_or_of_another_id_is_no_sign_of_that() -> None:
    """Members are asked before the store is; and a recovery with another id has its own numbers."""
    world = AssessmentWorld()
    world.take_snapshot(revision=5_000, hours_ago=0.001)
    world.take_snapshot(revision=9_000, cluster_id=0xABC)

    assert world.assess().assessment.dispute == ""
