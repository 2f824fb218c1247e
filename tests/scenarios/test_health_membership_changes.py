"""Stories of members that come: learners, members that never start, members that nobody told us of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_dr.domain.cluster import Member, MemberList
from etcd_dr.domain.member_health import MemberRole
from etcd_dr.workflows.observe_cluster import ObserveOptions, reachable_url
from fakes.etcd import FakeCluster
from scenarios.health_world import HealthWorld, codes


def with_learner() -> HealthWorld:
    cluster = FakeCluster.of_three()
    cluster.add_learner("m4")
    return HealthWorld(cluster)


def test_learner_that_is_never_promoted_becomes_a_warning() -> None:
    """Information for fifteen minutes, a warning from then on, and nothing once it votes."""
    world = with_learner()
    young = world.round()
    for _ in range(14):
        world.round(after=60)
    still_young = world.round(after=30)

    old = world.round(after=60)
    world.cluster["m4"].is_learner = False
    promoted = world.round()

    assert codes(young) == codes(still_young) == {"member.learner"}
    assert codes(old) == {"member.learner_stuck"}
    assert old.exit_status == 1
    assert codes(promoted) == {"quorum.even_voters"}


def test_learner_lag_is_told() -> None:
    """Whoever wants to promote it needs to know how far it is."""
    world = with_learner()
    world.cluster["m4"].is_partitioned = True
    world.cluster.write(500)

    [learner] = world.round().by_code("member.learner")

    assert learner.evidence["entries_behind"] == 500


def test_member_nobody_configured_is_asked_at_its_own_url() -> None:
    """Two endpoints for three members: the third is found in the member list and counts."""
    cluster = FakeCluster.of_three()
    world = HealthWorld(cluster, endpoints=cluster.endpoints[:2])

    report = world.round()

    third = next(m for m in report.members if m.label == "m3")
    assert (third.answers, third.is_configured) == (True, False)
    assert report.quorum.tolerance == 1
    assert report.findings == ()


def test_member_nobody_configured_is_left_alone_where_that_is_wanted() -> None:
    """Then it is told that nobody watches it."""
    cluster = FakeCluster.of_three()
    world = HealthWorld(cluster, endpoints=cluster.endpoints[:2], options=ObserveOptions(asks_unconfigured=False))

    report = world.round()

    assert codes(report) == {"member.unwatched", "quorum.no_tolerance"}
    assert not [endpoint for endpoint, _ in cluster.calls if endpoint == cluster.endpoints[2]]


def test_dead_member_nobody_configured_is_told_as_unreachable() -> None:
    """It was tried at the URL that it advertises."""
    cluster = FakeCluster.of_three()
    world = HealthWorld(cluster, endpoints=cluster.endpoints[:2])
    cluster["m3"].stop()

    report = world.round()

    assert [f.member for f in report.by_code("member.unreachable")] == ["m3"]


def test_member_that_was_added_and_never_started_is_told() -> None:
    """It has no name and no client URL, and counts as a voter."""
    world = HealthWorld()
    listed = MemberList(
        world.cluster.cluster_id,
        (*(m.row for m in world.cluster.members), Member(0xABC, "", ("https://m4.example:2380",), ())),
    )
    for member in world.cluster.members:
        member.sees = listed

    report = world.round()

    [finding] = report.by_code("member.never_started")
    assert finding.member == "abc"
    assert "etcdctl member remove abc" in finding.next_step
    assert (report.quorum.voters, report.quorum.needed, report.quorum.tolerance) == (4, 3, 0)
    assert next(m for m in report.members if m.label == "abc").role is MemberRole.NOT_STARTED


def test_hostile_member_list_makes_no_flood_of_questions() -> None:
    """A thousand members in a list are another party's word: only a few of them are asked."""
    world = HealthWorld()
    many = tuple(
        Member(n, f"x{n}", (f"https://x{n}.example:2380",), (f"https://x{n}.example:2379",)) for n in range(1000)
    )
    world.cluster["m1"].sees = MemberList(world.cluster.cluster_id, many)
    world.cluster["m1"].raft_applied_index += 1

    world.round()

    asked = {endpoint for endpoint, _ in world.cluster.calls}
    looked_at = {url for method, url in world.probe.calls if method == "certificate"}
    assert len(asked) <= 3 + 16
    assert len(looked_at) <= 32


@pytest.mark.parametrize(
    ("client_urls", "asked", "expected"),
    [
        (("https://a.example:2379",), ["https://b.example:2379"], "https://a.example:2379"),
        (("https://127.0.0.1:2379", "https://a.example:2379"), ["https://b.example:2379"], "https://a.example:2379"),
        (("https://127.0.0.1:2379",), ["https://127.0.0.1:1379"], "https://127.0.0.1:2379"),
        (("https://[::1]:2379",), ["https://localhost:1379"], "https://[::1]:2379"),
        (("http://0.0.0.0:2379",), ["http://127.0.0.1:1379"], None),
        (("http://[::]:2379",), ["http://127.0.0.1:1379"], None),
        (("unixs://sock:1",), ["https://b.example:2379"], None),
        (("https://b.example:2379",), ["https://b.example:2379"], None),
        ((), ["https://b.example:2379"], None),
    ],
)
def test_advertised_urls_are_used_only_where_they_mean_the_same_host(
    client_urls: tuple[str, ...], asked: list[str], expected: str | None
) -> None:
    """127.0.0.1 in a member list is that member's own machine, not ours."""
    assert reachable_url(Member(1, "a", (), client_urls), asked) == expected


def test_list_that_lags_behind_is_told_and_not_believed() -> None:
    """A member that did not apply the removal yet shows the old list."""
    world = HealthWorld()
    rows = tuple(m.row for m in world.cluster.members)
    world.cluster["m3"].sees = MemberList(
        world.cluster.cluster_id, (*rows, replace(rows[0], id=0x99, name="old", client_urls=()))
    )
    world.cluster["m3"].raft_applied_index -= 1

    report = world.round()

    [finding] = report.by_code("members.lists_differ")
    assert finding.member == "m3"
    assert "old" in str(finding.evidence["only_here"])
    assert report.quorum.voters == 3
