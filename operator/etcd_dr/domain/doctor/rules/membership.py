"""Rules on who is a member: counts, ghosts, learners, views that differ."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.doctor.observation import TalosObservation, label_of
from etcd_dr.domain.doctor.rules.rule import DoctorRule, items, mapping, talosctl
from etcd_dr.domain.health import Finding, Severity


def counts(seen: TalosObservation) -> Iterator[Finding]:
    voters = [m for m in seen.membership if not m.is_learner]
    if len(voters) == 1 and len(seen.membership) == 1:
        yield Finding(
            "etcd.single",
            Severity.INFO,
            "a cluster of one member tolerates no failure",
            "Take snapshots often, and keep them off this node: etcd-dr snapshot save",
        )
    elif len(voters) > 5 or (voters and len(voters) % 2 == 0):
        said = (
            f"{len(voters)} voters tolerate no more failures than {len(voters) - 1}"
            if len(voters) % 2 == 0
            else f"{len(voters)} voters make every write wait for {len(voters) // 2 + 1}"
        )
        yield Finding(
            "etcd.member_count",
            Severity.WARNING,
            said,
            "Three or five control plane nodes are right: add one, or remove one with: talosctl -n NODE reset --graceful",
            evidence={"voters": len(voters)},
        )


def differing_views(seen: TalosObservation) -> Iterator[Finding]:
    """Compared by id: names are empty for a while after a reboot (siderolabs/talos#13797)."""
    views = {n.address: frozenset(m.id for m in n.members.value) for n in seen.control_planes if n.members.value}
    if len(set(views.values())) < 2:
        return
    told = {address: ", ".join(sorted(map(id_text, ids))) for address, ids in views.items()}
    is_split = not frozenset.intersection(*views.values())
    yield Finding(
        "etcd.views_differ",
        Severity.CRITICAL,
        "members belong to different clusters" if is_split else "members do not agree on who is a member",
        "Stop and decide by hand: two bootstraps make two clusters, and only one of them may stay. Take a snapshot of "
        "each first: etcd-dr snapshot save --endpoint NODE"
        if is_split
        else "Look again in a minute; a member may be joining. If it stays, compare: talosctl etcd members on each node",
        evidence=dict(told),
    )


def ghosts(seen: TalosObservation) -> Iterator[Finding]:
    """A member on an address that no control plane node has: left over from a node that was replaced or re-addressed."""
    known = {node.host for node in seen.control_planes}
    for node in seen.nodes:
        for row in node.cluster_members.value or ():
            if mapping(row.spec).get("machineType") != "worker":
                known |= {str(address) for address in items(mapping(row.spec).get("addresses"))}
    discovery = any(n.cluster_members.value for n in seen.nodes)
    if not discovery:
        return
    for member in seen.membership:
        hosts = {urlsplit(url).hostname for url in member.peer_urls}
        if hosts and not hosts & known:
            from_node = next((n.host for n in seen.answering if n.status.is_known), "NODE")
            yield Finding(
                "etcd.ghost",
                Severity.WARNING,
                f"member {label_of(member)} is on no control plane node",
                "If its node is gone for good, remove it by its id: "
                f"{talosctl(from_node, 'etcd', 'remove-member', id_text(member.id))}",
                evidence={"peer_urls": ", ".join(member.peer_urls)},
                about=id_text(member.id),
            )


def stuck_learner(seen: TalosObservation) -> Iterator[Finding]:
    """Talos promotes a learner for ten minutes after it joined and never again (siderolabs/talos#13710)."""
    for member in seen.membership:
        if not member.is_learner:
            continue
        node = seen.node_of(member)
        service = node.service("etcd") if node else None
        started = [e.at for e in service.events if e.at and e.state == "Running"] if service else []
        minutes = (seen.taken_at - started[-1]).total_seconds() / 60 if started else None
        is_stuck = minutes is not None and minutes > 11
        voter = next((n.host for n in seen.answering if n.status.value and not n.status.value.is_learner), "VOTER")
        where = node.host if node else "NODE"
        yield Finding(
            "etcd.learner",
            Severity.WARNING if is_stuck else Severity.INFO,
            f"{label_of(member)} is a learner" + (f" for {minutes:.0f} minutes" if minutes is not None else ""),
            f"Nothing promotes it any more. Remove it, then wipe its etcd: "
            f"{talosctl(voter, 'etcd', 'remove-member', id_text(member.id))} && "
            f"{talosctl(where, 'reset', '--graceful=false', '--reboot', '--system-labels-to-wipe=EPHEMERAL')}"
            if is_stuck
            else "It is promoted within ten minutes, one learner at a time; the next one waits. Released versions take "
            "two minutes and more for each (siderolabs/talos#14097). Look again: etcd-dr doctor",
            member=node.address if node else None,
            evidence={"member_id": id_text(member.id), "minutes": round(minutes) if minutes is not None else None},
            about=id_text(member.id),
        )


def readdressed(seen: TalosObservation) -> Iterator[Finding]:
    """Peer URLs cannot be changed without quorum (siderolabs/talos#12720, #9075)."""
    for node in seen.control_planes:
        status = node.status.value
        addresses = {str(a) for a in items(mapping(node.etcd_spec.value).get("advertisedAddresses"))}
        member = next((m for m in seen.membership if status and m.id == status.member_id), None)
        if not addresses or member is None:
            continue
        hosts = {urlsplit(url).hostname for url in member.peer_urls}
        if not hosts & addresses:
            yield Finding(
                "etcd.readdressed",
                Severity.CRITICAL,
                "the node's addresses are not those that its etcd member is known by",
                "Give the node its old address back. Where that cannot be, replace the member while there is quorum; "
                "without it: etcd-dr recover plan",
                member=node.address,
                evidence={"advertised": ", ".join(sorted(addresses)), "peer_urls": ", ".join(member.peer_urls)},
            )


def unseen(seen: TalosObservation) -> Iterator[Finding]:
    """A talosconfig often names one node, and then one node is all that is looked at."""
    others = [m for m in seen.membership if seen.node_of(m) is None]
    if not seen.is_whole or not others or not seen.answering:
        return
    hosts = [urlsplit(url).hostname or "" for m in others for url in m.peer_urls[:1]]
    named = ",".join(dict.fromkeys([*(node.host for node in seen.nodes), *hosts]))
    yield Finding(
        "talos.nodes_unseen",
        Severity.INFO,
        f"{len(others)} of {len(seen.membership)} members run on nodes that were not looked at: "
        + ", ".join(map(label_of, others)),
        f"Name all control plane nodes, each by its own address: etcd-dr doctor --nodes {named}",
        evidence={"looked_at": ", ".join(node.host for node in seen.nodes)},
    )


RULES = (
    DoctorRule(unseen, ("talos.nodes_unseen",)),
    DoctorRule(counts, ("etcd.single", "etcd.member_count")),
    DoctorRule(differing_views, ("etcd.views_differ",)),
    DoctorRule(ghosts, ("etcd.ghost",)),
    DoctorRule(stuck_learner, ("etcd.learner",)),
    DoctorRule(readdressed, ("etcd.readdressed",)),
)
