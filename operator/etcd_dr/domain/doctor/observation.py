"""What one look at a Talos control plane saw: frozen, whole, and without an opinion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etcd_dr.domain.answer import NOT_ASKED, Answer
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Alarm, Member, MemberStatus, id_text
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.domain.talos import FileEntry, MountUse, Resource, ServiceReport, TalosVersion


@dataclass(frozen=True, slots=True)
class NodeObservation:
    """The answers of one node.

    `members` is its own view of the membership, `quorum_members` the answer through quorum. `data_directory` is empty
    where /var/lib/etcd has nothing in it or does not exist. `clock` is how far its clock is ahead of ours, give or take
    half the round trip. `kubernetes_authority` is the key identifier of whoever signed the certificate on port 6443.
    """

    address: str
    version: Answer[TalosVersion] = NOT_ASKED
    machine_type: Answer[str] = NOT_ASKED
    services: Answer[tuple[ServiceReport, ...]] = NOT_ASKED
    machine_status: Answer[Mapping[str, Any]] = NOT_ASKED
    time_status: Answer[Mapping[str, Any]] = NOT_ASKED
    clock: Answer[ClockReading] = NOT_ASKED
    etcd_spec: Answer[Mapping[str, Any]] = NOT_ASKED
    data_directory: Answer[tuple[FileEntry, ...]] = NOT_ASKED
    mounts: Answer[tuple[MountUse, ...]] = NOT_ASKED
    endpoints: Answer[tuple[Resource, ...]] = NOT_ASKED
    cluster_members: Answer[tuple[Resource, ...]] = NOT_ASKED
    static_pods: Answer[tuple[FileEntry, ...]] = NOT_ASKED
    pod_statuses: Answer[tuple[Resource, ...]] = NOT_ASKED
    manifests: Answer[tuple[Resource, ...]] = NOT_ASKED
    status: Answer[MemberStatus] = NOT_ASKED
    members: Answer[tuple[Member, ...]] = NOT_ASKED
    quorum_members: Answer[tuple[Member, ...]] = NOT_ASKED
    alarms: Answer[tuple[Alarm, ...]] = NOT_ASKED
    etcd_log: Answer[str] = NOT_ASKED
    kubelet_log: Answer[str] = NOT_ASKED
    kubernetes_authority: Answer[str] = NOT_ASKED
    trustd: Answer[bool] = NOT_ASKED

    @property
    def host(self) -> str:
        """The address without its port."""
        return self.address.rpartition(":")[0].strip("[]") if self.address.count(":") else self.address

    @property
    def answers(self) -> bool:
        """Whether the node answered anything at all, a refusal for want of a role included."""
        asked = (self.version, self.status, self.services)
        return any(a.is_known or a.failure_code in ("etcd.denied", "etcd") for a in asked)

    @property
    def is_worker(self) -> bool:
        return self.machine_type.value == "worker"

    def service(self, name: str) -> ServiceReport | None:
        return next((s for s in self.services.value or () if s.id == name), None)


@dataclass(frozen=True, slots=True)
class TalosObservation:
    """All nodes. `roles` and `certificate_ends_at` are those of our own certificate; `snapshots` None: not looked at.

    `is_whole`: all nodes that are known were looked at, not some that somebody chose.
    """

    taken_at: datetime
    nodes: tuple[NodeObservation, ...]
    roles: tuple[str, ...] = ()
    certificate_ends_at: datetime | None = None
    snapshots: SnapshotFacts | None = None
    is_whole: bool = True

    @property
    def control_planes(self) -> tuple[NodeObservation, ...]:
        return tuple(node for node in self.nodes if not node.is_worker)

    @property
    def answering(self) -> tuple[NodeObservation, ...]:
        return tuple(node for node in self.control_planes if node.answers)

    @property
    def has_quorum(self) -> bool | None:
        """Whether a member list came through quorum; None where nobody could be asked for one."""
        if any(node.quorum_members.is_known for node in self.nodes):
            return True
        refused = ("etcd.denied", "")
        asked = [n for n in self.control_planes if n.quorum_members.failure_code not in refused]
        return False if asked else None

    @property
    def membership(self) -> tuple[Member, ...]:
        """The best member list that anybody gave: through quorum, else of the member that applied most."""
        through = next((n.quorum_members.value for n in self.nodes if n.quorum_members.value), None)
        if through is not None:
            return through
        seen = [n for n in self.nodes if n.members.value]
        best = max(seen, key=lambda n: n.status.value.raft_applied_index if n.status.value else 0, default=None)
        return (best.members.value or ()) if best is not None else ()

    def node_of(self, member: Member) -> NodeObservation | None:
        """Return the node that a member runs on, by its id, else by its addresses."""
        by_id = next((n for n in self.nodes if n.status.value and n.status.value.member_id == member.id), None)
        if by_id is not None:
            return by_id
        urls = (*member.peer_urls, *member.client_urls)
        return next((n for n in self.nodes if any(f"//{n.host}:" in u or f"//[{n.host}]:" in u for u in urls)), None)

    def etcd_services(self) -> Iterator[tuple[NodeObservation, ServiceReport]]:
        """Yield the control planes whose service etcd is known."""
        for node in self.control_planes:
            service = node.service("etcd")
            if service is not None:
                yield node, service


def label_of(member: Member) -> str:
    """Return name and id: removals go by the id, and names may be empty after a reboot."""
    return f"{member.name or 'unnamed'} ({id_text(member.id)})"
