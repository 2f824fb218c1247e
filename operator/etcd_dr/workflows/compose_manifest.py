"""Put together what is known of a snapshot from its file, its source and its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etcd_dr import __version__
from etcd_dr.domain.cluster import Member, MemberList, id_text
from etcd_dr.domain.database_facts import database_facts
from etcd_dr.domain.imported import stored_topology
from etcd_dr.domain.manifest import CompanionsFacts, Manifest, SourceFacts, StageFacts, TopologyMember
from etcd_dr.domain.member_choice import Candidate
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.workflows.attempt_snapshot import Received


@dataclass(frozen=True, slots=True)
class SnapshotOrder:
    """What is asked for. `endpoint` names the member; None: the best one. `reason` is a word for the manifest."""

    layout: ClusterLayout
    reason: str
    taken_by: str
    endpoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    fencing: int | None = None
    accept_new_cluster_id: bool = False
    platform: str = "etcd"


def compose_manifest(
    order: SnapshotOrder,
    source: Candidate,
    received: Received,
    *,
    member_list: MemberList | None,
    stages: tuple[StageFacts, ...],
    is_conditional: bool,
    finished_at: datetime,
    duration_seconds: float,
    companions: CompanionsFacts | None = None,
) -> Manifest:
    """Return the manifest. `is_conditional` says whether the store promises put-if-absent for it."""
    return Manifest(
        id=str(received.snapshot_id),
        cluster=order.layout.cluster,
        taken_at=received.snapshot_id.taken_at,
        finished_at=finished_at,
        taken_by=order.taken_by,
        tool_version=__version__,
        reason=order.reason,
        duration_seconds=round(duration_seconds, 3),
        source=_source_facts(source, platform=order.platform),
        topology=_topology(member_list, received),
        database=database_facts(received.status, size_bytes=received.checked.file_bytes),
        plain_digest=received.checked.plain_digest,
        trailer_digest=received.checked.trailer_digest,
        stored_digest=received.stored.digest,
        stored_size_bytes=received.stored.size_bytes,
        stages=stages,
        commit="conditional" if is_conditional else "unconditional",
        fencing=order.fencing,
        labels=dict(order.labels),
        companions=companions,
    )


def _source_facts(source: Candidate, *, platform: str) -> SourceFacts:
    status, observed = source.status, source.observed
    is_talos = platform == "talos"
    return SourceFacts(
        kind="talos" if is_talos else "etcd",
        cluster_id=None if is_talos else id_text(status.cluster_id),  # Talos does not tell etcd's
        member_id=id_text(status.member_id) if status.member_id else None,
        member_name=observed.member.name if observed.member else None,
        endpoint=observed.endpoint,
        etcd_version=status.version or None,
        platform=platform,
    )


def _topology(member_list: MemberList | None, received: Received) -> tuple[TopologyMember, ...]:
    """Return the members as the cluster tells them, or as the database has them where we may not ask."""
    if member_list is None or not member_list.members:
        return stored_topology(received.status)
    return tuple(_topology_member(member) for member in member_list.members)


def _topology_member(member: Member) -> TopologyMember:
    return TopologyMember(
        id=id_text(member.id),
        name=member.name,
        peer_urls=member.peer_urls,
        client_urls=member.client_urls,
        is_learner=member.is_learner,
    )
