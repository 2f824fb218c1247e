"""What the store learns of a recovered cluster: its new id, and a fresh proven snapshot."""

from __future__ import annotations

from etcd_dr.domain.cluster import parse_id_text
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import AcceptClusterId, TakeSnapshot
from etcd_dr.errors import RecoveryError
from etcd_dr.workflows.claim_prefix import claim_prefix
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.recovery.work import Work
from etcd_dr.workflows.take_snapshot import take_snapshot

_WITHOUT_STORE: Facts = {"skipped": "this recovery does not write to the store"}


def accept_cluster_id(step: AcceptClusterId, work: Work) -> Facts:
    cluster_id = parse_id_text(step.cluster_id)
    if cluster_id is None:
        raise RecoveryError(f"{step.cluster_id!r} is not a cluster id", subject=work.recovery_id)
    store = work.ports.shared_store
    if store is None:
        return dict(_WITHOUT_STORE)
    claimed = claim_prefix(
        store,
        work.ports.layout,
        etcd_cluster_id=cluster_id,
        clock=work.ports.clock,
        claimed_by=work.by,
        accept_new_cluster_id=True,
    )
    return {"cluster_ids": ", ".join(claimed.marker.etcd_cluster_ids), "change": claimed.change}


def keep_both_ids(_: AcceptClusterId, __: Work) -> Facts:
    """Nothing is taken back: snapshots may exist under either id, and both stay the cluster's own."""
    return {"kept": "the store keeps both cluster ids"}


def take_fresh_snapshot(_: TakeSnapshot, work: Work) -> Facts:
    if work.ports.shared_store is None or work.ports.snapshot_pipeline is None:
        return dict(_WITHOUT_STORE)
    order = SnapshotOrder(
        layout=work.ports.layout,
        reason="recovery",
        taken_by=work.by,
        labels={"recovery": work.recovery_id},
        platform=work.plan.platform,
    )
    outcome = take_snapshot(order, ports=work.ports.snapshot_pipeline(), limits=work.ports.limits.snapshot)
    level = outcome.snapshot.level
    return {
        "snapshot_id": str(outcome.snapshot.id),
        "proven": level.value if level is not None else None,
        "revision": outcome.snapshot.manifest.database.revision,
        "failed_proofs": len(outcome.failed_proofs),
    }
