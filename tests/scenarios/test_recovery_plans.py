"""What is proposed for each kind of disaster, what it loses, and which steps the plan has."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import MemberVerdict, Statement
from etcd_dr.domain.recovery.candidate import Loss, Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.identity import expected_ids
from etcd_dr.domain.recovery.losses import NO_LOSS
from etcd_dr.domain.recovery.plan_file import parse_plan, plan_document
from etcd_dr.domain.recovery.step import AddLearner, AwaitCluster, BuildData, Preflight, StartEtcd, VerifyCluster
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.domain.selection import parse_selector
from etcd_dr.errors import JournalDamaged, NothingPossible, SnapshotNotFound, StoreUnreachable, UsageError
from etcd_dr.workflows.recovery.plan_recovery import facts_for, propose_recovery
from fakes.control_plane import FakeControlPlane
from scenarios.assessment_world import CLUSTER_ID, AssessmentWorld, kinds

ALL_WAYS = [Way.NOTHING, Way.START, Way.REPAIR, Way.REPLACE, Way.REBUILD, Way.RESTORE]


def way_of(world: AssessmentWorld) -> Way | None:
    found = world.recommended()
    return found.way if found else None


# Nothing, start, repair


def test_sound_cluster_needs_nothing() -> None:
    """No plan is made of it, and every other way says why not."""
    world = AssessmentWorld()
    world.take_snapshot()

    ways = world.propose()

    assert [way for way in ALL_WAYS if ways[way].is_possible] == [Way.NOTHING]
    with pytest.raises(UsageError):
        world.plan()


def test_every_way_is_told_gentlest_first() -> None:
    """One that is not possible says what stands against it."""
    world = AssessmentWorld()
    world.wipe("cp1", "cp2", "cp3")

    ways = world.propose()

    assert list(ways) == ALL_WAYS
    assert all(candidate.obstacle for candidate in ways.values())


def test_all_down_with_data_is_started_and_never_restored() -> None:
    """The plan starts all three; a restore is no choice, not even by wish."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.stop("cp1", "cp2", "cp3")

    plan = world.plan()

    assert plan.way is Way.START
    assert (plan.chosen.loss.seconds, plan.chosen.loss.revisions) == (0.0, 0)
    assert kinds(plan) == [
        (0, "preflight", ""),
        (1, "start-etcd", "cp1"),
        (1, "start-etcd", "cp2"),
        (1, "start-etcd", "cp3"),
        (2, "await-cluster", ""),
        (3, "verify-cluster", ""),
        (4, "take-snapshot", ""),
    ]
    for wishes in (Wishes(way=Way.RESTORE), Wishes(way=Way.RESTORE, roll_back=True), Wishes(way=Way.REBUILD)):
        with pytest.raises(NothingPossible, match="start it"):
            world.plan(wishes)


def test_process_that_runs_and_says_nothing_is_told_from_one_that_is_stopped() -> None:
    """Nothing is started where something runs: it is waited for, and a person hears what to do if it hangs."""
    world = AssessmentWorld()
    world.stop("cp1", "cp2")
    world.cluster["cp3"].stop()

    effects = {e.node: e.effect for e in world.propose()[Way.START].effects}

    assert effects["cp1"] == effects["cp2"] == "etcd is started; its data is not touched"
    assert "it is waited for" in effects["cp3"]


def test_started_cluster_is_awaited_with_its_old_ids() -> None:
    world = AssessmentWorld()
    world.stop("cp1", "cp2", "cp3")

    step = next(s for s in world.plan().steps if isinstance(s, AwaitCluster))

    assert step.cluster_id == id_text(CLUSTER_ID)
    assert step.endpoints == world.cluster.endpoints


def test_start_does_not_wait_for_a_member_that_it_leaves_alone() -> None:
    """Two of three are enough; the wiped one is replaced afterwards."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1")
    world.stop("cp2", "cp3")

    plan = world.plan()

    step = next(s for s in plan.steps if isinstance(s, AwaitCluster))
    assert plan.way is Way.START
    assert step.may_be_absent == (id_text(world.cluster["cp1"].id),)
    assert [s.node for s in plan.steps if isinstance(s, StartEtcd)] == ["cp2", "cp3"]


def test_said_intact_members_are_started_by_hand() -> None:
    """Nothing here can start them; the plan says what a person does."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.lose_node("cp1", "cp2")
    world.say(Statement.INTACT, "cp1", "cp2")

    plan = world.plan()

    assert plan.way is Way.START
    assert [kind for _, kind, _ in kinds(plan)][:3] == ["preflight", "by-hand", "by-hand"]


@pytest.mark.parametrize(
    ("line", "cause", "command"),
    [
        ("tls: certificate has expired", Cause.CERTIFICATE_EXPIRED, "kubeadm certs renew etcd-peer"),
        ("write wal/0.tmp: no space left on device", Cause.DISK_FULL, "df -h /var/lib/etcd"),
        ("flag provided but not defined: -nam", Cause.MANIFEST_WRONG, "/etc/kubernetes/manifests/etcd.yaml"),
    ],
)
def test_named_cause_is_removed_by_hand_and_then_all_are_started(line: str, cause: Cause, command: str) -> None:
    """The data is there, so nothing else is done to it."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.stop("cp1", "cp2", "cp3")
    for node in world.plane.nodes:
        node.log_tail = (line,)

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REPAIR, cause.value)
    assert all(command in instruction for instruction in plan.chosen.needs_hands)
    assert [kind for _, kind, _ in kinds(plan)] == [
        "preflight",
        *["by-hand"] * 3,
        *["start-etcd"] * 3,
        "await-cluster",
        "verify-cluster",
        "take-snapshot",
    ]


def test_nospace_compacts_defragments_the_leader_last_and_disarms() -> None:
    """Room is made before the alarm is taken back, or it comes again."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.cluster.raise_alarm("cp2", "NOSPACE")

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REPAIR, Cause.NO_SPACE.value)
    assert kinds(plan) == [
        (0, "preflight", ""),
        (1, "compact-history", ""),
        (2, "defragment-member", "cp2"),
        (3, "defragment-member", "cp3"),
        (4, "defragment-member", "cp1"),
        (5, "disarm-alarms", ""),
        (6, "await-cluster", ""),
        (7, "verify-cluster", ""),
        (8, "take-snapshot", ""),
    ]
    assert any("--quota-backend-bytes" in sentence for sentence in plan.afterwards)


def test_nospace_without_quorum_waits_for_the_quorum() -> None:
    """An alarm is taken back through the quorum only; the members come first."""
    world = AssessmentWorld()
    world.cluster.raise_alarm("cp2", "NOSPACE")
    world.stop("cp1", "cp3")

    assert way_of(world) is Way.START


def test_false_corrupt_alarm_is_only_taken_back() -> None:
    world = AssessmentWorld()
    world.cluster.raise_alarm("cp2", "CORRUPT")

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REPAIR, Cause.FALSE_CORRUPT.value)
    assert "defragment-member" not in [kind for _, kind, _ in kinds(plan)]


def test_expired_peer_certificates_are_renewed_and_not_waited_for() -> None:
    """All answer, none finds the others: starting what runs would change nothing."""
    world = AssessmentWorld()
    for name in ("cp1", "cp2", "cp3"):
        world.cluster[name].is_partitioned = True
        world.expire_peer_certificate(name)

    found = world.recommended()

    assert found is not None
    assert (found.way, found.target) == (Way.REPAIR, Cause.CERTIFICATE_EXPIRED.value)


def test_our_own_expired_certificate_blinds_us_and_nothing_is_done() -> None:
    """Every member refuses us and may be alive, whatever else is seen; the certificate is named."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.expire_own_certificate()
    for name in ("cp1", "cp2", "cp3"):
        world.cluster[name].tls_problem = "the client certificate has expired"
        world.plane.node(name).wipe()

    ways = world.propose()

    assert [way for way in ALL_WAYS if ways[way].is_possible] == []
    assert all("/client.crt" in ways[way].obstacle for way in (Way.START, Way.REBUILD, Way.RESTORE))


def test_members_that_merely_lost_one_another_are_waited_for() -> None:
    """Nothing is down and nothing is wrong: the plan only waits and verifies."""
    world = AssessmentWorld()
    for name in ("cp1", "cp2", "cp3"):
        world.cluster[name].is_partitioned = True

    plan = world.plan()

    assert plan.way is Way.START
    assert [kind for _, kind, _ in kinds(plan)] == ["preflight", "await-cluster", "verify-cluster", "take-snapshot"]


# Replace


def test_one_wiped_member_is_replaced_while_the_others_serve() -> None:
    """Removed, set aside, added as a learner, started to join, promoted; nobody else is stopped."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp2")

    plan = world.plan()

    assert (plan.way, plan.chosen.target, plan.chosen.loss.revisions) == (Way.REPLACE, "cp2", 0)
    assert kinds(plan) == [
        (0, "preflight", ""),
        (1, "take-snapshot", ""),
        (2, "stop-etcd", "cp2"),
        (3, "remove-member", "cp2"),
        (4, "set-data-aside", "cp2"),
        (5, "add-learner", "cp2"),
        (6, "start-etcd", "cp2"),
        (7, "promote-learner", "cp2"),
        (8, "await-cluster", ""),
        (9, "verify-cluster", ""),
        (10, "take-snapshot", ""),
    ]
    assert (plan.source, plan.expected) == (None, None)


def test_member_with_wrong_data_is_stopped_before_a_snapshot_is_taken() -> None:
    """It might be the one that is asked for the snapshot."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.cluster["cp3"].diverge()

    order = [kind for _, kind, _ in kinds(world.plan())]

    assert order.count("take-snapshot") == 1
    assert order[-1] == "take-snapshot"


def test_joining_member_is_told_of_all_members() -> None:
    """--initial-cluster must name every member, its own new self included, or etcd refuses to start."""
    world = AssessmentWorld()
    world.wipe("cp2")

    start = next(s for s in world.plan().steps if isinstance(s, StartEtcd))

    assert start.joins == {name: (f"https://{name}.example:2380",) for name in ("cp1", "cp2", "cp3")}


def test_removal_says_that_it_cannot_be_taken_back() -> None:
    world = AssessmentWorld()
    world.wipe("cp2")

    step = next(s for s in world.plan().steps if s.kind == "remove-member")

    assert "cannot be taken back" in step.undo


@pytest.mark.parametrize("bend", ["corrupt disk", "diverged", "removed member's data"])
def test_other_failures_of_one_member_are_replaced_too(bend: str) -> None:
    world = AssessmentWorld()
    if bend == "diverged":
        world.cluster["cp3"].diverge()
    else:
        world.stop("cp3")
        world.plane.node("cp3").learn(**({"damage": "page 7"} if bend == "corrupt disk" else {"member_id": 0x99}))

    found = world.recommended()

    assert found is not None
    assert (found.way, found.target) == (Way.REPLACE, "cp3")


def test_stuck_learner_is_replaced_by_a_new_one() -> None:
    """It is removed and added anew; the voters are not touched."""
    world = AssessmentWorld()
    world.add_learner("cp4")
    world.wipe("cp4")

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REPLACE, "cp4")
    assert next(s for s in plan.steps if isinstance(s, AddLearner)).peer_urls == ("https://cp4.example:2380",)


def test_lagging_learner_is_left_to_catch_up_unless_wished() -> None:
    world = AssessmentWorld()
    world.add_learner("cp4")
    world.cluster["cp4"].raft_applied_index = 1000

    assert way_of(world) is Way.NOTHING
    assert world.plan(Wishes(way=Way.REPLACE, member="cp4")).way is Way.REPLACE


def test_node_that_was_removed_from_the_list_is_added_without_a_removal() -> None:
    """A replacement that was cut off after the removal goes on with a new plan."""
    world = AssessmentWorld("cp1", "cp2", nodes=("cp1", "cp2", "cp3"))
    world.plane.node("cp3").wipe()

    found = world.propose(Wishes(way=Way.REPLACE))[Way.REPLACE]
    steps = [kind for _, kind, _ in kinds(world.plan(Wishes(way=Way.REPLACE)))]

    assert found.target == "cp3"
    assert "remove-member" not in steps
    assert "add-learner" in steps


def test_members_are_replaced_one_at_a_time() -> None:
    """Two of five failed: the first is planned, the other is not waited for."""
    world = AssessmentWorld("cp1", "cp2", "cp3", "cp4", "cp5")
    world.wipe("cp4", "cp5")

    plan = world.plan()

    awaited = next(s for s in plan.steps if isinstance(s, AwaitCluster))
    assert plan.chosen.target == "cp4"
    assert awaited.may_be_absent == (id_text(world.cluster["cp5"].id),)


def test_dispute_recommends_nothing() -> None:
    """One against one, or an odd leader: stop, and ask."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.cluster["cp1"].diverge()

    assert way_of(world) is None
    with pytest.raises(NothingPossible, match="leader"):
        world.plan()


def test_diverged_member_stays_while_too_few_others_are_healthy() -> None:
    """Five with two down: without the odd one two of four would be left."""
    world = AssessmentWorld("cp1", "cp2", "cp3", "cp4", "cp5")
    world.cluster["cp3"].diverge()
    world.lose_node("cp4", "cp5")

    assert "2 of 4" in world.propose()[Way.REPLACE].obstacle


def test_member_on_a_dead_machine_is_not_replaced_there() -> None:
    """Said with the commands that a person needs."""
    world = AssessmentWorld()
    world.lose_node("cp2")
    world.say(Statement.LOST, "cp2")

    candidate = world.propose()[Way.REPLACE]

    assert "cannot be reached" in candidate.obstacle
    assert "etcdctl member remove" in candidate.needs_hands[0]


def test_node_that_cannot_join_says_so() -> None:
    world = AssessmentWorld()
    world.wipe("cp2")
    node = world.plane.node("cp2")
    assert node.launch is not None
    node.launch = replace(node.launch, problem="--config-file takes precedence")

    assert "--config-file" in world.propose()[Way.REPLACE].obstacle


# Rebuild


def test_survivor_newer_than_the_newest_snapshot_is_rebuilt_from() -> None:
    """A minority survivor at revision 1000 goes before a snapshot at 900, and nothing is lost."""
    world = AssessmentWorld()
    world.take_snapshot(revision=900)
    world.wipe("cp1", "cp2")

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.REBUILD, "cp3")
    assert (plan.chosen.loss.seconds, plan.chosen.loss.revisions) == (0.0, 0)
    assert plan.source is not None
    assert (plan.source.kind, plan.source.revision) == ("survivor", 1000)


def test_running_survivor_is_fetched_before_anything_is_stopped() -> None:
    """Its stream is proven first; all nodes get data built from it, its own node too."""
    world = AssessmentWorld()
    world.wipe("cp1", "cp2")

    plan = world.plan()

    assert kinds(plan) == [
        (0, "preflight", ""),
        (1, "fetch-survivor", "cp3"),
        *[(2, "fence-writers", name) for name in ("cp1", "cp2", "cp3")],
        *[(2, "build-data", name) for name in ("cp1", "cp2", "cp3")],
        *[(3, "stop-etcd", name) for name in ("cp1", "cp2", "cp3")],
        (4, "copy-data", "cp3"),
        *[(5, "set-data-aside", name) for name in ("cp1", "cp2", "cp3")],
        *[(6, "place-data", name) for name in ("cp1", "cp2", "cp3")],
        *[(7, "start-etcd", name) for name in ("cp1", "cp2", "cp3")],
        (8, "await-cluster", ""),
        (9, "disarm-alarms", ""),
        (10, "verify-cluster", ""),
        (11, "lift-fence", "cp1"),
        (12, "lift-fence", "cp2"),
        (13, "lift-fence", "cp3"),
        (14, "accept-cluster-id", ""),
        (15, "take-snapshot", ""),
    ]


def test_stopped_survivor_is_copied_before_its_database_is_taken() -> None:
    world = AssessmentWorld()
    world.take_snapshot(revision=900)
    world.wipe("cp1", "cp2")
    world.stop("cp3")

    order = [kind for _, kind, _ in kinds(world.plan())]

    assert order.index("stop-etcd") < order.index("copy-data") < order.index("fetch-survivor")
    assert order.index("fetch-survivor") < order.index("build-data") < order.index("set-data-aside")


def test_best_survivor_is_the_one_that_applied_most() -> None:
    """Not the one with the higher term, which rises with every election that is tried alone."""
    world = AssessmentWorld("cp1", "cp2", "cp3", "cp4", "cp5")
    world.wipe("cp1", "cp2", "cp3")
    lagging, best = world.cluster["cp4"], world.cluster["cp5"]
    lagging.raft_applied_index, lagging.revision, lagging.raft_term = 1500, 600, 90
    best.raft_applied_index, best.revision = 2000, 1000

    found = world.recommended()

    assert found is not None
    assert (found.way, found.target) == (Way.REBUILD, "cp5")


def test_survivor_without_wal_serves_as_a_source() -> None:
    world = AssessmentWorld()
    world.take_snapshot(revision=900)
    world.wipe("cp1", "cp2")
    world.stop("cp3")
    world.plane.node("cp3").learn(has_wal=False)

    assert way_of(world) is Way.REBUILD


def test_unread_survivor_keeps_a_restore_from_being_recommended() -> None:
    """Its process runs and says nothing, so nobody knows what it has; a person may insist."""
    world = AssessmentWorld()
    world.take_snapshot(revision=900)
    world.wipe("cp1", "cp2")
    world.cluster["cp3"].stop()

    assert way_of(world) is None
    restore = world.propose()[Way.RESTORE]
    assert any("stop etcd on cp3" in reason for reason in restore.reasons)
    assert world.plan(Wishes(way=Way.RESTORE)).way is Way.RESTORE


def test_survivor_whose_process_runs_and_does_not_answer_is_copied_too() -> None:
    """While it runs nobody can look into its file, so it is no source yet; what it holds is kept all the same."""
    world = AssessmentWorld()
    world.take_snapshot(revision=900)
    world.wipe("cp1", "cp2")
    world.cluster["cp3"].stop()

    plan = world.plan(Wishes(way=Way.RESTORE))

    assert world.plane.node("cp3").is_running
    assert [s.node for s in plan.steps if s.kind == "copy-data"] == ["cp3"]


# Restore


def test_all_data_gone_is_restored_from_the_newest_proven_snapshot() -> None:
    """The loss is told as a bound: nobody knows when the cluster stopped."""
    world = AssessmentWorld()
    snapshot_id = world.take_snapshot(hours_ago=1, revision=900)
    world.wipe("cp1", "cp2", "cp3")

    plan = world.plan()

    assert (plan.way, plan.chosen.target) == (Way.RESTORE, snapshot_id)
    assert (plan.chosen.loss.seconds, plan.chosen.loss.revisions) == (3600.0, None)
    assert plan.chosen.expected_seconds is not None
    assert [kind for _, kind, _ in kinds(plan)][:2] == ["preflight", "fetch-snapshot"]
    assert "copy-data" not in [kind for _, kind, _ in kinds(plan)]


def loss_of_a_restore(*, wrote_ago: timedelta) -> Loss:
    """Return what a restore loses of three hours, where all three stopped and their files tell when they last wrote."""
    world = AssessmentWorld()
    world.take_snapshot(hours_ago=3, revision=2000)
    world.stop("cp1", "cp2", "cp3")
    for node in world.plane.nodes:
        node.learn(damage="page 7")
    survey = world.assess()
    stopped_at = world.clock.now() - wrote_ago
    members = tuple(
        replace(m, sight=replace(m.sight, value=replace(sight, data=replace(sight.data, written_at=stopped_at))))
        for m in survey.assessment.members
        if (sight := m.sight.value) is not None and sight.data is not None
    )

    from etcd_dr.domain.recovery.proposal import propose  # noqa: PLC0415 - only these stories propose by hand

    ways = propose(replace(survey.assessment, members=members), survey.catalogue)
    return next(c for c in ways if c.way is Way.RESTORE).loss


def test_loss_ends_when_the_members_last_wrote() -> None:
    """Where enough directories tell it, the loss is not counted until now; they tell it to the second."""
    assert loss_of_a_restore(wrote_ago=timedelta(hours=1)).seconds == 7201.0


def test_write_in_the_second_of_the_snapshot_may_be_lost() -> None:
    """Both are told in whole seconds, so the snapshot may have been the earlier one."""
    assert loss_of_a_restore(wrote_ago=timedelta(hours=3)) != NO_LOSS
    assert loss_of_a_restore(wrote_ago=timedelta(hours=3, seconds=1)) == NO_LOSS


def test_snapshot_newer_than_every_survivor_is_restored_with_both_losses_told() -> None:
    """A lagging survivor at 1000 has less than a snapshot at 5000."""
    world = AssessmentWorld()
    world.take_snapshot(revision=5000)
    world.wipe("cp1", "cp2")

    ways = world.propose()

    assert ways[Way.RESTORE].is_recommended
    assert ways[Way.REBUILD].loss.revisions == 4000
    assert ways[Way.REBUILD].is_possible


def test_damaged_newest_snapshot_is_passed_over_and_said_so() -> None:
    """The one before it is used."""
    world = AssessmentWorld()
    older = world.take_snapshot(hours_ago=2, revision=800)
    newer = world.take_snapshot(hours_ago=1, revision=900, state="damaged")
    world.wipe("cp1", "cp2", "cp3")

    plan = world.plan()

    assert plan.chosen.target == older
    assert any(newer in reason and "damaged" in reason for reason in plan.chosen.reasons)


def test_unproven_snapshot_is_used_only_by_wish() -> None:
    world = AssessmentWorld()
    unproven = world.take_snapshot(state="unproven")
    world.wipe("cp1", "cp2", "cp3")

    assert way_of(world) is None
    assert "verify" in world.propose()[Way.RESTORE].obstacle
    assert world.plan(Wishes(way=Way.RESTORE, selector=parse_selector(unproven))).chosen.target == unproven


def test_snapshot_of_another_cluster_is_refused_unless_wished() -> None:
    """Its manifest names an id that neither marker nor data knows."""
    world = AssessmentWorld()
    foreign = world.take_snapshot(cluster_id=0xBAD)
    world.wipe("cp1", "cp2", "cp3")
    selector = parse_selector(foreign)

    assert way_of(world) is None
    assert "bad" in world.propose(Wishes(selector=selector))[Way.RESTORE].obstacle
    assert world.plan(Wishes(way=Way.RESTORE, selector=selector, foreign_snapshot=True)).chosen.target == foreign


def test_damaged_snapshot_is_refused_also_by_wish() -> None:
    world = AssessmentWorld()
    damaged = world.take_snapshot(state="damaged")
    world.wipe("cp1", "cp2", "cp3")

    with pytest.raises(NothingPossible, match="damaged"):
        world.plan(Wishes(way=Way.RESTORE, selector=parse_selector(damaged)))


def test_wish_for_a_snapshot_that_is_not_there_says_so() -> None:
    world = AssessmentWorld()
    world.take_snapshot()

    with pytest.raises(SnapshotNotFound):
        world.plan(Wishes(selector=parse_selector("19990101T000000Z")))


def test_data_of_an_unknown_cluster_asks_whether_the_store_is_the_right_one() -> None:
    """All that is left is of another id than the store knows: a person says that the snapshot is meant."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2")
    world.stop("cp3")
    world.plane.node("cp3").learn(cluster_id=0xBAD)

    assert way_of(world) is None
    assert any("right store" in reason for reason in world.propose()[Way.RESTORE].reasons)
    assert world.plan(Wishes(way=Way.RESTORE)).way is Way.RESTORE


def test_wish_for_a_snapshot_is_a_wish_for_a_restore() -> None:
    """Although a survivor has more, which the page says."""
    world = AssessmentWorld()
    wished = world.take_snapshot(revision=900)
    world.wipe("cp1", "cp2")

    plan = world.plan(Wishes(selector=parse_selector(wished)))

    assert (plan.way, plan.chosen.target, plan.chosen.loss.revisions) == (Way.RESTORE, wished, 100)


def test_store_that_is_unreachable_is_the_obstacle() -> None:
    world = AssessmentWorld()
    world.wipe("cp1", "cp2", "cp3")
    world.store.fail("list", StoreUnreachable("no route", subject="store"))

    assert "store.unreachable" in world.propose()[Way.RESTORE].obstacle


def test_disk_that_is_too_small_is_the_obstacle() -> None:
    """Said for the node, with both numbers, before anything is touched."""
    world = AssessmentWorld()
    world.take_snapshot(size_bytes=1_000_000_000)
    world.wipe("cp1", "cp2", "cp3")
    world.plane.node("cp2").fill_disk(free_bytes=500_000_000)

    assert "cp2 has 500 MB free" in world.propose()[Way.RESTORE].obstacle


def test_room_is_asked_for_on_nodes_and_here() -> None:
    world = AssessmentWorld()
    world.take_snapshot(size_bytes=1_000_000_000)
    world.wipe("cp1", "cp2", "cp3")

    step = next(s for s in world.plan().steps if isinstance(s, Preflight))

    assert set(step.node_bytes_needed) == {"cp1", "cp2", "cp3"}
    assert all(1_064_000_000 < size < 1_200_000_000 for size in step.node_bytes_needed.values())
    assert step.local_bytes_needed > 4_000_000_000
    assert step.etcdutl_minor == "3.5"


@pytest.mark.parametrize(
    ("taken_with", "is_possible"), [("3.5.1", True), ("3.4.23", True), ("3.6.1", False), ("3.3.27", False)]
)
def test_snapshot_of_another_minor(taken_with: str, is_possible: bool) -> None:
    """The minor before is an upgrade under way; a newer one, or one from long ago, needs an explicit wish."""
    world = AssessmentWorld()
    world.take_snapshot(etcd_version=taken_with)
    world.wipe("cp1", "cp2", "cp3")

    assert world.propose()[Way.RESTORE].is_possible is is_possible
    assert world.propose(Wishes(other_minor=True))[Way.RESTORE].is_possible


def test_missing_etcdutl_of_the_nodes_minor_is_the_obstacle() -> None:
    """One that cannot raise revisions is as good as none, unless that was wished."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")
    older, other, fitting = EtcdVersion(3, 5, 1), EtcdVersion(3, 6, 1), EtcdVersion(3, 5, 30)

    assert "minor 3.5" in world.propose(tools=(other,))[Way.RESTORE].obstacle
    assert "raise revisions" in world.propose(tools=(older,))[Way.RESTORE].obstacle
    assert world.propose(Wishes(no_bump=True), tools=(older,))[Way.RESTORE].is_possible
    assert world.propose(tools=(other, fitting))[Way.RESTORE].is_possible


def test_unreachable_nodes_need_a_word_before_a_restore() -> None:
    """Without one nothing is recommended; with it the new cluster is made of the nodes that are there."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp3")
    world.lose_node("cp1", "cp2")

    assert way_of(world) is None
    with pytest.raises(NothingPossible, match="not known whether"):
        world.plan()

    world.say(Statement.LOST, "cp1", "cp2")
    plan = world.plan()

    assert plan.way is Way.RESTORE
    assert plan.expected is not None
    assert [member.name for member in plan.expected.members] == ["cp3"]
    assert plan.statements == {"cp1": Statement.LOST, "cp2": Statement.LOST}
    assert sum("Not part of the new cluster" in sentence for sentence in plan.afterwards) == 2


def test_held_quorum_is_rolled_back_only_by_wish() -> None:
    """Somebody deleted everything: then, and only when it is said, a living cluster is replaced."""
    world = AssessmentWorld()
    world.take_snapshot()

    with pytest.raises(NothingPossible, match="throw away"):
        world.plan(Wishes(way=Way.RESTORE))
    plan = world.plan(Wishes(way=Way.RESTORE, roll_back=True))

    assert plan.chosen.loss.revisions == 100
    assert [s.node for s in plan.steps if s.kind == "copy-data"] == ["cp1", "cp2", "cp3"]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_expected_ids_follow_from_urls_and_a_new_token(size: int) -> None:
    """Every member is built with the same list, and a second plan has another token and other ids."""
    names = tuple(f"cp{n + 1}" for n in range(size))
    world = AssessmentWorld(*names)
    world.take_snapshot()
    world.wipe(*names)

    plan = world.plan()
    builds = [s for s in plan.steps if isinstance(s, BuildData)]

    assert plan.expected is not None
    cluster_id, members = expected_ids(builds[0].initial_cluster, plan.expected.token)
    assert [b.member for b in builds] == list(names)
    assert {b.token for b in builds} == {plan.expected.token}
    assert plan.expected.cluster_id == id_text(cluster_id)
    assert {m.name: m.id for m in plan.expected.members} == {n: id_text(i) for n, i in members.items()}
    assert plan.expected.cluster_id != id_text(CLUSTER_ID)


def test_bump_exceeds_everything_seen_ten_times_over() -> None:
    """A damaged snapshot's revision was handed out too; its distance is kept ten times."""
    world = AssessmentWorld()
    world.take_snapshot(hours_ago=2, revision=1000)
    world.take_snapshot(hours_ago=1, revision=501_000, state="damaged")
    world.wipe("cp1", "cp2", "cp3")

    plan = world.plan()

    bumps = {s.bump_revision for s in plan.steps if isinstance(s, BuildData)}
    verify = next(s for s in plan.steps if isinstance(s, VerifyCluster))
    assert len(bumps) == 1
    assert bumps.pop() >= 10 * 500_000
    assert verify.lowest_revision == 501_000


def test_no_bump_is_a_wish_and_is_told_afterwards() -> None:
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")

    plan = world.plan(Wishes(no_bump=True))

    assert {s.bump_revision for s in plan.steps if isinstance(s, BuildData)} == {0}
    assert "restart every client" in plan.afterwards[0]


def test_plan_says_what_is_left_to_do_by_people() -> None:
    """Controllers, kubelets and other apiservers do not notice by themselves."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")

    told = " ".join(world.plan().afterwards)

    assert all(
        word in told
        for word in ("kube-apiserver", "kube-controller-manager", "kubelet", "118501", "131115", "etcd-dr-")
    )


def test_nodes_without_writers_are_not_fenced() -> None:
    world = AssessmentWorld(platform="systemd")
    world.take_snapshot()
    for node in world.plane.nodes:
        node.writers = {}
    world.wipe("cp1", "cp2", "cp3")

    assert {"fence-writers", "lift-fence"} & {kind for _, kind, _ in kinds(world.plan())} == set()


# Plans as data


def test_plan_survives_its_file_and_refuses_a_changed_one() -> None:
    """White space does not matter; a single changed value does."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")
    plan = world.plan()
    document = plan_document(plan)

    again = parse_plan(json.dumps(document, indent=2).encode(), subject="plan.json")

    assert (again, again.digest) == (plan, plan.digest)
    for change in ({"cluster": "other"}, {"surprise": 1}, {"version": 2}, {"digest": "sha256:0"}):
        with pytest.raises(JournalDamaged):
            parse_plan(json.dumps(document | change).encode(), subject="plan.json")
    with pytest.raises(JournalDamaged):
        parse_plan(b"[]", subject="plan.json")


def test_steps_have_unique_ids_and_rising_phases_and_words() -> None:
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")

    steps = world.plan().steps

    assert len({step.id for step in steps}) == len(steps)
    assert [step.phase for step in steps] == sorted(step.phase for step in steps)
    assert all(step.title and step.why and step.check for step in steps)
    assert all(step.undo for step in steps if step.kind in ("stop-etcd", "set-data-aside", "place-data", "start-etcd"))


def test_plan_is_stale_when_a_member_comes_back() -> None:
    """And fits as long as nothing changed, whatever time has passed."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")
    plan = world.plan()
    world.clock.advance(600)

    assert plan.facts.changes(facts_for(plan, world.assess())) == ()

    world.cluster["cp1"].start()
    changes = plan.facts.changes(facts_for(plan, world.assess()))

    assert any(f"cp1 was {MemberVerdict.WIPED.value}" in change for change in changes)


def test_newer_snapshot_does_not_make_a_plan_stale_but_a_lost_one_does() -> None:
    world = AssessmentWorld()
    chosen = world.take_snapshot(hours_ago=2)
    world.wipe("cp1", "cp2", "cp3")
    plan = world.plan()
    world.take_snapshot(hours_ago=1)

    assert plan.facts.changes(facts_for(plan, world.assess())) == ()

    for stored in list(world.store.list("")):
        if chosen in stored.key:
            world.store.delete(stored.key)

    assert any(chosen in change for change in plan.facts.changes(facts_for(plan, world.assess())))


def test_no_nodes_configured_says_so() -> None:
    """Without a way to the nodes nothing can be placed."""
    world = AssessmentWorld()
    world.take_snapshot()
    for name in ("cp1", "cp2", "cp3"):
        world.cluster[name].stop()
    world.plane = FakeControlPlane([])
    world.say(Statement.LOST, "cp1", "cp2", "cp3")

    assert "no configured node" in world.propose()[Way.RESTORE].obstacle


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": 7}, "steps must be a list"),
        ({"cluster": None}, "cluster must be text"),
        ({"version": 9}, "has format version 9, this etcd-dr reads version 1"),
        ({"unknown": 1}, "unknown is not a known key|fields or spellings"),
        ({"made_by": "somebody"}, "changed by hand"),
    ],
)
def test_mistakes_in_a_plan_are_told_in_words_for_people(change: dict[str, object], says: str) -> None:
    """Not in those of a library."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2", "cp3")
    document = plan_document(world.plan()) | change

    with pytest.raises(JournalDamaged, match=says):
        parse_plan(json.dumps(document).encode(), subject="plan.json")


def test_file_that_broke_off_is_told_as_such() -> None:
    with pytest.raises(JournalDamaged, match=r"it is not JSON \(line 1, column 13\)"):
        parse_plan(b'{"version":1', subject="plan.json")


def test_member_that_needs_no_replacing_is_refused_with_those_that_do() -> None:
    """Whoever mistyped a name is told the right one, and not to make statements about members."""
    world = AssessmentWorld()
    world.wipe("cp2")

    with pytest.raises(NothingPossible, match="cp3 cannot be what to replace; there is: cp2"):
        world.plan(Wishes(way=Way.REPLACE, member="cp3"))


def test_survivor_that_runs_and_says_nothing_is_to_be_stopped_first() -> None:
    """An etcd that was started without a quorum answers nobody, and keeps its data from being read."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2")
    world.cluster["cp3"].stop()

    with pytest.raises(NothingPossible) as raised:
        world.plan()

    assert raised.value.next_step is not None
    assert raised.value.next_step.startswith("By hand: stop etcd on cp3 (")


def test_revisions_that_a_recovery_raised_are_not_told_as_lost() -> None:
    """A bump of a million is no loss of a million."""
    world = AssessmentWorld()
    older = world.take_snapshot(hours_ago=2, revision=300, cluster_id=0xABC)
    world.take_snapshot(hours_ago=1, revision=1_000_300)
    world.wipe("cp1", "cp2", "cp3")

    [restore] = [
        c
        for c in propose_recovery(world.assess(), wishes=Wishes(selector=parse_selector(older), foreign_snapshot=True))
        if c.way is Way.RESTORE
    ]

    assert restore.loss.revisions is None
    assert "raised the revisions" in restore.loss.text


def test_what_is_wiped_has_nothing_to_set_aside() -> None:
    """The page says what happens to each node, and no more."""
    world = AssessmentWorld()
    world.take_snapshot()
    world.wipe("cp1", "cp2")
    world.stop("cp3")

    effects = {effect.node: effect.effect for effect in world.plan().chosen.effects}

    assert "set aside" not in effects["cp1"]
    assert "its data is set aside" in effects["cp3"]
