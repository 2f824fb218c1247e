"""Health of real clusters whose members die, stand still, run full, or were never there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import EtcdGateway, LocalCluster
from etcd_dr.adapters.member_probe import HttpMemberProbe, ProbeFiles
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.member_health import MemberRole
from etcd_dr.domain.quorum import QuorumVerdict
from etcd_dr.errors import EtcdError
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.observe_cluster import ClusterObserver, ObserveOptions
from fakes.events import RecordingEvents
from real.full_database import has_room
from real.peers.page_server import PageServer, response
from real.peers.tcp_proxy import TcpProxy

FormCluster = Callable[..., LocalCluster]
ELECTION_SECONDS = 30.0
LANES = 3
"""What a member is asked, side by side: status, alarms and quorum."""
ONE_AFTER_THE_OTHER_SECONDS = LANES * ObserveOptions().deadline_seconds
"""What one silent member would cost a round that did not wait for its lanes side by side."""
ONE_SILENT = {"quorum.no_tolerance", "member.unreachable"}


def watch(cluster: LocalCluster, *, endpoints: tuple[str, ...] = (), **options: object) -> HealthWatch:
    """Return a watch over a local cluster as the operator would have it."""
    tls, clock = cluster.client_tls, SystemClock()
    access = EtcdAccess(endpoints or cluster.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)
    observer = ClusterObserver(
        GrpcEtcdConnector(access, clock=clock),
        HttpMemberProbe(ProbeFiles(tls.ca, tls.certificate, tls.key), clock=clock),
        clock=clock,
        options=ObserveOptions(**options),  # type: ignore[arg-type]  # the tests' own keywords
    )
    return HealthWatch(cluster="local", observer=observer, events=RecordingEvents())


def until(subject: HealthWatch, is_reached: Callable[[HealthReport], bool]) -> HealthReport:
    """Return the first report that shows what an election or a reconnect brings, or the last one in time."""
    ends = time.monotonic() + ELECTION_SECONDS
    while True:
        report = subject.round()
        if is_reached(report) or time.monotonic() > ends:
            return report


def serious(report: HealthReport) -> set[str]:
    """Return the codes that call for an action; versions, and a test machine that is slow, do not."""
    slow = ("disk.", "member.slow", "peer.slow")
    return {f.code for f in report.findings if f.severity.rank > Severity.INFO.rank and not f.code.startswith(slow)}


@pytest.fixture
def doomed(fresh_cluster: FormCluster) -> Iterator[LocalCluster]:
    """Three members of this test's own."""
    cluster = fresh_cluster()
    yield cluster
    for member in cluster.members:
        member.resume()


class Story:
    """What happens to three members; heirs choose the etcd versions."""

    def test_healthy_cluster_has_nothing_to_report(self, doomed: LocalCluster) -> None:
        """Every fact is there, from every member."""
        report = until(watch(doomed), lambda r: not serious(r))

        assert serious(report) == set()
        assert report.quorum.verdict is QuorumVerdict.HELD
        assert (report.quorum.voters, report.quorum.tolerance) == (3, 1)
        assert sorted(m.role for m in report.members) == [MemberRole.FOLLOWER, MemberRole.FOLLOWER, MemberRole.LEADER]
        assert all(m.db_quota_bytes for m in report.members)
        assert {c.role.value for c in report.certificates} == {"server", "peer", "client", "ca"}

    def test_one_killed_then_two_then_one_back(self, doomed: LocalCluster) -> None:
        """Held without tolerance, lost, held again."""
        subject = watch(doomed)

        doomed.members[0].kill()
        one = until(subject, lambda r: serious(r) == ONE_SILENT)  # m1 may have led: an election says more for a while
        doomed.members[1].kill()
        two = until(subject, lambda r: r.quorum.verdict is QuorumVerdict.LOST_MAY_RETURN)
        doomed.members[1].start()
        doomed.members[1].wait_until_healthy()
        back = until(subject, lambda r: serious(r) == ONE_SILENT)

        assert (one.quorum.verdict, serious(one)) == (QuorumVerdict.HELD_WITHOUT_TOLERANCE, ONE_SILENT)
        assert one.exit_status == 1
        assert {"quorum.lost", "leader.none", "member.unreachable"} <= serious(two)
        assert two.exit_status == 2
        assert (back.quorum.verdict, serious(back)) == (QuorumVerdict.HELD_WITHOUT_TOLERANCE, ONE_SILENT)

    def test_paused_member_costs_one_deadline(self, doomed: LocalCluster) -> None:
        """SIGSTOP: it accepts connections and never answers."""
        subject = watch(doomed)
        doomed.members[2].pause()

        report = until(subject, lambda r: r.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE)

        assert report.seconds < ONE_AFTER_THE_OTHER_SECONDS
        [silent] = report.by_code("member.unreachable")
        assert (silent.member, silent.evidence["error_code"]) == ("m3", "etcd.timeout")

    def test_all_killed_cannot_be_told_from_a_broken_network(self, doomed: LocalCluster) -> None:
        """Exit status 3, and what would tell."""
        doomed.kill()

        report = watch(doomed).round()

        assert (report.quorum.verdict, report.exit_status) == (QuorumVerdict.CANNOT_TELL, 3)


class TestNewestEtcd(Story):
    """On the etcd that most clusters run."""


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestEveryEtcd(Story):
    """On each version at hand."""


def test_all_three_paused_ends_in_time(doomed: LocalCluster) -> None:
    """The worst case of a stalled host: every lane of every member hangs."""
    for member in doomed.members:
        member.pause()

    report = watch(doomed).round()

    assert report.quorum.verdict is QuorumVerdict.CANNOT_TELL
    assert report.seconds < len(doomed.members) * ONE_AFTER_THE_OTHER_SECONDS


def test_majority_behind_a_firewall_is_believed_through_the_one_we_reach(
    fresh_cluster: FormCluster, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """Two of three refuse *us*: the third confirms quorum, so it is held, and our view is partial."""
    cluster = fresh_cluster()
    walls = [tcp_proxy(member.settings.client_port) for member in cluster.members[1:]]
    for wall in walls:
        wall.refuse()
    endpoints = (cluster.endpoints[0], *(wall.endpoint for wall in walls))

    subject = watch(cluster, endpoints=endpoints, asks_unconfigured=False)
    report = until(subject, lambda r: r.quorum.verdict is QuorumVerdict.HELD)

    assert report.quorum.verdict is QuorumVerdict.HELD
    assert report.quorum.view_is_partial
    assert {"quorum.view_partial", "endpoint.unreachable"} <= serious(report)


def test_unconfigured_members_are_found_through_one_endpoint(shared_cluster: LocalCluster) -> None:
    """One URL is enough to see everybody."""
    subject = watch(shared_cluster, endpoints=shared_cluster.endpoints[:1])
    report = until(subject, lambda r: [m.answers for m in r.members] == [True, True, True])

    assert [m.answers for m in report.members] == [True, True, True]
    assert report.quorum.tolerance == 1


def test_full_database_raises_its_alarm(fresh_cluster: FormCluster) -> None:
    """A quota of 8 MiB: near it first, then NOSPACE, which the report names with what to do."""
    cluster = fresh_cluster(size=1, quota_bytes=8 << 20)
    subject = watch(cluster)

    with cluster.gateway() as gateway:
        # Small writes, because the file grows by more than what is written, and a commit later than it.
        while int(gateway.call("/v3/maintenance/status", {})["dbSize"]) < 6.2 * (1 << 20):
            assert _put(gateway)
        near = until(subject, lambda r: bool(r.by_code("db.near_quota")))
        while _put(gateway):
            pass
    full = until(subject, lambda r: bool(r.by_code("alarm.nospace")))

    assert near.by_code("db.near_quota")
    [alarm] = full.by_code("alarm.nospace")
    assert (alarm.severity, alarm.member) == (Severity.CRITICAL, "m1")
    assert "alarm disarm" in alarm.next_step
    assert full.members[0].alarms == ("NOSPACE",)


def _put(gateway: EtcdGateway) -> bool:
    return has_room(gateway, b"/fill/%d" % time.monotonic_ns(), bytes(16 << 10))


def test_learner_and_member_that_never_started_are_told_apart(fresh_cluster: FormCluster) -> None:
    """One runs and waits for its promotion, one was only added; neither votes."""
    cluster = fresh_cluster()
    cluster.add_learner()
    with cluster.gateway() as gateway:
        body = {"peerURLs": ["https://127.0.0.1:1"], "isLearner": True}
        with contextlib.suppress(EtcdError):  # etcd may allow one learner only
            gateway.call("/v3/cluster/member/add", body)
    subject = watch(cluster)

    report = until(subject, lambda r: bool(r.by_code("member.learner")))

    assert [f.member for f in report.by_code("member.learner")] == ["learner"]
    assert next(m for m in report.members if m.label == "learner").role is MemberRole.LEARNER
    assert report.quorum.voters == 3
    assert "access.denied" not in serious(report)


def test_voter_that_was_added_and_never_started_is_told(fresh_cluster: FormCluster) -> None:
    """It raises the number that is needed, and gives nothing."""
    cluster = fresh_cluster()
    subject = watch(cluster)
    ends = time.monotonic() + ELECTION_SECONDS
    with cluster.gateway() as gateway:
        while time.monotonic() < ends:  # etcd refuses until all members were connected for a while
            with contextlib.suppress(EtcdError):
                gateway.call("/v3/cluster/member/add", {"peerURLs": ["https://127.0.0.1:1"]})
                break

    report = until(
        subject,
        lambda r: bool(r.by_code("member.never_started")) and r.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE,
    )

    assert report.by_code("member.never_started")
    assert (report.quorum.voters, report.quorum.needed) == (4, 3)
    assert report.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE
    assert MemberRole.NOT_STARTED in {m.role for m in report.members}


def test_member_restarted_empty_makes_a_cluster_of_its_own(doomed: LocalCluster) -> None:
    """Wiped and bootstrapped apart: two cluster ids behind one list of endpoints."""
    lost = doomed.members[2]
    lost.wipe()
    lost.settings = replace(lost.settings, initial_cluster={lost.name: lost.settings.peer_url}, cluster_token="another")
    lost.start()
    lost.wait_until_healthy()

    told = {"cluster.several_ids", "endpoint.foreign", "quorum.no_tolerance"}
    report = until(watch(doomed), lambda r: told <= serious(r))  # the wiped member may have been the leader

    assert told <= serious(report)
    assert report.by_code("endpoint.foreign")[0].member == lost.endpoint


def test_clock_of_a_member_is_measured_through_its_pages(shared_cluster: LocalCluster) -> None:
    """A member whose pages carry another time is told with the size of the difference."""
    bodies = {"/livez": "ok", "/health": '{"health":"true"}'}

    def page(path: str) -> bytes:  # made when it is asked for, as it says what time it is
        return response(bodies.get(path, "no"), status=200 if path in bodies else 404, skew_seconds=-120)

    with PageServer(page) as server:
        subject = watch(shared_cluster, http_urls={shared_cluster.endpoints[1]: server.url})

        report = until(subject, lambda r: bool(r.by_code("clock.skew")))

    [skew] = report.by_code("clock.skew")
    assert skew.member == "m2"
    assert -121.5 < float(str(skew.evidence["offset_seconds"])) < -118.5
