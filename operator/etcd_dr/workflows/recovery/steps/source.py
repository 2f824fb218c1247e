"""Bring the data here that the new cluster is built from, once, and prove it.

A file counts when its bytes have the digest that was named, every page of its database was read, and its HashKV is
the one that was predicted. What was fetched before is used again only when its digest is still the one in the journal.
"""

from __future__ import annotations

from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.database import DatabaseStatus, Examination, HashKv
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import MAX_MANIFEST_BYTES, Manifest, StoredHashKv, parse_manifest
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import BuildData, FetchSnapshot, FetchSurvivor
from etcd_dr.domain.snapshot import SnapshotId
from etcd_dr.errors import NodeError, RecoveryError, SnapshotDamaged
from etcd_dr.workflows.fetch_snapshot import fetch_snapshot
from etcd_dr.workflows.recovery.work import Work

_FETCHED = ("fetch-snapshot", "fetch-survivor")


def source_file(work: Work) -> Path:
    """Return where the fetched data lies."""
    return work.place.path("source", "snapshot.db")


def source_facts(work: Work) -> Facts:
    """Return what the fetch found out. Raises RecoveryError where nothing was fetched."""
    facts = work.facts_of(*_FETCHED)
    if facts is None:
        raise RecoveryError("no step has fetched the data to build from", subject=work.recovery_id)
    return facts


def is_fetched(step: FetchSnapshot | FetchSurvivor, work: Work) -> bool:
    """Whether what this step fetched still lies here, to the last bit."""
    facts = work.progress().facts.get(step.id, {})
    path = source_file(work)
    if work.place.size_bytes(path) != facts.get("size_bytes"):
        return False
    return str(work.place.digest(path)) == facts.get("digest")


def fetch_stored(step: FetchSnapshot, work: Work) -> Facts:
    """Fetch the snapshot in clear and prove it against its manifest."""
    manifest, path = _manifest(step, work), source_file(work)
    if not _is_here(work, path, manifest.plain_digest, manifest.database.size_bytes):
        fetch_snapshot(
            work.store(),
            work.ports.layout,
            manifest,
            path,
            decoder=work.ports.decoder,
            files=work.ports.files,
            cancellation=work.ports.cancellation,
            progress=work.ports.progress,
            overwrite=True,
        )
    # Its trailer is part of the digest that was compared.
    examination = boltdb.examine(path, with_hash_kv=True, before_bump=must_bump(work))
    status = sound(examination, subject=step.snapshot_id)
    _compare_trailer(examination, manifest, subject=step.snapshot_id)
    _compare(status.hash_kv, manifest.database.hash_kv, subject=step.snapshot_id)
    digest = manifest.plain_digest if examination.trailer.present else append_trailer(work, path)
    return fetched_facts(work, path, examination, status, digest=digest)


def _is_here(work: Work, path: Path, digest: Digest, size_bytes: int) -> bool:
    return work.place.size_bytes(path) == size_bytes and work.place.digest(path) == digest


def _manifest(step: FetchSnapshot, work: Work) -> Manifest:
    """Read the manifest again, and refuse one that is not what the plan was made from."""
    store = work.store()
    key = work.ports.layout.manifest(SnapshotId.parse(step.snapshot_id))
    manifest = parse_manifest(store.get(key, limit_bytes=MAX_MANIFEST_BYTES), subject=store.url(key))
    planned = work.plan.source.plain_digest if work.plan.source is not None else None
    if planned is not None and planned != str(manifest.plain_digest):
        raise SnapshotDamaged(
            f"its manifest names {manifest.plain_digest}, the plan was made with {planned}",
            subject=store.url(key),
            next_step="Somebody changed the manifest. Abort, and make a new plan: etcd-dr recover plan",
        )
    return manifest


def append_trailer(work: Work, path: Path) -> Digest:
    """Give a file that was proven page by page the trailer that etcdutl asks for: the SHA-256 of its bytes."""
    body = work.place.digest(path)
    if body is None:
        raise NodeError("vanished after it was read", subject=str(path))
    work.place.append(path, bytes.fromhex(body.hex))
    whole = work.place.digest(path)
    if whole is None:
        raise NodeError("vanished after it was read", subject=str(path))
    return whole


def sound(examination: Examination, *, subject: str) -> DatabaseStatus:
    """Return the status of an intact database. Raises SnapshotDamaged with the first thing that is wrong."""
    if examination.status is None or not examination.is_intact:
        first = examination.errors[0] if examination.errors else None
        told = f"{first.code} at {first.where}: {first.detail}" if first else "it could not be read to its end"
        raise SnapshotDamaged(
            f"the database is damaged: {told}",
            subject=subject,
            next_step="It cannot be recovered from. Abort, and choose another source: etcd-dr recover plan",
        )
    return examination.status


def _compare_trailer(examination: Examination, manifest: Manifest, *, subject: str) -> None:
    """The trailer that etcd sent was compared with the bytes when the snapshot was taken; it must be that one."""
    told, found = manifest.trailer_digest, examination.trailer.digest
    if told is not None and found != told.hex:
        raise SnapshotDamaged(
            f"its trailer is {found}, its manifest says {told.hex}",
            subject=subject,
            next_step="It cannot be recovered from. Abort, and choose another one: etcd-dr recover plan",
        )


def _compare(found: HashKv | None, told: StoredHashKv | None, *, subject: str) -> None:
    """Compare HashKV with the manifest's, where both could be stated."""
    if found is None or told is None:
        return
    if (found.hash, found.revision, found.compact_revision) != (told.hash, told.revision, told.compact_revision):
        raise SnapshotDamaged(
            f"its HashKV is {found.hash} at revision {found.revision}, its manifest says {told.hash} at {told.revision}",
            subject=subject,
            next_step="It cannot be recovered from. Abort, and choose another one: etcd-dr recover plan",
        )


def fetched_facts(work: Work, path: Path, examination: Examination, status: DatabaseStatus, *, digest: Digest) -> Facts:
    """Return what later steps need to know of the source."""
    facts: Facts = {
        "digest": str(digest),
        "size_bytes": work.place.size_bytes(path),
        "revision": status.current_revision,
        "last_record": status.revision,
        "compact_revision": status.compact_revision,
        "hash": status.hash_kv.hash if status.hash_kv else None,
        "live_keys": status.live_key_count,
        "alarms": ", ".join(alarm.kind for alarm in status.alarms),
        "had_trailer": examination.trailer.present,
    }
    if must_bump(work):
        facts["hash_compacted"] = status.hash_before_bump
    return facts


def must_bump(work: Work) -> bool:
    """Whether the members are built with a higher revision: then their hash is predicted from another one."""
    return any(isinstance(step, BuildData) and step.bump_revision for step in work.plan.steps)
