"""Every rule, twice: the least that makes it fire, and the nearest thing that must leave it silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.domain.health_rules import CODES, evaluate
from etcd_dr.domain.key_count import KeyFall
from etcd_dr.domain.member_metrics import Histogram
from etcd_dr.domain.objectives import Objectives
from etcd_dr.domain.objectives.rpo import Outlook
from etcd_dr.domain.observation import EndpointObservation, HttpChecks, HttpHealth, Observation
from etcd_dr.domain.proof import HashKvWitness
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.domain.tripwire import Trip
from fakes.clock import MORNING
from fakes.objectives import standing
from fakes.observations import (
    CLUSTER_ID,
    GOOD_DISK,
    TIMED_OUT,
    all_bent,
    all_list,
    bent,
    certificate,
    earlier,
    endpoint_of,
    healthy,
    member_id,
    row,
    silent,
    unobserved,
    without_quorum,
)

SLOW_DISK = Histogram(((0.008, 10.0), (0.512, 900.0), (1.024, 1000.0), (float("inf"), 1000.0)))
TOLERABLE_DISK = Histogram(((0.008, 10.0), (0.512, 1000.0), (1.024, 1000.0), (float("inf"), 1000.0)))
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FALL = KeyFall(keys_before=2000, before_at=MORNING - HOUR, keys_after=500, at=MORNING)


def facts(**changes: Any) -> SnapshotFacts:
    known = SnapshotFacts(
        store="s3://bucket",
        interval=DAY,
        watching_since=MORNING - 30 * DAY,
        count=7,
        newest_id="n",
        newest_taken_at=MORNING,
        newest_proven_id="n",
        newest_proven_at=MORNING,
        marker_cluster_ids=(CLUSTER_ID,),
    )
    return replace(known, **changes)


def witnesses(*hashes: int) -> tuple[HashKvWitness, ...]:
    return tuple(
        HashKvWitness(member=f"m{n + 1}", revision=900, compact_revision=5, live_hash=value, file_hash=hashes[0])
        for n, value in enumerate(hashes)
    )


def own(*certificates: Any) -> Answer[Any]:
    return Answer(tuple(certificates))


def also(seen: Observation, name: str, endpoint: str) -> Observation:
    """Let one more endpoint lead to a member."""
    twin = next(e for e in seen.endpoints if e.endpoint == endpoint_of(name))
    return replace(seen, endpoints=(*seen.endpoints, replace(twin, endpoint=endpoint)))


def foreign(seen: Observation, name: str) -> Observation:
    return bent(seen, name, status={"cluster_id": 0xBAD})


@dataclass(frozen=True)
class Case:
    """`fires` and `silent` are observations; `past` and `stored` belong to both, `stored_silent` to the second."""

    code: str
    severity: Severity
    member: str | None
    fires: Observation
    silent: Observation = field(default_factory=healthy)
    past: tuple[Observation, ...] = ()
    past_silent: tuple[Observation, ...] | None = None
    stored: SnapshotFacts | None = None
    stored_silent: SnapshotFacts | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def fired(self) -> tuple[Finding, ...]:
        return self._report(self.fires, self.past, self.stored).by_code(self.code)

    def not_fired(self) -> tuple[Finding, ...]:
        past = self.past if self.past_silent is None else self.past_silent
        return self._report(self.silent, past, self.stored_silent).by_code(self.code)

    def _report(self, seen: Observation, past: tuple[Observation, ...], stored: SnapshotFacts | None) -> HealthReport:
        return evaluate(seen, cluster="prod", history=past, snapshots=stored)


W, C, U, N = Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN, Severity.INFO
M2 = endpoint_of("m2")
GONE_RTT = {member_id("m3"): SLOW_DISK}
FEW_RTT = {member_id("m3"): Histogram(((0.1, 0.0), (float("inf"), 19.0)))}
LEARNING = healthy(3, learners=1)
MANY_BUCKETS = 1 << 30

CASES = [
    Case(
        "quorum.lost",
        C,
        None,
        fires=without_quorum(silent(healthy(), "m2", "m3")),
        silent=silent(healthy(), "m2"),
        evidence={"voters": 3, "needed": 2, "answering": 1, "silent_voters": "m2, m3"},
    ),
    Case(
        "quorum.unknown",
        U,
        None,
        fires=silent(healthy(), "m1", "m2", "m3"),
        silent=without_quorum(silent(healthy(), "m2", "m3")),
        evidence={"voters": None, "answering": 0},
    ),
    Case(
        "quorum.no_tolerance",
        W,
        None,
        fires=silent(healthy(), "m3"),
        silent=silent(healthy(5), "m3"),
        evidence={"voters": 3, "answering": 2, "tolerance": 0},
    ),
    Case("quorum.no_tolerance", N, None, fires=healthy(1), name="single voter"),
    Case(
        "quorum.view_partial",
        W,
        None,
        fires=silent(healthy(5), "m3", "m4", "m5"),
        silent=silent(healthy(5), "m4", "m5"),
        evidence={"answering": 2, "needed": 3, "tolerance": None},
    ),
    Case("quorum.even_voters", W, None, fires=healthy(4), silent=healthy(3, learners=1), evidence={"voters": 4}),
    Case("leader.none", C, None, fires=without_quorum(healthy()), silent=silent(healthy(), "m1", "m2", "m3")),
    Case(
        "leader.several",
        C,
        None,
        fires=bent(healthy(), "m3", status={"leader_id": member_id("m3")}),
        silent=bent(healthy(), "m3", status={"leader_id": 0}),
        evidence={"leaders": "m1, m3"},
    ),
    Case(
        "leader.several",
        W,
        None,
        fires=bent(healthy(), "m3", status={"leader_id": member_id("m3"), "raft_term": 6}),
        name="terms differ",
    ),
    Case(
        "member.isolated",
        W,
        "m3",
        fires=bent(healthy(), "m3", status={"leader_id": 0}),
        silent=without_quorum(healthy()),
    ),
    Case(
        "leader.changes",
        W,
        None,
        fires=bent(healthy(), "m2", metrics={"leader_changes": 5.0}),
        silent=bent(healthy(), "m2", metrics={"leader_changes": 4.0}),
        past=(earlier(healthy(), minutes=59),),
        evidence={"changes": 4.0},
    ),
    Case(
        "cluster.several_ids",
        C,
        None,
        fires=foreign(healthy(), "m3"),
        evidence={"cluster_ids": "bad, cdf818194e3a8c32", "is_clear": True},
    ),
    Case(
        "cluster.unexpected_id",
        C,
        None,
        fires=healthy(),
        stored=facts(marker_cluster_ids=(0xABC,)),
        stored_silent=facts(marker_cluster_ids=(0xABC, CLUSTER_ID)),
        evidence={"expected": "abc", "cluster_id": "cdf818194e3a8c32"},
    ),
    Case(
        "endpoint.foreign",
        C,
        endpoint_of("m3"),
        fires=foreign(healthy(), "m3"),
        silent=bent(healthy(2), "m2", status={"cluster_id": 0xBAD}),  # one against one: nobody can say who is foreign
        evidence={"cluster_id": "bad"},
    ),
    Case(
        "endpoint.duplicate",
        W,
        "https://vip.example:2379",
        fires=also(healthy(), "m2", "https://vip.example:2379"),
        evidence={"same_as": M2, "is_member": "m2"},
    ),
    Case(
        "alarm.nospace",
        C,
        "m2",
        fires=bent(healthy(), "m1", alarms=Answer((Alarm(member_id("m2"), "NOSPACE"),))),
        evidence={"told_by": endpoint_of("m1"), "member_is_listed": True},
    ),
    Case(
        "alarm.corrupt",
        C,
        "m3",
        fires=bent(healthy(), "m1", status={"errors": (f"memberID:{member_id('m3')}  alarm:CORRUPT ",)}),
        silent=bent(healthy(), "m1", status={"errors": ("etcdserver: no leader",)}),
    ),
    Case("alarm.other", C, "m2", fires=bent(healthy(), "m1", alarms=Answer((Alarm(member_id("m2"), "UNKNOWN-7"),)))),
    Case(
        "members.diverged",
        C,
        None,
        fires=bent(healthy(), "m3", status={"revision": 999}),
        silent=bent(healthy(), "m3", status={"revision": 999, "raft_applied_index": 1999}),
        past=(earlier(bent(healthy(), "m3", status={"revision": 999}), minutes=1),),
        evidence={"m3": "revision 999 at index 2000", "m1": "revision 1000 at index 2000"},
    ),
    Case("members.diverged", W, None, fires=bent(healthy(), "m3", status={"revision": 999}), name="seen once"),
    Case(
        "members.diverged",
        C,
        None,
        fires=healthy(),
        stored=facts(witnesses=witnesses(1, 1, 2)),
        stored_silent=facts(witnesses=witnesses(1, 1, 1)),
        evidence={"m3": "hash 2 at revision 900"},
        name="hashes",
    ),
    Case(
        "members.lists_differ",
        W,
        "m3",
        fires=bent(
            healthy(),
            "m3",
            status={"raft_applied_index": 1990},
            members=Answer(replace(healthy().endpoints[0].members.value, members=(row("m1"), row("m3")))),  # type: ignore[type-var]
        ),
        evidence={"missing_here": "m2 (voter, https://m2.example:2380)", "only_here": ""},
    ),
    Case(
        "member.never_started",
        W,
        f"{member_id('m4'):x}",
        fires=all_list(healthy(), row("m1"), row("m2"), row("m3"), row("m4", has_started=False)),
        evidence={"is_learner": False},
    ),
    Case(
        "member.not_listed",
        W,
        endpoint_of("m3"),
        fires=all_list(healthy(), row("m1"), row("m2")),
    ),
    Case("member.learner", N, "m4", fires=LEARNING, evidence={"entries_behind": 0}),
    Case(
        "member.learner_stuck",
        W,
        "m4",
        fires=bent(LEARNING, "m4", status={"raft_applied_index": 1500}),
        silent=LEARNING,
        past=(earlier(LEARNING, minutes=15), earlier(LEARNING, minutes=7)),
        past_silent=(earlier(healthy(4), minutes=20), earlier(LEARNING, minutes=14)),
        evidence={"entries_behind": 500},
    ),
    Case(
        "member.unwatched",
        W,
        "m3",
        fires=unobserved(healthy(), "m3"),
        silent=silent(healthy(), "m3"),
        evidence={"client_urls": endpoint_of("m3")},
    ),
    Case(
        "member.unreachable",
        W,
        "m3",
        fires=silent(healthy(), "m3"),
        silent=unobserved(healthy(), "m3"),
        evidence={"endpoint": endpoint_of("m3"), "error_code": "etcd.unreachable", "stream_from": "m1, m2"},
    ),
    Case(
        "endpoint.unreachable",
        W,
        "https://old.example:2379",
        fires=replace(
            healthy(),
            endpoints=(
                *healthy().endpoints,
                EndpointObservation("https://old.example:2379", status=Answer.failed(TIMED_OUT)),
            ),
        ),
        silent=silent(healthy(), "m3"),
        evidence={"error_code": "etcd.timeout"},
    ),
    Case(
        "member.slow",
        W,
        "m2",
        fires=bent(healthy(), "m2", quorum_read=Answer(1000, seconds=1.0)),
        silent=bent(healthy(), "m2", quorum_read=Answer(1000, seconds=0.99)),
        evidence={"quorum_read_seconds": 1.0},
    ),
    Case(
        "member.not_ready",
        W,
        "m2",
        fires=bent(healthy(), "m2", http={"ready": Answer(HttpChecks(is_passed=False, failed=("data_corruption",)))}),
        silent=LEARNING,
        evidence={"failed_checks": "data_corruption"},
    ),
    Case(
        "member.not_ready",
        W,
        "m2",
        fires=bent(healthy(), "m2", http={"health": Answer(HttpHealth(is_healthy=False, reason="QGET ERROR"))}),
        silent=bent(healthy(), "m2", http={"health": Answer(HttpHealth(is_healthy=False, reason="ALARM NOSPACE"))}),
        name="/health",
    ),
    Case(
        "access.local_fault",
        U,
        None,
        fires=silent(healthy(), "m1", "m2", "m3", failure=Failure("config", "the client key cannot be read")),
        silent=silent(healthy(), "m1", "m2", "m3"),
        evidence={"error_code": "config"},
    ),
    Case(
        "access.denied",
        W,
        "m2",
        fires=bent(healthy(), "m2", alarms=Answer.failed(Failure("etcd.denied", "permission denied"))),
        silent=bent(healthy(), "m2", alarms=Answer.failed(TIMED_OUT)),
        evidence={"refused": "alarms"},
    ),
    Case(
        "peer.disconnected",
        W,
        "m2",
        fires=bent(healthy(), "m2", metrics={"active_peers": {member_id("m3"): False, member_id("m1"): True}}),
        silent=bent(
            silent(healthy(), "m3"), "m2", metrics={"active_peers": {member_id("m3"): False, member_id("m1"): True}}
        ),
        evidence={"peer": "m3"},
    ),
    Case(
        "peer.slow",
        W,
        "m2",
        fires=bent(healthy(), "m2", metrics={"peer_round_trip": GONE_RTT}),
        silent=bent(healthy(), "m2", metrics={"peer_round_trip": FEW_RTT}),
        evidence={"peer": "m3", "p99_at_most_seconds": 1.024},
    ),
    Case(
        "member.applied_lag",
        W,
        "m2",
        fires=bent(healthy(), "m2", status={"raft_index": 3000}),
        silent=bent(healthy(), "m2", status={"raft_index": 2999}),
    ),
    Case("member.applied_lag", C, "m2", fires=bent(healthy(), "m2", status={"raft_index": 7000}), name="refuses"),
    Case(
        "member.revision_lag",
        W,
        "m2",
        fires=bent(healthy(), "m1", status={"revision": 11_000}),
        silent=bent(healthy(), "m1", status={"revision": 10_999}),
        evidence={"revision": 1000, "newest_revision": 11_000},
    ),
    Case(
        "proposals.failing",
        W,
        "m2",
        fires=bent(healthy(), "m2", metrics={"proposals_failed": 5.0}),
        silent=bent(healthy(), "m2", metrics={"proposals_failed": 4.0}),
        past=(earlier(healthy(), minutes=15),),
    ),
    Case(
        "certificate.expired",
        C,
        "m2",
        fires=bent(healthy(), "m2", http={"certificate": Answer(certificate(CertificateRole.SERVER, M2, days=-1))}),
        silent=bent(healthy(), "m2", http={"certificate": Answer(certificate(CertificateRole.SERVER, M2, days=0.1))}),
        evidence={"role": "server", "source": M2},
    ),
    Case(
        "certificate.expiring",
        W,
        "/client.crt",
        fires=replace(healthy(), own_certificates=own(certificate(CertificateRole.CLIENT, "/client.crt", days=29.9))),
        silent=replace(healthy(), own_certificates=own(certificate(CertificateRole.CLIENT, "/client.crt", days=30.1))),
        evidence={"role": "client"},
    ),
    Case(
        "certificate.expiring",
        C,
        "/ca.crt",
        fires=replace(
            healthy(),
            own_certificates=own(certificate(CertificateRole.CA, "/ca.crt", days=29, lifetime_days=3650)),
        ),
        silent=replace(
            healthy(),
            own_certificates=own(certificate(CertificateRole.CA, "/ca.crt", days=91, lifetime_days=3650)),
        ),
        name="authority",
    ),
    Case(
        "certificate.not_yet_valid",
        C,
        "m2",
        fires=bent(
            healthy(),
            "m2",
            http={"certificate": Answer(certificate(CertificateRole.SERVER, M2, days=366, lifetime_days=365))},
        ),
    ),
    Case(
        "certificate.unreadable",
        W,
        None,
        fires=replace(healthy(), own_certificates=Answer.failed(Failure("config", "/client.crt: no such file"))),
    ),
    Case(
        "snapshot.damaged_newest",
        C,
        None,
        fires=healthy(),
        stored=facts(newest_damage="stored: digest differs"),
        stored_silent=facts(),
    ),
    Case(
        "snapshot.never",
        C,
        None,
        fires=healthy(),
        stored=facts(count=3, newest_proven_at=None),
        stored_silent=facts(count=1, interval=None),
        evidence={"snapshots": 3},
    ),
    Case(
        "snapshot.stale",
        W,
        None,
        fires=healthy(),
        stored=facts(newest_proven_at=MORNING - 1.5 * DAY),
        stored_silent=facts(newest_proven_at=MORNING - 1.49 * DAY),
        evidence={"age_seconds": 129_600},
    ),
    Case(
        "snapshot.stale", C, None, fires=healthy(), stored=facts(newest_proven_at=MORNING - 2 * DAY), name="two missed"
    ),
    Case(
        "snapshot.unreadable", W, None, fires=healthy(), stored=facts(unreadable=1), stored_silent=facts(unreadable=0)
    ),
    Case(
        "drill.stale",
        W,
        None,
        fires=healthy(),
        stored=facts(drilled_at=MORNING - 11 * DAY, drill_max_age=10 * DAY),
        stored_silent=facts(drilled_at=MORNING - 10 * DAY, drill_max_age=10 * DAY),
        evidence={"max_age_seconds": 864_000},
    ),
    Case(
        "drill.stale",
        W,
        None,
        fires=healthy(),
        stored=facts(drill_max_age=10 * DAY),
        stored_silent=facts(),
        name="never drilled",
    ),
    Case(
        "objective.rpo_broken",
        C,
        None,
        fires=healthy(),
        stored=facts(objectives=standing(HOUR, objectives=Objectives(rpo=HOUR - timedelta(seconds=1)))),
        stored_silent=facts(objectives=standing(HOUR, objectives=Objectives(rpo=HOUR))),
        evidence={"age_seconds": 3600.0},
    ),
    Case(
        "objective.rpo_at_risk",
        W,
        None,
        fires=healthy(),
        stored=facts(
            objectives=standing(HOUR, objectives=Objectives(rpo=2 * HOUR), outlook=Outlook(MORNING + 1.01 * HOUR))
        ),
        stored_silent=facts(
            objectives=standing(HOUR, objectives=Objectives(rpo=2 * HOUR), outlook=Outlook(MORNING + HOUR))
        ),
        evidence={"projected_seconds": 7236.0},
    ),
    Case(
        "objective.schedule_too_slow",
        W,
        None,
        fires=healthy(),
        stored=facts(
            objectives=standing(HOUR, objectives=Objectives(rpo=2 * HOUR), outlook=Outlook(longest_gap=2.1 * HOUR))
        ),
        stored_silent=facts(
            objectives=standing(HOUR, objectives=Objectives(rpo=2 * HOUR), outlook=Outlook(longest_gap=2 * HOUR))
        ),
        evidence={"schedule_seconds": 7560.0},
    ),
    Case(
        "objective.rpo_budget_spent",
        W,
        None,
        fires=healthy(),
        stored=facts(
            objectives=standing(HOUR, 4 * HOUR, objectives=Objectives(rpo=2 * HOUR, rpo_share=0.75, window=4 * HOUR))
        ),
        stored_silent=facts(
            objectives=standing(HOUR, 4 * HOUR, objectives=Objectives(rpo=2 * HOUR, rpo_share=0.74, window=4 * HOUR))
        ),
        evidence={"missed_seconds": 3600, "breaches": 1},
    ),
    Case(
        "objective.rto_broken",
        W,
        None,
        fires=healthy(),
        stored=facts(objectives=standing(HOUR, objectives=Objectives(rto=timedelta(seconds=99)), drill_seconds=100.0)),
        stored_silent=facts(
            objectives=standing(HOUR, objectives=Objectives(rto=timedelta(seconds=100)), drill_seconds=100.0)
        ),
        evidence={"expected_seconds": 100.0, "basis": "drill"},
    ),
    Case(
        "objective.rto_at_risk",
        W,
        None,
        fires=healthy(),
        stored=facts(objectives=standing(HOUR, objectives=Objectives(rto=timedelta(seconds=125)), drill_seconds=100.0)),
        stored_silent=facts(
            objectives=standing(HOUR, objectives=Objectives(rto=timedelta(seconds=126)), drill_seconds=100.0)
        ),
        evidence={"measured_seconds": 100.0},
    ),
    Case(
        "objective.rto_unmeasured",
        N,
        None,
        fires=healthy(),
        stored=facts(objectives=standing(HOUR, objectives=Objectives(rto=HOUR))),
        stored_silent=facts(objectives=standing(HOUR, objectives=Objectives())),
        evidence={"basis": "estimate"},
    ),
    Case(
        "data.mass_deletion",
        C,
        None,
        fires=healthy(),
        stored=facts(trip=Trip(FALL, "20260820T020000Z-aaaa", MORNING, "20260820T030000Z-bbbb")),
        stored_silent=facts(),
        evidence={"keys_before": 2000, "keys_after": 500, "lost_percent": 75.0, "pinned_id": "20260820T020000Z-aaaa"},
    ),
    Case(
        "data.keys_uncounted",
        N,
        None,
        fires=healthy(),
        stored=facts(keys_failure=Failure("etcd.denied", "permission denied")),
        stored_silent=facts(),
        evidence={"error_code": "etcd.denied"},
    ),
    Case(
        "store.marker_damaged",
        C,
        None,
        fires=healthy(),
        stored=facts(marker_failure=Failure("manifest.invalid", "does not parse")),
        stored_silent=facts(),
        evidence={"error_code": "manifest.invalid"},
    ),
    Case(
        "store.unreachable",
        W,
        None,
        fires=healthy(),
        stored=facts(failure=Failure("store.unreachable", "no route")),
        stored_silent=facts(),
        evidence={"error_code": "store.unreachable"},
    ),
    Case(
        "db.near_quota",
        W,
        "m2",
        fires=bent(healthy(), "m2", status={"db_size_bytes": int(0.76 * (2 << 30))}),
        silent=bent(healthy(), "m2", status={"db_size_bytes": int(0.74 * (2 << 30))}),
        evidence={"quota_bytes": 2 << 30},
    ),
    Case(
        "db.near_quota",
        C,
        "m2",
        fires=bent(healthy(), "m2", status={"db_size_bytes": 90, "db_quota_bytes": 100}),
        name="quota from status",
    ),
    Case(
        "db.growing",
        W,
        "m2",
        fires=bent(healthy(), "m2", status={"db_size_bytes": MANY_BUCKETS + (200 << 20)}),
        silent=bent(healthy(), "m2", status={"db_size_bytes": 210 << 20}),
        past=(earlier(healthy(), minutes=120),),
        evidence={"grown_bytes": MANY_BUCKETS, "within_seconds": 7200},
    ),
    Case(
        "db.fragmented",
        W,
        "m2",
        fires=bent(healthy(), "m2", status={"db_size_bytes": 250 << 20, "db_in_use_bytes": 101 << 20}),
        silent=bent(healthy(), "m2", status={"db_size_bytes": 250 << 20, "db_in_use_bytes": 99 << 20}),
    ),
    Case(
        "disk.slow_fsync",
        C,
        "m2",
        fires=bent(healthy(), "m2", metrics={"wal_fsync": SLOW_DISK}),
        silent=bent(healthy(), "m2", metrics={"wal_fsync": GOOD_DISK}),
        evidence={"p99_at_most_seconds": 1.024, "window_seconds": None},
    ),
    Case("disk.slow_fsync", W, "m2", fires=bent(healthy(), "m2", metrics={"wal_fsync": TOLERABLE_DISK}), name="warns"),
    Case("disk.slow_commit", W, "m2", fires=bent(healthy(), "m2", metrics={"backend_commit": SLOW_DISK})),
    Case(
        "clock.skew",
        W,
        "m2",
        fires=bent(healthy(), "m2", http={"clock": Answer(ClockReading(-1.6, 0.5))}),
        silent=bent(healthy(), "m2", http={"clock": Answer(ClockReading(-1.4, 0.5))}),
        evidence={"offset_seconds": -1.6},
    ),
    Case(
        "clock.skew",
        C,
        "m2",
        fires=bent(healthy(), "m2", http={"clock": Answer(ClockReading(31.0, 0.5))}),
        name="far off",
    ),
    Case(
        "member.version_affected",
        W,
        "m2",
        fires=bent(healthy(), "m2", status={"version": "3.5.2"}),
        silent=bent(healthy(), "m2", status={"version": "3.5.24"}),
        evidence={"version": "3.5.2"},
    ),
    Case(
        "member.version_mixed",
        N,
        None,
        fires=bent(healthy(), "m2", status={"version": "3.5.24"}),
        evidence={"m2": "3.5.24"},
    ),
    Case(
        "member.version_mixed",
        W,
        None,
        fires=bent(healthy(), "m2", status={"version": "3.6.8"}),
        past=(earlier(bent(healthy(), "m2", status={"version": "3.6.8"}), minutes=61),),
        name="upgrade never finished",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}".strip())
def test_rule_fires_with_its_severity_member_and_evidence(case: Case) -> None:
    """The situation brings exactly the finding that docs/health.md promises for it."""
    findings = case.fired()

    assert [f.severity for f in findings][:1] == [case.severity], findings
    assert findings[0].member == case.member
    assert {key: findings[0].evidence.get(key) for key in case.evidence} == dict(case.evidence)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}".strip())
def test_rule_stays_silent_next_to_its_limit(case: Case) -> None:
    """The nearest harmless situation does not bring the finding."""
    assert case.not_fired() == ()


def test_every_code_has_a_case() -> None:
    """No rule is without a test that it fires."""
    assert {case.code for case in CASES} == set(CODES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}".strip())
def test_finding_tells_a_person_what_was_seen_and_what_to_do(case: Case) -> None:
    """Summaries are lowercase sentences without a full stop; next steps are there, and hold no line breaks."""
    for finding in case.fired():
        assert finding.summary
        assert not finding.summary.endswith(".")
        assert "\n" not in finding.summary + finding.next_step
        assert len(finding.next_step) > 20


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}".strip())
def test_no_two_findings_of_a_report_are_the_same_one(case: Case) -> None:
    """A watch tells what is new by identity, so two findings with one identity would hide each other."""
    report = evaluate(case.fires, cluster="prod", history=case.past, snapshots=case.stored)

    identities = [f.identity for f in report.findings]
    assert len(identities) == len(set(identities))


def test_nothing_is_found_in_a_healthy_cluster() -> None:
    """A cluster in which all is well has an empty report and exit status 0."""
    report = evaluate(healthy(), cluster="prod", snapshots=facts(), history=(earlier(healthy(), minutes=60),))

    assert report.findings == ()
    assert (report.severity, report.exit_status) == (Severity.OK, 0)


Bend = Callable[[Observation], Observation]


@pytest.mark.parametrize("bend", [lambda o: o, lambda o: all_bent(o, status={"revision": 5})])
def test_equal_members_are_not_diverged_whatever_they_hold(bend: Bend) -> None:
    """Divergence is about differences only."""
    seen = bend(healthy(5))

    assert evaluate(seen, cluster="prod", history=(earlier(seen, minutes=1),)).by_code("members.diverged") == ()
