"""Take a survivor's data here: over its API while it serves, else its database file from its stopped node.

Over the API the stream is checked as for a snapshot, and its hash is compared with what the member itself answers. A
file from the node has no trailer and is given one once every page was read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import FetchSurvivor
from etcd_dr.errors import EtcdError, SnapshotDamaged
from etcd_dr.workflows.receive_stream import receive_stream
from etcd_dr.workflows.recovery.steps.source import append_trailer, fetched_facts, must_bump, sound, source_file
from etcd_dr.workflows.recovery.steps.talos_nodes import read_survivor as read_survivor_on_talos
from etcd_dr.workflows.recovery.work import Work

_FALLBACK_BYTES = 8 << 30


def fetch_survivor(step: FetchSurvivor, work: Work) -> Facts:
    """Take the survivor's database: over its API while it serves, else from its node while it is stopped."""
    path = source_file(work)
    digest = _stream_survivor(step, work, path) if step.endpoint else None
    was_streamed = digest is not None
    if digest is None:
        read = _read_survivor if work.ports.talos is None else read_survivor_on_talos
        digest = read(step, work, path)
    examination = boltdb.examine(path, with_hash_kv=True, before_bump=must_bump(work), check_trailer=True)
    status = sound(examination, subject=f"member {step.member}")
    is_equal = _equals_live(step, work, path, status) if was_streamed else None
    if not examination.trailer.present:
        digest = append_trailer(work, path)
    facts = fetched_facts(work, path, examination, status, digest=digest)
    return facts | {"member": step.member, "equals_live_hash": is_equal}


def _stream_survivor(step: FetchSurvivor, work: Work, path: Path) -> Digest | None:
    """Stream from a member that serves; None where it does not answer any more and its node must be asked."""
    limits, part = work.ports.limits.snapshot, work.ports.files.begin_file(path, overwrite=True)
    is_whole = False
    try:
        with work.member(step.endpoint) as member:
            size_bytes = member.status(deadline=limits.call_deadline).db_size_bytes
            total_deadline = limits.stream_deadline(size_bytes)
            with member.snapshot(stall_deadline=limits.stall_deadline, total_deadline=total_deadline) as stream:
                checked = receive_stream(
                    stream,
                    part.write,
                    subject=step.endpoint,
                    cancellation=work.ports.cancellation,
                    progress=work.ports.progress,
                    on_first_message=lambda: None,
                )
        part.commit()
        is_whole = True
    except EtcdError as error:
        work.warn("recovery.survivor_api_failed", node=step.node or step.member, error=error)
        return None
    finally:
        if not is_whole:
            part.abort()
    return checked.plain_digest


def _equals_live(step: FetchSurvivor, work: Work, path: Path, status: DatabaseStatus) -> bool | None:
    """Compare the file with what the survivor itself answers to HashKV; None where it cannot be compared.

    A survivor without a quorum takes no writes. Raises SnapshotDamaged where the hashes differ.
    """
    limits = work.ports.limits.snapshot
    try:
        with work.member(step.endpoint) as member:
            deadline = limits.hash_deadline(status.total_size_bytes)
            live = member.hash_kv(revision=status.current_revision, deadline=deadline)
        mine = boltdb.hash_kv(path, revision=live.revision, compact_revision=live.compact_revision)
    except EtcdError as error:  # it went down meanwhile, or compacted: the pages were read all the same
        work.warn("recovery.survivor_not_compared", node=step.node or step.member, error=error)
        return None
    if mine.hash != live.hash:
        raise SnapshotDamaged(
            f"its file has HashKV {mine.hash} at revision {live.revision}, the member itself answers {live.hash}",
            subject=f"member {step.member}",
            next_step="It cannot be recovered from. Abort, and choose another source: etcd-dr recover plan",
        )
    return True


def _read_survivor(step: FetchSurvivor, work: Work, path: Path) -> Digest:
    """Read the database file from its node, etcd stopped; put back first what this recovery has set aside already.

    The second case is a resume on another machine: the copy that was fetched before is not here.
    """
    node = work.node(step.node)
    node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    was_set_aside = work.is_done(kind="set-data-aside", node=step.node)
    if was_set_aside:
        node.put_data_back(recovery_id=work.recovery_id, deadline=work.node_deadline)
    sha256, part = hashlib.sha256(), work.ports.files.begin_file(path, overwrite=True)
    is_whole = False

    def take(block: bytes) -> None:
        sha256.update(block)
        part.write(block)

    try:
        node.read_database(take, deadline=work.ports.limits.copy_deadline(_FALLBACK_BYTES))
        part.commit()
        is_whole = True
    finally:
        if not is_whole:
            part.abort()
    if was_set_aside:
        node.set_data_aside(recovery_id=work.recovery_id, deadline=work.node_deadline)
    return Digest.of_sha256(sha256.digest())
