"""Talos' messages read into our values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2, state_pb2
from etcd_dr.domain.cluster import Alarm, Member, MemberStatus
from etcd_dr.domain.talos import (
    FileEntry,
    MountUse,
    Resource,
    ResourceKind,
    ServiceEvent,
    ServiceReport,
    TalosEvent,
)

_TEXT_LIMIT = 300


def moment(stamp: common_pb2.Timestamp) -> datetime | None:
    """Return an aware UTC moment; None for a stamp that was not set or is none."""
    if not stamp.seconds:
        return None
    try:
        return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def member_status(told: machine_pb2.EtcdMemberStatus) -> MemberStatus:
    """Talos tells no cluster id, no revision and no quota; what it calls the protocol's version is etcd's own."""
    return MemberStatus(
        cluster_id=0,
        member_id=told.member_id,
        revision=0,
        raft_term=told.raft_term,
        raft_index=told.raft_index,
        raft_applied_index=told.raft_applied_index,
        leader_id=told.leader,
        version=told.protocol_version,
        db_size_bytes=told.db_size,
        db_in_use_bytes=told.db_size_in_use or None,
        is_learner=told.is_learner,
        errors=tuple(told.errors),
        storage_version=told.storage_version or None,
    )


def members(told: machine_pb2.EtcdMembers) -> tuple[Member, ...]:
    rows = (
        Member(
            id=row.id,
            name=row.hostname,
            peer_urls=tuple(row.peer_urls),
            client_urls=tuple(row.client_urls),
            is_learner=row.is_learner,
        )
        for row in told.members
    )
    return tuple(sorted(rows, key=lambda member: member.id))


def alarms(told: machine_pb2.EtcdAlarm) -> tuple[Alarm, ...]:
    return tuple(Alarm(member_id=row.member_id, kind=_alarm_kind(row.alarm)) for row in told.member_alarms)


def service(told: machine_pb2.ServiceInfo) -> ServiceReport:
    events = tuple(ServiceEvent(e.state, e.msg[:_TEXT_LIMIT], moment(e.ts)) for e in told.events.events)
    return ServiceReport(
        id=told.id,
        state=told.state,
        is_healthy=None if told.health.unknown else told.health.healthy,
        last_message=told.health.last_message[:_TEXT_LIMIT],
        events=events,
    )


def file_entry(told: machine_pb2.FileInfo) -> FileEntry:
    changed = datetime.fromtimestamp(told.modified, UTC) if 0 < told.modified < 1 << 35 else None
    return FileEntry(
        name=told.relative_name or told.name,
        size_bytes=told.size,
        is_directory=told.is_dir,
        modified_at=changed,
        error=told.error or told.metadata.error,
    )


def mount(told: machine_pb2.MountStat) -> MountUse:
    return MountUse(told.mounted_on, told.size, told.available)


def resource(kind: ResourceKind, told: state_pb2.Resource) -> Resource:
    """Return the resource; what is not YAML stays a text."""
    try:
        spec: Any = yaml.safe_load(told.spec.yaml_spec) if told.spec.yaml_spec else None
    except (yaml.YAMLError, RecursionError):
        spec = told.spec.yaml_spec
    return Resource(kind, told.metadata.id, spec, body=first_field(told.spec.proto_spec))


def first_field(body: bytes) -> bytes:
    """Return field 1 of a protobuf message where that is bytes; empty for anything else."""
    if len(body) < 2 or body[0] != 0x0A:
        return b""
    size, shift, at = 0, 0, 1
    while at < len(body) and shift < 35:
        size |= (body[at] & 0x7F) << shift
        shift += 7
        at += 1
        if body[at - 1] < 0x80:
            return body[at : at + size] if at + size <= len(body) else b""
    return b""


def event(told: machine_pb2.Event) -> TalosEvent:
    kind = told.data.type_url.rsplit(".", 1)[-1]
    text, is_failure = _event_text(kind, told.data.value)
    return TalosEvent(told.id, told.actor_id, kind, text[:_TEXT_LIMIT], is_failure)


def _event_text(kind: str, value: bytes) -> tuple[str, bool]:
    if kind == "SequenceEvent":
        sequence = machine_pb2.SequenceEvent.FromString(value)
        if sequence.error.message or sequence.error.code:
            return f"{sequence.sequence}: {sequence.error.message}", True
        return f"{sequence.sequence} {machine_pb2.SequenceEvent.Action.Name(sequence.action).lower()}", False
    if kind == "PhaseEvent":
        phase = machine_pb2.PhaseEvent.FromString(value)
        return f"{phase.phase} {machine_pb2.PhaseEvent.Action.Name(phase.action).lower()}", False
    if kind == "ServiceStateEvent":
        state = machine_pb2.ServiceStateEvent.FromString(value)
        return f"{state.service}: {state.message}", False
    if kind == "MachineStatusEvent":
        status = machine_pb2.MachineStatusEvent.FromString(value)
        return machine_pb2.MachineStatusEvent.MachineStage.Name(status.stage).lower(), False
    return "", False


def _alarm_kind(number: int) -> str:
    known = machine_pb2.EtcdMemberAlarm.AlarmType
    return known.Name(known.ValueType(number)) if number in known.values() else f"UNKNOWN-{number}"
