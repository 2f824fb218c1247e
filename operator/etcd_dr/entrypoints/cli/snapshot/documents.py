"""Snapshots as plain documents: what `-o json` promises (docs/json-output.md).

Times are ISO 8601 in UTC, sizes are bytes, etcd's ids are lowercase hex text. What is not known is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.proof import Proof


def time_document(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return one snapshot in a few fields, as lists have it."""
    manifest, database = snapshot.manifest, snapshot.manifest.database
    return {
        "id": manifest.id,
        "cluster": manifest.cluster,
        "taken_at": time_document(manifest.taken_at),
        "reason": manifest.reason,
        "revision": database.revision,
        "compact_revision": database.compact_revision,
        "live_keys": database.live_keys,
        "all_records": database.all_records,
        "database_bytes": database.size_bytes,
        "stored_bytes": manifest.stored_size_bytes,
        "level": snapshot.level.value if snapshot.level is not None else None,
        "is_proven": snapshot.is_proven,
        "is_damaged": snapshot.is_damaged,
        "data": snapshot.data.value,
        "is_pinned": snapshot.pin is not None,
        "is_encrypted": manifest.is_encrypted,
        "etcd_version": manifest.source.etcd_version,
        "member": manifest.source.member_name,
    }


def proof_document(proof: Proof) -> dict[str, Any]:
    return proof.model_dump(mode="json", exclude={"version"})


def detailed_document(snapshot: Snapshot, *, data_url: str) -> dict[str, Any]:
    """Return everything about one snapshot: the short fields, then the manifest, the proofs and the pin as stored."""
    return {
        **snapshot_document(snapshot),
        "data_url": data_url,
        "manifest": snapshot.manifest.model_dump(mode="json"),
        "proofs": [proof_document(proof) for proof in snapshot.proofs],
        "pin": snapshot.pin.model_dump(mode="json") if snapshot.pin is not None else None,
    }


def catalogue_document(catalogue: Catalogue, *, store: str) -> dict[str, Any]:
    """Return a list of snapshots, newest first, with what else was found in their place."""
    return {
        "cluster": catalogue.cluster,
        "store": store,
        "snapshots": [snapshot_document(snapshot) for snapshot in reversed(catalogue.snapshots)],
        "unreadable": [
            {"name": entry.name, "code": entry.code, "reason": entry.reason} for entry in catalogue.unreadable
        ],
        "uncommitted": [
            {
                "name": entry.name,
                "newest_object_at": time_document(entry.newest_object_at),
                "objects": entry.object_count,
                "bytes": entry.size_bytes,
            }
            for entry in catalogue.uncommitted
        ],
    }


def selected_document(snapshot: Snapshot, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a command that did something to one snapshot."""
    return {"snapshot": snapshot_document(snapshot), **extra}
