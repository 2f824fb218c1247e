"""Put files back that a node lost with its disk: certificates, manifests, what the snapshot has beside the database."""

from __future__ import annotations

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.companions import CompanionFile, find_companion
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import PutCompanions
from etcd_dr.errors import SnapshotNotFound
from etcd_dr.workflows.keep_companions import read_companions
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.recovery.work import Work


def put_companions(step: PutCompanions, work: Work) -> Facts:
    """Write each file that is not there; one that is there stays as it is, whatever it holds."""
    node, files = work.node(step.node), _companions(work)
    written, kept, unknown = [], [], []
    for path in step.paths:
        file = find_companion(files, node=step.node, path=path)
        if file is None:
            unknown.append(path)
        elif node.put_file(path, file.body, mode=file.mode, deadline=work.node_deadline):
            written.append(path)
        else:
            kept.append(path)
    return {"written": ", ".join(written), "kept": ", ".join(kept), "not_in_snapshot": ", ".join(unknown)}


def _companions(work: Work) -> tuple[CompanionFile, ...]:
    snapshot = _snapshot(work)
    facts = snapshot.manifest.companions
    if facts is None:
        raise SnapshotNotFound("has no companions", subject=str(snapshot.id))
    return read_companions(work.store(), work.ports.layout, snapshot.id, facts, decoder=work.ports.decoder)


def _snapshot(work: Work) -> Snapshot:
    """Return the snapshot of the plan; where it uses none, the newest that has companions."""
    snapshots = read_catalogue(work.store(), work.ports.layout).snapshots
    source = work.plan.source
    named = source.name if source is not None and source.kind == "snapshot" else ""
    for snapshot in reversed(snapshots):
        if str(snapshot.id) == named or (not named and snapshot.manifest.companions is not None):
            return snapshot
    raise SnapshotNotFound(
        "has no snapshot with companions",
        subject=work.plan.cluster,
        next_step="Put the files back by hand, and resume.",
    )
