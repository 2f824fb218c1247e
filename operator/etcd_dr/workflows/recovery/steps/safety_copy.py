"""Copy a node's data directory off the node before anything on it is touched."""

from __future__ import annotations

import hashlib

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import CopyData
from etcd_dr.workflows.recovery.work import Work

_UNKNOWN_BYTES = 8 << 30


def copy_data(step: CopyData, work: Work) -> Facts:
    """Stream the directory into a tar archive here, and record its digest; a whole one that is here is kept."""
    node, path = work.node(step.node), work.place.path("copies", f"{step.node}.tar")
    before = work.progress().facts.get(step.id, {})
    if before and str(work.place.digest(path)) == before.get("digest"):
        return before
    sha256, part = hashlib.sha256(), work.ports.files.begin_file(path, overwrite=True)
    is_whole, count_bytes = False, 0

    def take(block: bytes) -> None:
        nonlocal count_bytes
        sha256.update(block)
        part.write(block)
        count_bytes += len(block)
        work.ports.progress.advance(len(block))

    try:
        node.export_data(take, deadline=work.ports.limits.copy_deadline(_UNKNOWN_BYTES))
        part.commit()
        is_whole = True
    finally:
        if not is_whole:
            part.abort()
    digest = Digest.of_sha256(sha256.digest())
    return {"digest": str(digest), "size_bytes": count_bytes, "copy": str(path)}
