"""One row per member: what `members`, `health` and the metrics show of it.

The rows are the listed members, by name, followed by endpoints that belong to none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.certificate import Certificate
from etcd_dr.domain.cluster import Member, MemberStatus
from etcd_dr.domain.cluster_view import ClusterView, Seat
from etcd_dr.domain.observation import EndpointObservation, Observation


class MemberRole(StrEnum):
    """`not-started`: added to the list, never joined. `unlisted`: an endpoint that belongs to no listed member."""

    LEADER = "leader"
    FOLLOWER = "follower"
    LEARNER = "learner"
    VOTER = "voter"
    NOT_STARTED = "not-started"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True)
class MemberHealth:
    """What is known of one member. `None` is "not known"; sizes are bytes, lags are raft entries or revisions.

    `role` is `voter` for a listed voter that does not answer. `failure` says why it does not.
    """

    label: str
    role: MemberRole
    answers: bool
    endpoint: str | None = None
    member_id: int | None = None
    is_configured: bool = True
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    failure_code: str = ""
    failure: str = ""
    version: str | None = None
    has_leader: bool | None = None
    answers_quorum_read: bool | None = None
    revision: int | None = None
    revision_lag: int | None = None
    raft_term: int | None = None
    raft_applied_index: int | None = None
    applied_lag: int | None = None
    db_size_bytes: int | None = None
    db_in_use_bytes: int | None = None
    db_quota_bytes: int | None = None
    round_trip_seconds: float | None = None
    clock_offset_seconds: float | None = None
    clock_resolution_seconds: float | None = None
    certificate_not_after: datetime | None = None
    alarms: tuple[str, ...] = ()


def member_rows(
    observation: Observation, view: ClusterView, *, alarms: dict[int, tuple[str, ...]]
) -> tuple[MemberHealth, ...]:
    """Return the rows; `alarms` are the kinds raised for each member id."""
    return tuple(_rows(observation, view, alarms))


def quota_bytes(endpoint: EndpointObservation) -> int | None:
    """Return the member's database quota: from its status (3.6 and newer), else from its metrics, else None."""
    status, metrics = endpoint.latest_status, endpoint.http.metrics.value
    if status and status.db_quota_bytes:
        return status.db_quota_bytes
    return int(metrics.db_quota_bytes) if metrics and metrics.db_quota_bytes else None


def _rows(observation: Observation, view: ClusterView, alarms: dict[int, tuple[str, ...]]) -> Iterator[MemberHealth]:
    newest = max((status.revision for _, status in view.statuses), default=0)
    listed = {seat.member.id for seat in view.seats}
    for seat in sorted(view.seats, key=lambda seat: seat.label):
        expiry = _expiry(observation, seat.member.id, seat.seen)
        raised = alarms.get(seat.member.id, ())
        if seat.seen is None:
            yield _silent_seat(seat, expiry, raised)
        else:
            yield _answering(seat.seen, seat.member, newest, expiry, raised)
    for endpoint, status in view.statuses:
        if status.member_id not in listed:
            member = Member(status.member_id, "", (), (endpoint.endpoint,), status.is_learner)
            yield _answering(endpoint, member, newest, _expiry(observation, member.id, endpoint), (), listed=not listed)
    for endpoint in view.foreign:
        member = Member(view.member_id(endpoint), "", (), (endpoint.endpoint,))
        yield _answering(endpoint, member, None, _expiry(observation, -1, endpoint), (), listed=False)
    for endpoint in view.silent_strangers if view.seats else view.silent:
        yield _silent_endpoint(endpoint)


def _answering(
    endpoint: EndpointObservation,
    member: Member,
    newest: int | None,
    expiry: datetime | None,
    alarms: tuple[str, ...],
    *,
    listed: bool = True,
) -> MemberHealth:
    status, clock = endpoint.latest_status, endpoint.http.clock.value
    if status is None:
        raise ValueError(f"{endpoint.endpoint} did not answer")
    return MemberHealth(
        label=member.label,
        role=_role(status) if listed else MemberRole.UNLISTED,
        answers=True,
        endpoint=endpoint.endpoint,
        member_id=status.member_id,
        is_configured=endpoint.is_configured,
        peer_urls=member.peer_urls,
        client_urls=member.client_urls,
        version=status.version,
        has_leader=bool(status.leader_id),
        answers_quorum_read=endpoint.quorum_read.is_known if endpoint.quorum_read.was_asked else None,
        revision=status.revision or None,  # etcd begins at 1; Talos does not tell it
        revision_lag=newest - status.revision if newest and status.revision else None,
        raft_term=status.raft_term,
        raft_applied_index=status.raft_applied_index,
        applied_lag=max(0, status.raft_index - status.raft_applied_index),
        db_size_bytes=status.db_size_bytes,
        db_in_use_bytes=status.db_in_use_bytes,
        db_quota_bytes=quota_bytes(endpoint),
        round_trip_seconds=endpoint.status.seconds,
        clock_offset_seconds=clock.offset_seconds if clock else None,
        clock_resolution_seconds=clock.resolution_seconds if clock else None,
        certificate_not_after=expiry,
        alarms=alarms,
    )


def _silent_seat(seat: Seat, expiry: datetime | None, alarms: tuple[str, ...]) -> MemberHealth:
    tried = seat.tried[0] if seat.tried else None
    failure = tried.status.failure if tried else None
    standing = MemberRole.LEARNER if seat.member.is_learner else MemberRole.VOTER
    return MemberHealth(
        label=seat.label,
        role=standing if seat.has_started else MemberRole.NOT_STARTED,
        answers=False,
        endpoint=tried.endpoint if tried else None,
        member_id=seat.member.id,
        is_configured=bool(tried and tried.is_configured),
        peer_urls=seat.member.peer_urls,
        client_urls=seat.member.client_urls,
        failure_code=failure.code if failure else "",
        failure=failure.message if failure else "",
        certificate_not_after=expiry,
        alarms=alarms,
    )


def _silent_endpoint(endpoint: EndpointObservation) -> MemberHealth:
    failure = endpoint.status.failure
    return MemberHealth(
        label=endpoint.endpoint,
        role=MemberRole.UNLISTED,
        answers=False,
        endpoint=endpoint.endpoint,
        is_configured=endpoint.is_configured,
        failure_code=failure.code if failure else "",
        failure=failure.message if failure else "",
        certificate_not_after=_earliest([endpoint.http.certificate.value]),
    )


def _role(status: MemberStatus) -> MemberRole:
    if status.is_learner:
        return MemberRole.LEARNER
    return MemberRole.LEADER if status.is_leader else MemberRole.FOLLOWER


def _expiry(observation: Observation, member_id: int, endpoint: EndpointObservation | None) -> datetime | None:
    served = endpoint.http.certificate.value if endpoint else None
    peers = [p.certificate.value for p in observation.peer_certificates if p.member_id == member_id]
    return _earliest([served, *peers])


def _earliest(certificates: list[Certificate | None]) -> datetime | None:
    return min((c.not_after for c in certificates if c is not None), default=None)
