"""Put files back that a node lost with its disk: certificates, manifests, what the snapshot has beside the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.companions import CompanionFile, find_companion
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import PutCompanions
from etcd_dr.errors import SnapshotNotFound
from etcd_dr.workflows.keep_companions import read_companions
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.recovery.work import Work

_MOST_READ = 24


def put_companions(step: PutCompanions, work: Work) -> Facts:
    """Write each file that is not there; one that is there stays as it is, whatever it holds.

    Each comes from the newest snapshot that has it: one that was taken since the node lost it, as by the first step of
    a replacement, has not.
    """
    node, unknown = work.node(step.node), list(step.paths)
    written: list[str] = []
    kept: list[str] = []
    for snapshot in islice(_snapshots(work), _MOST_READ):
        files = _companions(snapshot, work)
        for path in tuple(unknown):
            file = find_companion(files, node=step.node, path=path)
            if file is None:
                continue
            unknown.remove(path)
            is_new = node.put_file(path, file.body, mode=file.mode, deadline=work.node_deadline)
            (written if is_new else kept).append(path)
        if not unknown:
            break
    return {"written": ", ".join(written), "kept": ", ".join(kept), "not_in_snapshot": ", ".join(unknown)}


def _companions(snapshot: Snapshot, work: Work) -> Sequence[CompanionFile]:
    facts = snapshot.manifest.companions
    if facts is None:
        raise SnapshotNotFound("has no companions", subject=str(snapshot.id))
    return read_companions(work.store(), work.ports.layout, snapshot.id, facts, decoder=work.ports.decoder)


def _snapshots(work: Work) -> Iterator[Snapshot]:
    """Yield the snapshot of the plan; where it uses none, those that have companions, newest first."""
    source = work.plan.source
    named = source.name if source is not None and source.kind == "snapshot" else ""
    found = [
        snapshot
        for snapshot in reversed(read_catalogue(work.store(), work.ports.layout).snapshots)
        if str(snapshot.id) == named or (not named and snapshot.manifest.companions is not None)
    ]
    if not found:
        raise SnapshotNotFound(
            "has no snapshot with companions",
            subject=work.plan.cluster,
            next_step="Put the files back by hand, and resume.",
        )
    yield from found
