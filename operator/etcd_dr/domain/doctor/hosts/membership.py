"""Rules on who is a member and who is a node: one for each other, and nobody left over."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.doctor.hosts.observation import HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity


def members_without_nodes(seen: HostsObservation) -> Iterator[Finding]:
    if not seen.members or any(n.etcd is None for n in seen.nodes):
        return  # the node that could not be read may be the one
    found = {member.id for node in seen.nodes if (member := seen.member_of(node)) is not None}
    for member in seen.members:
        if member.id not in found:
            yield Finding(
                "member.no_node",
                Severity.WARNING,
                f"the member {member.label} ({id_text(member.id)}) runs on none of these nodes",
                "It counts towards quorum. If its node is gone for good, remove it by its id, never by a name: etcdctl "
                f"member remove {id_text(member.id)}. If the node exists, add it to control_plane.nodes.",
                member=member.label,
                evidence={"peer_urls": ", ".join(member.peer_urls), "is_learner": member.is_learner},
            )


def nodes_without_members(seen: HostsObservation) -> Iterator[Finding]:
    if not seen.members:
        return
    for node in seen.nodes:
        if node.etcd is None or not node.etcd.settings or seen.member_of(node) is not None:
            continue
        has_data = node.data is not None and not node.data.is_empty
        yield Finding(
            "node.no_member",
            Severity.WARNING,
            f"this node starts an etcd ({node.etcd.name}) that is no member"
            + (", and has data of a member that was removed" if has_data else ""),
            "It was removed, or never added. Let it join anew: etcd-dr recover plan"
            + (". Its old data must be set aside first, which the plan does." if has_data else ""),
            member=node.name,
            evidence={
                "peer_urls": ", ".join(node.etcd.urls("initial-advertise-peer-urls")) or None,
                "member_id": id_text(node.data.member_id) if node.data and node.data.member_id else None,
            },
        )


RULES = (
    HostRule(members_without_nodes, ("member.no_node",)),
    HostRule(nodes_without_members, ("node.no_member",)),
)
