"""Stories that take several rounds: elections, divergence, certificates, a damaged snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.health import Severity
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from fakes.clock import MORNING
from scenarios.health_world import HealthWorld, codes


def expiring(world: HealthWorld, url: str, role: CertificateRole, *, days: float) -> Certificate:
    now = world.clock.now()
    return Certificate(role, f"CN={url}", "CN=etcd-ca", url, now - timedelta(days=300), now + timedelta(days=days), url)


def test_replica_that_diverged_is_certain_in_the_second_round() -> None:
    """Equal index, other revision: a warning first, critical when it stays."""
    world = HealthWorld()
    world.cluster["m3"].revision -= 7

    first, second = world.round(), world.round()

    assert [f.severity for f in first.by_code("members.diverged")] == [Severity.WARNING]
    assert [f.severity for f in second.by_code("members.diverged")] == [Severity.CRITICAL]
    raised = [t.fields["severity"] for t in world.events.of("health.raised")]
    assert raised == ["warning", "critical"]  # a finding that got worse is told again


def test_elections_within_the_hour_add_up() -> None:
    """Each alone is no finding; four within an hour are."""
    world = HealthWorld(every=600)
    found = []
    for changes in range(1, 6):
        for name in ("m1", "m2", "m3"):
            world.metrics(name, leader_changes=float(changes))
        found.append("leader.changes" in codes(world.round()))

    assert found == [False, False, False, False, True]


def test_peer_certificates_are_looked_at_once_an_hour_and_remembered() -> None:
    """A visit may end up in a member's log; the finding stays meanwhile."""
    world = HealthWorld()
    url = "https://m2.example:2380"
    world.probe.certificates[url] = expiring(world, url, CertificateRole.PEER, days=3)

    reports = [world.round() for _ in range(100)]

    looks = [u for method, u in world.probe.calls if (method, u) == ("certificate", url)]
    assert len(looks) == 1
    assert all(codes(r) == {"certificate.expiring"} for r in reports)

    world.round(after=1000)
    assert len([u for method, u in world.probe.calls if (method, u) == ("certificate", url)]) == 2


def test_renewed_certificate_clears_its_finding() -> None:
    """Also where it was remembered, with the next look."""
    world = HealthWorld(every=3600)
    url = "https://m2.example:2380"
    world.probe.certificates[url] = expiring(world, url, CertificateRole.PEER, days=3)
    before = world.round()

    world.probe.certificates[url] = expiring(world, url, CertificateRole.PEER, days=365)

    assert codes(before) == {"certificate.expiring"}
    assert codes(world.round()) == set()


def test_expired_server_certificate_is_told_beside_the_member_it_makes_unreachable() -> None:
    """The cause stands next to the effect."""
    world = HealthWorld()
    member = world.cluster["m2"]
    member.tls_problem = "certificate has expired"
    world.probe.certificates[member.endpoint] = expiring(world, member.endpoint, CertificateRole.SERVER, days=-1)

    report = world.round()

    assert {"certificate.expired", "member.unreachable", "quorum.no_tolerance"} == codes(report)
    [unreachable] = report.by_code("member.unreachable")
    assert unreachable.evidence["error_code"] == "etcd.tls"
    assert "openssl s_client" in unreachable.next_step


def test_findings_of_one_member_are_told_one_by_one() -> None:
    """A server and a peer certificate of the same member are two findings, and renewing one clears one."""
    world = HealthWorld(every=3600)
    member = world.cluster["m2"]
    for url, role in ((member.endpoint, CertificateRole.SERVER), (member.row.peer_urls[0], CertificateRole.PEER)):
        world.probe.certificates[url] = expiring(world, url, role, days=3)
    world.round()

    del world.probe.certificates[member.endpoint]
    world.round()

    assert len(world.events.of("health.raised")) == 2
    assert len(world.events.of("health.cleared")) == 1


def test_skewed_clock_of_one_member_is_told_as_its_own() -> None:
    """Leases and certificates depend on it, and etcd has no metric for it."""
    world = HealthWorld()
    world.probe.clock_offsets["m3"] = -45.0

    [finding] = world.round().by_code("clock.skew")

    assert (finding.member, finding.severity) == ("m3", Severity.CRITICAL)


def test_snapshots_age_with_the_schedule_and_the_store_may_be_away() -> None:
    """Stale by the interval; unknown, and said so, while the store does not answer."""
    world = HealthWorld(every=1)
    facts = SnapshotFacts(
        "s3://b", interval=timedelta(hours=6), count=3, newest_id="a", newest_proven_id="a", newest_proven_at=MORNING
    )
    world.stored = facts
    fresh = world.round()
    late = world.round(after=9 * 3600)
    later = world.round(after=3 * 3600)

    world.stored = replace(facts, failure=Failure("store.unreachable", "no route to host"))
    away = world.round()

    assert codes(fresh) == set()
    assert [f.severity for f in late.by_code("snapshot.stale")] == [Severity.WARNING]
    assert [f.severity for f in later.by_code("snapshot.stale")] == [Severity.CRITICAL]
    assert codes(away) == {"store.unreachable"}


def test_old_version_without_check_pages_is_not_held_against_a_member() -> None:
    """3.4.23 has no /livez and /readyz."""
    world = HealthWorld()
    for member in world.cluster.members:
        member.version = "3.4.23"

    assert codes(world.round()) == {"member.version_affected"}


def test_rounds_over_a_whole_day_stay_the_same_size() -> None:
    """The watch does not grow, and an unchanging cluster stays without findings."""
    world = HealthWorld(every=300)

    for _ in range(288):
        assert world.round().findings == ()
    assert [t.event for t in world.events.told if t.event != "health.checked"] == []
