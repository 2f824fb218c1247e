"""Stories of members that go away, and come back, and of what is left of quorum meanwhile."""

from __future__ import annotations

from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.health import Severity
from etcd_dr.domain.quorum import QuorumVerdict
from fakes.etcd import FakeCluster, FakeMember
from scenarios.health_world import HealthWorld, codes


def five() -> FakeCluster:
    return FakeCluster(*(FakeMember(f"m{n}", 0x1000 + n, f"https://m{n}.example:2379") for n in range(1, 6)))


def test_member_dies_and_returns() -> None:
    """Tolerance goes and comes back, and the log tells each once."""
    world = HealthWorld()
    assert world.round().findings == ()

    world.cluster["m2"].stop()
    lost = world.round()
    world.round()
    world.cluster["m2"].start()
    back = world.round()

    assert lost.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE
    assert codes(lost) == {"quorum.no_tolerance", "member.unreachable"}
    assert back.findings == ()
    assert [t.fields["code"] for t in world.events.of("health.raised")] == ["quorum.no_tolerance", "member.unreachable"]
    assert len(world.events.of("health.cleared")) == 2
    assert len(world.events.of("health.checked")) == 4


def test_leader_dies_and_its_successor_is_found() -> None:
    """The new leader is seen without any leader finding once the election is over."""
    world = HealthWorld()
    world.cluster["m1"].stop()

    without = world.round()
    world.cluster.leader = "m3"
    after = world.round()

    assert without.quorum.verdict is QuorumVerdict.LOST_MAY_RETURN
    assert {"leader.none", "quorum.lost"} <= codes(without)
    assert codes(after) == {"quorum.no_tolerance", "member.unreachable"}
    assert next(m.label for m in after.members if m.role == "leader") == "m3"


def test_election_that_ends_amid_a_round_is_no_doubt_about_quorum() -> None:
    """All members answer "leader changed" at once: each is asked once more, and its answer is what is so."""
    world = HealthWorld()
    for member in world.cluster.members:
        member.leader_changes = 1

    report = world.round()

    assert report.quorum.verdict is QuorumVerdict.HELD
    assert report.findings == ()


def test_survivor_of_three_tells_of_lost_quorum_and_not_of_lost_data() -> None:
    """The next step is to bring members back, and recovery is named only for those that are gone for good."""
    world = HealthWorld()
    world.cluster["m1"].stop()
    world.cluster["m2"].stop()

    report = world.round()

    [lost] = report.by_code("quorum.lost")
    assert (report.severity, report.exit_status) == (Severity.CRITICAL, 2)
    assert lost.evidence["silent_voters"] == "m1, m2"
    assert lost.next_step.startswith("Bring back")
    assert world.events.of("health.checked")[-1].level == "error"


def test_outage_that_goes_on_is_not_an_error_in_the_log_every_round() -> None:
    """A round is told at its severity when something changes, and at info while it stays the same."""
    world = HealthWorld()
    world.cluster["m1"].stop()
    world.cluster["m2"].stop()

    for _ in range(3):
        world.round()
    world.cluster["m1"].start()
    world.round()

    told = world.events.of("health.checked")
    assert [line.level for line in told] == ["error", "info", "info", "warning"]
    assert [line.fields["severity"] for line in told] == ["critical", "critical", "critical", "warning"]


def test_all_members_silent_is_not_called_a_loss() -> None:
    """Exit status 3: it may be our network."""
    world = HealthWorld()
    for member in world.cluster.members:
        member.stop()

    report = world.round()

    assert (report.quorum.verdict, report.exit_status) == (QuorumVerdict.CANNOT_TELL, 3)
    assert report.by_code("quorum.unknown")[0].next_step
    assert {m.label for m in report.members} == set(world.cluster.endpoints)


def test_members_keep_their_names_after_all_is_known_no_more() -> None:
    """Two of three dead: the survivor's list still names them."""
    world = HealthWorld()
    world.cluster["m1"].stop()
    world.cluster["m2"].hangs = True

    report = world.round()

    assert {f.member for f in report.by_code("member.unreachable")} == {"m1", "m2"}
    assert {f.evidence["error_code"] for f in report.by_code("member.unreachable")} == {
        "etcd.unreachable",
        "etcd.timeout",
    }


def test_member_that_comes_back_empty_belongs_to_another_cluster() -> None:
    """Wiped and started with --initial-cluster-state=new, it makes a cluster of its own: never a voter of this one."""
    world = HealthWorld()
    lost = world.cluster["m2"]
    lost.cluster_id = 0xF00
    lost.revision, lost.raft_index, lost.raft_applied_index = 1, 5, 5

    report = world.round()

    assert {"cluster.several_ids", "endpoint.foreign", "quorum.no_tolerance"} <= codes(report)
    assert report.by_code("endpoint.foreign")[0].member == lost.endpoint
    assert "members.diverged" not in codes(report)
    assert report.quorum.answering == 2


def test_majority_beyond_a_partition_is_not_mistaken_for_a_loss() -> None:
    """We reach two of five, and they confirm a leader: held, but our view is partial."""
    world = HealthWorld(five())
    for name in ("m3", "m4", "m5"):
        world.cluster[name].tls_problem = "connection reset by a firewall"

    report = world.round()

    assert report.quorum.verdict is QuorumVerdict.HELD
    assert report.quorum.view_is_partial
    assert "quorum.view_partial" in codes(report)
    assert report.exit_status == 1


def test_member_cut_off_from_its_peers_is_named() -> None:
    """It answers us and nobody else; the others go on without it."""
    world = HealthWorld()
    world.cluster["m3"].is_partitioned = True

    report = world.round()

    assert {"member.isolated", "quorum.no_tolerance"} <= codes(report)
    assert report.by_code("member.isolated")[0].member == "m3"
    assert {f.evidence["peer"] for f in report.by_code("peer.disconnected")} == {"m3"}


def test_alarm_is_seen_without_quorum_too() -> None:
    """The alarm list hangs then; a member's status names the alarm all the same."""
    world = HealthWorld()
    world.cluster.raised_alarms.append(Alarm(world.cluster["m3"].id, "NOSPACE"))
    world.cluster["m1"].stop()
    world.cluster["m2"].stop()

    report = world.round()

    [alarm] = report.by_code("alarm.nospace")
    assert (alarm.member, alarm.evidence["told_by"]) == ("m3", world.cluster["m3"].endpoint)


def test_alarm_of_a_removed_member_is_said_to_be_one() -> None:
    """Alarms outlive their members (etcd#14379)."""
    world = HealthWorld()
    world.cluster.raised_alarms.append(Alarm(0xDEAD, "NOSPACE"))

    [alarm] = world.round().by_code("alarm.nospace")

    assert alarm.evidence["member_is_listed"] is False
    assert alarm.member == "dead"


def test_no_round_leaves_a_connection_open() -> None:
    """Whatever failed, everything that was opened is closed."""
    world = HealthWorld(five())
    world.cluster["m1"].stop()
    world.cluster["m2"].hangs = True
    world.cluster["m3"].denies = True
    world.cluster["m4"].tls_problem = "certificate has expired"

    world.round()

    assert world.left_open == 0
