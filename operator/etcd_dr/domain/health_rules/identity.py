"""Rules on identity: that every endpoint belongs to one cluster, the right one, and each to a member of its own."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing


def several_ids(s: Situation) -> Iterator[Finding]:
    if len(s.view.cluster_ids) > 1:
        yield Finding(
            "cluster.several_ids",
            Severity.CRITICAL,
            f"the endpoints answer for {len(s.view.cluster_ids)} different clusters",
            "Stop writing through these endpoints until it is clear which cluster is the right one: a member was "
            "bootstrapped or restored apart from the others. Compare them with: etcd-dr members",
            evidence={"cluster_ids": listing(id_text(c) for c in s.view.cluster_ids), "is_clear": s.view.is_certain},
        )


def foreign(s: Situation) -> Iterator[Finding]:
    """Named only where it is clear who is foreign: with two clusters of equal size, nobody can say."""
    if s.view.cluster_id is None or not s.view.is_certain:
        return
    for endpoint in s.view.foreign:
        status = endpoint.latest_status
        yield Finding(
            "endpoint.foreign",
            Severity.CRITICAL,
            "answers for another cluster",
            "Take it out of the configuration, or rebuild the member that was started apart: remove it, move its "
            "data directory aside, add it again. Its own word: "
            + s.commands.etcdctl(endpoint.endpoint, "member", "list", "-w", "table"),
            member=endpoint.endpoint,
            evidence={
                "cluster_id": id_text(status.cluster_id) if status else None,
                "expected_cluster_id": id_text(s.view.cluster_id),
            },
        )


def unexpected_id(s: Situation) -> Iterator[Finding]:
    known = s.snapshots.marker_cluster_ids if s.snapshots else ()
    if known and s.view.cluster_id is not None and s.view.cluster_id not in known:
        yield Finding(
            "cluster.unexpected_id",
            Severity.CRITICAL,
            "this is not the cluster that the store's prefix belongs to",
            "If it is the same cluster after a recovery, say so once: etcd-dr snapshot save --accept-new-cluster-id. If "
            "it is another one, give it a cluster name of its own; and if neither, the endpoints are wrong: "
            "etcd-dr members",
            evidence={
                "cluster_id": id_text(s.view.cluster_id),
                "expected": listing(id_text(c) for c in known),
                "store": s.snapshots.store if s.snapshots else None,
            },
        )


def duplicate(s: Situation) -> Iterator[Finding]:
    for first, second in s.view.duplicates:
        if not (first.is_configured and second.is_configured):
            continue
        yield Finding(
            "endpoint.duplicate",
            Severity.WARNING,
            f"leads to the same member as {first.endpoint}",
            "Configure each member's own URL instead of a balanced or repeated one: etcd-dr members",
            member=second.endpoint,
            evidence={"same_as": first.endpoint, "is_member": s.view.label_of(first)},
        )


RULES = (
    Rule.of(several_ids, "cluster.several_ids"),
    Rule.of(unexpected_id, "cluster.unexpected_id"),
    Rule.of(foreign, "endpoint.foreign"),
    Rule.of(duplicate, "endpoint.duplicate"),
)
