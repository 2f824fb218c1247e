"""One observation: what is asked, what is not asked, and that nothing holds it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.observation import EndpointObservation, Observation
from etcd_dr.errors import ConfigError, EtcdError
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.workflows.observe_cluster import ClusterObserver, ObserveOptions
from fakes.clock import MORNING, FakeClock
from fakes.etcd import FakeCluster, FakeEtcdConnector
from fakes.member_probe import FakeMemberProbe

QUICK = ObserveOptions(deadline_seconds=0.2)


class Setting:
    """A fake cluster under a real clock, for what really hangs."""

    def __init__(self) -> None:
        self.cluster = FakeCluster.of_three()
        self.connector = FakeEtcdConnector(self.cluster)
        self.probe = FakeMemberProbe(self.cluster)
        self.held: list[threading.Event] = []

    def hold(self, url: str) -> threading.Event:
        self.held.append(self.probe.hold(url))
        return self.held[-1]

    def observer(self, options: ObserveOptions = QUICK) -> ClusterObserver:
        return ClusterObserver(self.connector, self.probe, clock=SystemClock(), options=options)


def look_until(is_enough: Callable[[Observation], bool], look: Callable[[], Observation]) -> Observation:
    """Return the first look that got the answers there are: a pause of the machine costs a short one any of them."""
    ends = time.monotonic() + 60
    while not is_enough(seen := look()) and time.monotonic() < ends:
        pass
    return seen


@pytest.fixture
def setting() -> Iterator[Setting]:
    made = Setting()
    yield made
    for event in made.held:
        event.set()


def at(seen: Observation, endpoint: str) -> EndpointObservation:
    return next(e for e in seen.endpoints if e.endpoint == endpoint)


def test_every_question_of_a_healthy_member_is_answered() -> None:
    """Dated by the clock that it was given, in the configured order."""
    cluster = FakeCluster.of_three()
    clock = FakeClock()

    seen = ClusterObserver(FakeEtcdConnector(cluster), FakeMemberProbe(cluster), clock=clock).observe()

    assert seen.taken_at == MORNING
    assert [e.endpoint for e in seen.endpoints] == list(cluster.endpoints)
    for e in seen.endpoints:
        asked = (e.status, e.status_again, e.members, e.local_read, e.quorum_read, e.alarms, e.http.metrics)
        assert all(answer.is_known for answer in asked)
    assert {p.url for p in seen.peer_certificates} == {m.row.peer_urls[0] for m in cluster.members}
    assert seen.own_certificates.is_known


def test_hashes_are_never_asked_for() -> None:
    """HashKV stops a member while it runs."""
    cluster = FakeCluster.of_three()

    ClusterObserver(FakeEtcdConnector(cluster), FakeMemberProbe(cluster), clock=FakeClock()).observe()

    assert {method for _, method in cluster.calls} == {"status", "member_list", "read", "alarms"}


def test_dead_member_is_asked_no_more_than_it_takes_to_know() -> None:
    """After a status that failed, the rest of its lane is not asked."""
    cluster = FakeCluster.of_three()
    cluster["m2"].stop()

    seen = ClusterObserver(FakeEtcdConnector(cluster), None, clock=FakeClock()).observe()

    dead = at(seen, cluster["m2"].endpoint)
    assert dead.status.failure_code == "etcd.unreachable"
    assert not dead.members.was_asked
    assert not dead.local_read.was_asked


def test_one_failed_call_does_not_take_the_others_with_it() -> None:
    """Each answer stands for itself."""
    cluster = FakeCluster.of_three()
    cluster["m2"].errors["member_list"] = EtcdError("internal error")

    seen = ClusterObserver(FakeEtcdConnector(cluster), None, clock=FakeClock()).observe()

    bent = at(seen, cluster["m2"].endpoint)
    assert bent.members.failure_code == "etcd"
    assert bent.status.is_known
    assert bent.status_again.is_known


def test_without_a_probe_nothing_is_asked_over_http() -> None:
    """Pages, clocks and certificates are extra."""
    cluster = FakeCluster.of_three()

    seen = ClusterObserver(FakeEtcdConnector(cluster), None, clock=FakeClock()).observe()

    assert not any(e.http.health.was_asked for e in seen.endpoints)
    assert (seen.peer_certificates, seen.own_certificates.was_asked) == ((), False)


def test_peer_ports_are_left_alone_when_the_round_does_not_look() -> None:
    """The caller says which rounds do."""
    cluster = FakeCluster.of_three()
    probe = FakeMemberProbe(cluster)

    seen = ClusterObserver(FakeEtcdConnector(cluster), probe, clock=FakeClock()).observe(looks_at_peers=False)

    assert seen.peer_certificates == ()
    assert not [call for call in probe.calls if call[0] == "certificate"]


def test_pages_can_be_served_elsewhere_while_the_certificate_is_the_endpoints() -> None:
    """--listen-metrics-urls: pages at one port, the certificate that clients meet at the other."""
    cluster = FakeCluster.of_three()
    probe = FakeMemberProbe(cluster)
    endpoint = cluster["m1"].endpoint
    options = ObserveOptions(http_urls={endpoint: "http://m1.example:2381"})

    seen = ClusterObserver(FakeEtcdConnector(cluster), probe, clock=FakeClock(), options=options).observe()

    assert ("visit", "http://m1.example:2381") in probe.calls
    assert ("visit", endpoint) not in probe.calls
    shown = at(seen, endpoint).http.certificate.value
    assert shown is not None
    assert shown.source == endpoint


def test_unusable_configuration_is_a_value_for_every_endpoint() -> None:
    """A round never raises; the report says which file is wrong."""

    class Refusing(FakeEtcdConnector):
        def connect(self, endpoint: str) -> EtcdMember:  # type: ignore[override]  # never returns
            raise ConfigError("the client key cannot be read", subject="/client.key", next_step="ls -l /client.key")

    seen = ClusterObserver(Refusing(FakeCluster.of_three()), None, clock=FakeClock()).observe()

    assert {e.status.failure_code for e in seen.endpoints} == {"config"}


class TestHanging:
    def test_page_that_hangs_beyond_its_deadline_costs_one_deadline(self, setting: Setting) -> None:
        """As a name lookup does; everything else is there."""
        endpoint = setting.cluster["m2"].endpoint
        setting.hold(endpoint)

        def is_enough(seen: Observation) -> bool:
            pages = [at(seen, e).http.health.is_known for e in setting.cluster.endpoints if e != endpoint]
            return at(seen, endpoint).status.is_known and all(pages)

        seen = look_until(is_enough, setting.observer().observe)  # the page is held until the test is over

        stuck = at(seen, endpoint)
        assert stuck.http.health.failure_code == "etcd.timeout"
        assert stuck.status.is_known
        assert all(at(seen, e).http.health.is_known for e in setting.cluster.endpoints if e != endpoint)

    def test_peer_port_that_hangs_is_a_failure_in_the_observation(self, setting: Setting) -> None:
        """The others' certificates are there."""
        url = setting.cluster["m2"].row.peer_urls[0]
        setting.hold(url)

        others = len(setting.cluster.endpoints) - 1
        seen = look_until(
            lambda seen: sum(p.certificate.is_known for p in seen.peer_certificates) == others,
            setting.observer().observe,
        )

        shown = {p.url: p.certificate for p in seen.peer_certificates}
        assert shown.pop(url).failure_code == "etcd.timeout"
        assert len(shown) == others
        assert all(answer.is_known for answer in shown.values())

    def test_what_hangs_over_several_rounds_is_not_asked_again(self, setting: Setting) -> None:
        """And is told as silent each time, until it comes back."""
        endpoint = setting.cluster["m2"].endpoint
        event = setting.hold(endpoint)
        observer = setting.observer()

        rounds = [observer.observe() for _ in range(3)]
        asked = [call for call in setting.probe.calls if call == ("visit", endpoint)]
        event.set()
        last = at(look_until(lambda seen: at(seen, endpoint).http.health.is_known, observer.observe), endpoint)

        assert len(asked) == 1
        assert all(at(seen, endpoint).http.health.failure_code == "etcd.timeout" for seen in rounds)
        assert last.http.health.is_known

    def test_member_that_hangs_in_grpc_keeps_what_it_said_before(self, setting: Setting) -> None:
        """The answer that is missing failed; those before it are kept."""
        waiting = threading.Event()
        setting.held.append(waiting)

        class Stalling(FakeEtcdConnector):
            def connect(self, endpoint: str) -> EtcdMember:  # type: ignore[override]  # a member all the same
                member = super().connect(endpoint)
                if endpoint == setting.cluster["m2"].endpoint:
                    member.member_list = lambda **_: waiting.wait(90)  # type: ignore[assignment,method-assign,return-value]
                return member

        def look() -> Observation:  # by another observer each time: one does not ask again what hangs
            return ClusterObserver(Stalling(setting.cluster), None, clock=SystemClock(), options=QUICK).observe()

        stuck = at(
            look_until(lambda seen: at(seen, setting.cluster["m2"].endpoint).status.is_known, look),
            setting.cluster["m2"].endpoint,
        )
        assert stuck.status.is_known
        assert stuck.members.failure_code == "etcd.timeout"
        assert not stuck.local_read.was_asked
        assert setting.cluster.open_connections[stuck.endpoint] == 0
