"""What every MemberProbe promises, over the fake and over real etcd alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalAuthority, LocalCluster
from etcd_dr.adapters.member_probe import HttpMemberProbe, ProbeFiles
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.observation import HttpProbe
from etcd_dr.ports.member_probe import MemberProbe
from fakes.etcd import FakeCluster
from fakes.member_probe import FakeMemberProbe

SECONDS = 10.0
SHORT = 1.0


class FakeRig:
    """The fake cluster as a rig."""

    def __init__(self) -> None:
        self.cluster = FakeCluster.of_three()
        self.probe: MemberProbe = FakeMemberProbe(self.cluster, now=lambda: datetime.now(UTC))
        self.nobody = "https://nobody.example:2379"

    @property
    def endpoint(self) -> str:
        return self.cluster.endpoints[0]

    @property
    def peer_url(self) -> str:
        return self.cluster.members[0].row.peer_urls[0]

    def stop(self, index: int) -> None:
        self.cluster.members[index].stop()

    def pause(self, index: int) -> None:
        self.cluster.members[index].hangs = True

    def distrusting(self, directory: Path) -> MemberProbe:
        for member in self.cluster.members:
            member.tls_problem = "its certificate is not accepted"
        return self.probe


class RealRig:
    """A local cluster as a rig."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        tls = cluster.client_tls
        self.files = ProbeFiles(tls.ca, tls.certificate, tls.key)
        self.probe: MemberProbe = HttpMemberProbe(self.files, clock=SystemClock())
        self.nobody = "https://127.0.0.1:1"

    @property
    def endpoint(self) -> str:
        return self.cluster.endpoints[0]

    @property
    def peer_url(self) -> str:
        return self.cluster.members[0].settings.peer_url

    def stop(self, index: int) -> None:
        self.cluster.members[index].kill()

    def pause(self, index: int) -> None:
        self.cluster.members[index].pause()

    def distrusting(self, directory: Path) -> MemberProbe:
        """Return a probe that trusts another authority than the cluster's."""
        now = datetime.now(UTC)
        stranger = LocalAuthority(directory, valid_from=now - timedelta(days=1), valid_until=now + timedelta(days=1))
        files = ProbeFiles(stranger.ca, self.files.cert_file, self.files.key_file)
        return HttpMemberProbe(files, clock=SystemClock())


Rig = FakeRig | RealRig


def failures(visit: HttpProbe) -> set[str]:
    """Return the codes with which the pages failed."""
    return {a.failure_code for a in (visit.clock, visit.metrics, visit.live, visit.health, visit.ready)}


class MemberProbeContract:
    """The promises. Heirs give `rig` (left as it was found) and `doomed` (this test's own, may be broken)."""

    def test_visit_to_a_healthy_member_answers_every_page(self, rig: Rig) -> None:
        """Health, checks, metrics, clock and certificate from one visit."""
        visit = _until_seen(rig, _is_whole)

        assert visit.health.value is not None
        assert visit.health.value.is_healthy
        assert visit.metrics.value is not None
        assert visit.metrics.value.has_leader
        assert visit.metrics.value.db_quota_bytes
        assert len(visit.metrics.value.active_peers) == 2
        assert visit.clock.value is not None
        assert visit.clock.value.certain_seconds < 1
        assert visit.certificate.value is not None
        assert visit.certificate.value.role is CertificateRole.SERVER

    def test_checks_are_passed_or_not_there(self, rig: Rig) -> None:
        """/livez and /readyz came late; where they are missing, that is what is said."""
        visit = rig.probe.visit(rig.endpoint, deadline=SECONDS)

        for answer in (visit.live, visit.ready):
            assert answer.failure_code == "http.404" or (answer.value is not None and answer.value.is_passed)

    def test_certificate_of_a_peer_port_is_labelled_as_asked(self, rig: Rig) -> None:
        """Peers answer no HTTP questions of ours, but show their certificate."""
        shown = rig.probe.certificate(rig.peer_url, role=CertificateRole.PEER, deadline=SECONDS)

        assert shown.value is not None
        assert (shown.value.role, shown.value.source) == (CertificateRole.PEER, rig.peer_url)
        assert shown.value.not_after > datetime.now(UTC)

    def test_port_without_tls_is_not_asked_for_a_certificate(self, rig: Rig) -> None:
        """There is none to be had, which is no failure."""
        assert not rig.probe.certificate("http://127.0.0.1:1", role=CertificateRole.PEER, deadline=SECONDS).was_asked

    def test_own_certificates_are_ours_first_then_the_authorities(self, rig: Rig) -> None:
        """Both with the file they came from."""
        own = rig.probe.own_certificates()

        assert own.value is not None
        assert [c.role for c in own.value] == [CertificateRole.CLIENT, CertificateRole.CA]
        assert own.value[0].is_signed_by(own.value[1])

    def test_nobody_there_is_an_answer(self, rig: Rig) -> None:
        """A refused connection, or a name that nobody has, raises nothing."""
        visit = rig.probe.visit(rig.nobody, deadline=SECONDS)
        shown = rig.probe.certificate(rig.nobody, role=CertificateRole.PEER, deadline=SECONDS)

        assert failures(visit) == {"etcd.unreachable"}
        assert shown.failure_code == "etcd.unreachable"

    @pytest.mark.parametrize("url", ["unix:///run/etcd.sock", "not a url", "ftp://127.0.0.1:1"])
    def test_url_that_is_none_is_an_answer(self, rig: Rig, url: str) -> None:
        """Member lists hold whatever somebody once typed."""
        assert failures(rig.probe.visit(url, deadline=SECONDS)) == {"config"}
        shown = rig.probe.certificate(url, role=CertificateRole.PEER, deadline=SECONDS)
        assert shown.failure_code == "config"

    def test_certificate_that_is_not_accepted_is_told_all_the_same(self, doomed: Rig, tmp_path: Path) -> None:
        """So that an expired certificate can be told from a foreign one."""
        probe = doomed.distrusting(tmp_path / "stranger")

        visit = probe.visit(doomed.endpoint, deadline=SECONDS)

        assert failures(visit) == {"etcd.tls"}
        assert visit.certificate.value is not None

    def test_member_without_quorum_says_so_and_still_shows_its_metrics(self, doomed: Rig) -> None:
        """Pages that need no quorum come first, so they are there when the others fail."""
        doomed.stop(1)
        doomed.stop(2)

        visit = _until_seen(doomed, _is_leaderless)

        assert visit.health.value is not None
        assert not visit.health.value.is_healthy
        assert visit.metrics.value is not None
        assert visit.clock.is_known

    def test_member_that_hangs_costs_no_more_than_the_deadline(self, doomed: Rig) -> None:
        """Every page fails with a timeout, and the caller is back in time."""
        doomed.pause(0)
        begun = time.monotonic()

        visit = doomed.probe.visit(doomed.endpoint, deadline=4 * SHORT)

        assert failures(visit) == {"etcd.timeout"}
        assert time.monotonic() - begun < 16 * SHORT  # five pages, one after the other, would take twenty


def _until_seen(rig: Rig, is_seen: Callable[[HttpProbe], bool]) -> HttpProbe:
    """Visit until what an election or a connection between members brings is seen, or for a while."""
    ends = time.monotonic() + 30
    while True:
        visit = rig.probe.visit(rig.endpoint, deadline=SECONDS)
        if is_seen(visit) or time.monotonic() > ends:
            return visit


def _is_whole(visit: HttpProbe) -> bool:
    health, metrics = visit.health.value, visit.metrics.value
    return health is not None and health.is_healthy and metrics is not None and len(metrics.active_peers) == 2


def _is_leaderless(visit: HttpProbe) -> bool:
    return visit.health.value is not None and not visit.health.value.is_healthy


class TestFakeMemberProbe(MemberProbeContract):
    @pytest.fixture
    def rig(self) -> FakeRig:
        return FakeRig()

    @pytest.fixture
    def doomed(self) -> FakeRig:
        return FakeRig()


class TestHttpMemberProbe(MemberProbeContract):
    @pytest.fixture
    def rig(self, shared_cluster: LocalCluster) -> RealRig:
        return RealRig(shared_cluster)

    @pytest.fixture
    def doomed(self, fresh_cluster: Callable[..., LocalCluster]) -> Iterator[RealRig]:
        cluster = fresh_cluster()
        yield RealRig(cluster)
        for member in cluster.members:
            member.resume()


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestHttpMemberProbeOverEveryEtcd(TestHttpMemberProbe):
    """The same promises, for each etcd version at hand."""
