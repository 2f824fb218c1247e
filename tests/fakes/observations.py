"""Observations of a made-up cluster, to be bent: m1 (leader), m2, m3 … at https://mN.example:2379, all well.

    seen = healthy(3)
    seen = silent(seen, "m2")                                # connection refused
    seen = bent(seen, "m3", status={"revision": 900})        # both status answers change
    report = evaluate(seen, cluster="prod")

Nothing here is mutable: each function returns a new observation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Member, MemberList, MemberStatus
from etcd_dr.domain.member_metrics import Histogram, MemberMetrics
from etcd_dr.domain.observation import (
    EndpointObservation,
    HttpChecks,
    HttpHealth,
    HttpProbe,
    Observation,
)
from fakes.clock import MORNING

CLUSTER_ID = 0xCDF818194E3A8C32
REFUSED = Failure("etcd.unreachable", "connection refused")
TIMED_OUT = Failure("etcd.timeout", "no answer within 3 s")
GOOD_DISK = Histogram(((0.001, 900.0), (0.008, 999.0), (0.512, 1000.0), (1.024, 1000.0), (float("inf"), 1000.0)))


def member_id(name: str) -> int:
    """Return the id of `mN`: 0x10N."""
    return 0x100 + int(name.removeprefix("m"))


def endpoint_of(name: str) -> str:
    return f"https://{name}.example:2379"


def row(name: str, *, is_learner: bool = False, has_started: bool = True) -> Member:
    """Return the row of `mN` in a member list."""
    client_urls = (endpoint_of(name),) if has_started else ()
    return Member(
        member_id(name), name if has_started else "", (f"https://{name}.example:2380",), client_urls, is_learner
    )


def member_list(*rows: Member) -> MemberList:
    return MemberList(CLUSTER_ID, rows)


def certificate(role: CertificateRole, source: str, *, days: float = 365, lifetime_days: float = 365) -> Certificate:
    """Return a certificate that holds for `days` more from MORNING on."""
    ends = MORNING + timedelta(days=days)
    return Certificate(
        role=role,
        subject="CN=etcd-ca" if role is CertificateRole.CA else f"CN={source}",
        issuer="CN=etcd-ca",
        serial=f"{role}-{source}",
        not_before=ends - timedelta(days=lifetime_days),
        not_after=ends,
        source=source,
    )


def healthy(voters: int = 3, *, learners: int = 0, at: datetime = MORNING) -> Observation:
    """Return a cluster in which nothing is wrong; learners come after the voters."""
    names = [f"m{n + 1}" for n in range(voters + learners)]
    rows = tuple(row(name, is_learner=n >= voters) for n, name in enumerate(names))
    return Observation(taken_at=at, endpoints=tuple(_answering(r, rows, names) for r in rows), seconds=0.05)


def _answering(me: Member, rows: tuple[Member, ...], names: list[str]) -> EndpointObservation:
    status = MemberStatus(
        cluster_id=CLUSTER_ID,
        member_id=me.id,
        revision=1000,
        raft_term=5,
        raft_index=2000,
        raft_applied_index=2000,
        leader_id=member_id("m1"),
        version="3.5.30",
        db_size_bytes=200 << 20,
        db_in_use_bytes=180 << 20,
        is_learner=me.is_learner,
    )
    learner = Failure("etcd", "etcdserver: rpc not supported for learner")
    refused: Answer[Any] = Answer.failed(learner)
    endpoint = endpoint_of(me.name)
    return EndpointObservation(
        endpoint=endpoint,
        status=Answer(status, seconds=0.002),
        status_again=Answer(status, seconds=0.002),
        members=refused if me.is_learner else Answer(member_list(*rows), seconds=0.002),
        local_read=Answer(1000, seconds=0.001),
        quorum_read=refused if me.is_learner else Answer(1000, seconds=0.003),
        alarms=refused if me.is_learner else Answer((), seconds=0.003),
        http=HttpProbe(
            certificate=Answer(certificate(CertificateRole.SERVER, endpoint)),
            clock=Answer(ClockReading(0.1, 0.5)),
            metrics=Answer(
                MemberMetrics(
                    version="3.5.30",
                    process_started_at=1.0,
                    has_leader=True,
                    leader_changes=1.0,
                    proposals_failed=0.0,
                    proposals_pending=0.0,
                    db_quota_bytes=float(2 << 30),
                    wal_fsync=GOOD_DISK,
                    backend_commit=GOOD_DISK,
                    active_peers={member_id(name): True for name in names if name != me.name},
                )
            ),
            live=Answer(HttpChecks(is_passed=True)),
            health=Answer(HttpHealth(is_healthy=True)),
            ready=Answer(HttpChecks(is_passed=not me.is_learner, failed=("non_learner",) if me.is_learner else ())),
        ),
    )


def _changed(seen: Observation, name: str, change: Callable[[EndpointObservation], EndpointObservation]) -> Observation:
    place = endpoint_of(name)
    assert any(e.endpoint == place for e in seen.endpoints), f"nobody observes {name}"
    return replace(seen, endpoints=tuple(change(e) if e.endpoint == place else e for e in seen.endpoints))


def bent(
    seen: Observation,
    name: str,
    *,
    status: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    http: Mapping[str, Any] | None = None,
    **answers: Answer[Any],
) -> Observation:
    """Change what one member says: fields of both its status answers, of its metrics, pages, or whole answers."""

    def change(e: EndpointObservation) -> EndpointObservation:
        assert e.status.value is not None
        assert e.http.metrics.value is not None
        told = replace(e.status.value, **(status or {}))
        pages = replace(e.http, metrics=Answer(replace(e.http.metrics.value, **(metrics or {}))), **(http or {}))
        first, again = replace(e.status, value=told), replace(e.status_again, value=told)
        return replace(e, **({"status": first, "status_again": again, "http": pages} | answers))

    return _changed(seen, name, change)


def all_bent(seen: Observation, **changes: Any) -> Observation:
    """Change what every member says, as `bent` does."""
    for e in seen.endpoints:
        if e.status.is_known:
            seen = bent(seen, e.endpoint.removeprefix("https://").partition(".")[0], **changes)
    return seen


def silent(seen: Observation, *names: str, failure: Failure = REFUSED) -> Observation:
    """Let members answer nothing at all. The others still have a leader: see `without_quorum`."""
    for name in names:
        seen = _changed(seen, name, lambda e: _mute(e, failure))
    return seen


def _mute(e: EndpointObservation, failure: Failure) -> EndpointObservation:
    failed: Answer[Any] = Answer.failed(failure)
    pages = HttpProbe(failed, failed, failed, failed, failed, failed)
    return EndpointObservation(e.endpoint, e.is_configured, status=failed, quorum_read=failed, http=pages)


def without_quorum(seen: Observation) -> Observation:
    """Let everybody who answers know no leader, and every question that needs quorum hang."""
    late: Answer[Any] = Answer.failed(TIMED_OUT)
    return all_bent(
        seen,
        status={"leader_id": 0, "errors": ("etcdserver: no leader",)},
        http={"health": Answer(HttpHealth(is_healthy=False, reason="RAFT NO LEADER"))},
        quorum_read=late,
        alarms=late,
    )


def unobserved(seen: Observation, name: str) -> Observation:
    """Take a member's endpoint out of the configuration."""
    return replace(seen, endpoints=tuple(e for e in seen.endpoints if e.endpoint != endpoint_of(name)))


def all_list(seen: Observation, *rows: Member) -> Observation:
    """Let every voter show this member list."""
    return _each(seen, lambda e: replace(e, members=Answer(member_list(*rows))) if e.members.is_known else e)


def _each(seen: Observation, change: Callable[[EndpointObservation], EndpointObservation]) -> Observation:
    return replace(seen, endpoints=tuple(change(e) for e in seen.endpoints))


def earlier(seen: Observation, *, minutes: float) -> Observation:
    """Return the same observation as if it had been made before."""
    return replace(seen, taken_at=seen.taken_at - timedelta(minutes=minutes))
