"""Rules on reach: who answers us, how fast, with what refusals, and who among the members sees whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.health import EvidenceValue, Finding, Severity
from etcd_dr.domain.health_rules.commands import Commands, show_certificate
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing
from etcd_dr.domain.local_faults import local_faults
from etcd_dr.domain.member_metrics import Histogram
from etcd_dr.domain.observation import EndpointObservation
from etcd_dr.errors import AccessDenied, MemberTimeout, TlsRefused

_PEER_MIN_SAMPLES = 20


def local_fault(s: Situation) -> Iterator[Finding]:
    """What is wrong here is said once, and not of each member that was not asked."""
    faults = local_faults(s.observation)
    for failure in dict.fromkeys(faults.values()):
        endpoints = [endpoint for endpoint, fault in faults.items() if fault == failure]
        yield Finding(
            "access.local_fault",
            Severity.UNKNOWN,
            f"members cannot be asked for a reason on this machine: {failure.message}",
            failure.next_step or "Look at the files of etcd.cacert, etcd.cert and etcd.key: etcd-dr members",
            evidence={"error_code": failure.code, "endpoints": listing(endpoints)},
            about=failure.message,
        )


def unreachable(s: Situation) -> Iterator[Finding]:
    ours = local_faults(s.observation)
    for seat in s.view.seats:
        if seat.seen is None and seat.tried and seat.tried[0].endpoint not in ours:
            yield _silent(s, "member.unreachable", seat.tried[0], label=seat.label, member_id=seat.member.id)


def endpoint_unreachable(s: Situation) -> Iterator[Finding]:
    ours = local_faults(s.observation)
    for endpoint in s.view.silent_strangers:
        if endpoint.endpoint in ours:
            continue
        yield _silent(s, "endpoint.unreachable", endpoint, label=endpoint.endpoint, member_id=None)


def slow(s: Situation) -> Iterator[Finding]:
    limit = s.thresholds.slow_round_trip_seconds
    for endpoint in s.view.answering:
        took: dict[str, Answer[Any]] = {"status": endpoint.status, "quorum_read": endpoint.quorum_read}
        seconds = {name: a.seconds for name, a in took.items() if a.is_known and a.seconds is not None}
        if any(value >= limit for value in seconds.values()):
            evidence: dict[str, EvidenceValue] = {f"{name}_seconds": round(value, 3) for name, value in seconds.items()}
            yield Finding(
                "member.slow",
                Severity.WARNING,
                f"needed {max(seconds.values()):.1f} s for a small answer",
                f"Look for 'apply request took too long' in its log and at its disk and CPU: {s.commands.see_the_process(endpoint.endpoint)}",
                member=s.view.label_of(endpoint),
                evidence=evidence | {"limit_seconds": limit},
            )


def not_ready(s: Situation) -> Iterator[Finding]:
    """Only where quorum is held: without it no member is ready, and quorum.* says so once for all."""
    if not s.quorum.verdict.is_held:
        return
    for endpoint in s.view.answering:
        health, ready = endpoint.http.health.value, endpoint.http.ready.value
        failed = ready.failed if ready and not ready.is_passed else ()
        is_unhealthy = health is not None and not health.is_healthy and "ALARM" not in health.reason
        if not is_unhealthy and not [check for check in failed if check != "non_learner"]:
            continue
        yield Finding(
            "member.not_ready",
            Severity.WARNING,
            "says of itself that it is not ready",
            f"Its own words: curl (with the client certificate) {endpoint.endpoint}/readyz?verbose",
            member=s.view.label_of(endpoint),
            evidence={"failed_checks": listing(failed), "reason": health.reason if health else ""},
        )


def denied(s: Situation) -> Iterator[Finding]:
    for endpoint in s.view.answering:
        asked: dict[str, Answer[Any]] = {
            "member list": endpoint.members,
            "read": endpoint.quorum_read,
            "alarms": endpoint.alarms,
        }
        refused = [name for name, answer in asked.items() if answer.failure_code == AccessDenied.code]
        if refused:
            yield Finding(
                "access.denied",
                Severity.WARNING,
                f"refuses us the {listing(refused)}",
                "Give the user of etcd-dr the role root (a snapshot needs it): etcdctl user grant-role NAME root",
                member=s.view.label_of(endpoint),
                evidence={"refused": listing(refused)},
            )


def peer_disconnected(s: Situation) -> Iterator[Finding]:
    """A peer stream that is down between two members that both answer us: their network, not ours."""
    present = {status.member_id for _, status in s.view.statuses}
    for endpoint, _ in s.view.statuses:
        metrics = endpoint.http.metrics.value
        lost = [peer for peer, active in (metrics.active_peers if metrics else {}).items() if not active]
        for peer in sorted(set(lost) & present):
            yield Finding(
                "peer.disconnected",
                Severity.WARNING,
                f"has no stream to {s.view.label(peer)}, though both answer here",
                f"Look at the network and the peer certificates between the two: {s.commands.see_the_process(endpoint.endpoint)}",
                member=s.view.label_of(endpoint),
                evidence={"peer": s.view.label(peer), "disconnects": metrics.peer_disconnects if metrics else None},
                about=s.view.label(peer),
            )


def peer_slow(s: Situation) -> Iterator[Finding]:
    for endpoint in s.view.answering:
        metrics = endpoint.http.metrics.value
        for peer, rtt in sorted((metrics.peer_round_trip if metrics else {}).items()):
            recent = _recent(s, endpoint, peer, rtt)
            p99 = recent.quantile(0.99)
            if p99 is not None and recent.count >= _PEER_MIN_SAMPLES and p99 > s.thresholds.peer_round_trip_seconds:
                yield Finding(
                    "peer.slow",
                    Severity.WARNING,
                    f"needs up to {p99:g} s to reach {s.view.label(peer)}",
                    "Look at the network between the two nodes: ping, and mtr, on the peer addresses.",
                    member=s.view.label_of(endpoint),
                    evidence={"peer": s.view.label(peer), "p99_at_most_seconds": p99, "samples": recent.count},
                    about=s.view.label(peer),
                )


def _recent(s: Situation, endpoint: EndpointObservation, peer: int, rtt: Histogram) -> Histogram:
    earlier = s.oldest_within(endpoint, s.thresholds.disk_window_seconds)
    before = earlier[1].http.metrics.value if earlier else None
    return rtt.since(before.peer_round_trip.get(peer, Histogram())) if before else rtt


def _silent(s: Situation, code: str, endpoint: EndpointObservation, *, label: str, member_id: int | None) -> Finding:
    failure = endpoint.status.failure or Failure("etcd", "was not asked")
    evidence: dict[str, EvidenceValue] = {"endpoint": endpoint.endpoint, "error_code": failure.code}
    if endpoint.http.clock.is_known:
        evidence["http"] = "answers"
    seen_by = [] if member_id is None else _seen_by(s, member_id)
    if seen_by:
        evidence["stream_from"] = listing(seen_by)
    certificate = endpoint.http.certificate.value
    if certificate is not None:
        evidence["certificate_not_after"] = certificate.not_after.isoformat()
    return Finding(
        code,
        Severity.WARNING,
        f"does not answer: {failure.message}",
        _what_to_do(failure, endpoint.endpoint, s.commands),
        member=label,
        evidence=evidence,
    )


def _seen_by(s: Situation, member_id: int) -> list[str]:
    """Return the members that still have a stream to a member which we do not reach."""
    readings = [(e, e.http.metrics.value) for e in s.view.answering]
    return [s.view.label_of(e) for e, metrics in readings if metrics and metrics.active_peers.get(member_id)]


def _what_to_do(failure: Failure, endpoint: str, commands: Commands) -> str:
    host = urlsplit(endpoint).hostname or endpoint
    if failure.code == TlsRefused.code:
        return (
            failure.next_step
            or f"Compare its certificate with the configured CA and ours with its: {show_certificate(endpoint)}"
        )
    if failure.code == AccessDenied.code:
        return "Check the user, its password and its roles: etcdctl user get NAME"
    if failure.code == MemberTimeout.code:
        return f"On {host}: the process hangs, its disk stands still, or a firewall drops packets; {commands.see_the_process(endpoint)}"
    return f"On {host}: see whether etcd runs and why it stopped: {commands.see_the_process(endpoint)}"


RULES = (
    Rule.of(local_fault, "access.local_fault"),
    Rule.of(unreachable, "member.unreachable"),
    Rule.of(endpoint_unreachable, "endpoint.unreachable"),
    Rule.of(slow, "member.slow"),
    Rule.of(not_ready, "member.not_ready"),
    Rule.of(denied, "access.denied"),
    Rule.of(peer_disconnected, "peer.disconnected"),
    Rule.of(peer_slow, "peer.slow"),
)
