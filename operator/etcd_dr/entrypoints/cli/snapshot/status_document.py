"""What a database file tells, for programs (docs/json-output.md, `snapshot status`). Imports no library."""

from __future__ import annotations

from typing import Any

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import Damage, DatabaseStatus
from etcd_dr.domain.inspected_file import InspectedFile


def status_document(inspected: InspectedFile) -> dict[str, Any]:
    """Return everything that was found, as plain values."""
    examination = inspected.examination
    trailer = examination.trailer
    return {
        "file": str(inspected.path),
        "format": inspected.kind.format.value,
        "layers": list(inspected.layers),
        "file_size_bytes": inspected.plain_bytes,
        "is_intact": examination.is_intact,
        "is_restorable": inspected.is_restorable,
        "trailer": {"present": trailer.present, "digest": trailer.digest, "matches": trailer.matches},
        "status": None if examination.status is None else _numbers(examination.status),
        "findings": [_finding_document(finding) for finding in examination.findings],
        "suppressed_findings": examination.suppressed_finding_count,
    }


def _numbers(status: DatabaseStatus) -> dict[str, Any]:
    hash_kv = status.hash_kv
    return {
        "status_hash": status.status_hash,
        "revision": status.revision,
        "total_size_bytes": status.total_size_bytes,
        "all_records": status.record_count,
        "live_keys": status.live_key_count,
        "key_records": status.key_record_count,
        "compact_revision": status.compact_revision,
        "hash_kv": None
        if hash_kv is None
        else {"hash": hash_kv.hash, "revision": hash_kv.revision, "compact_revision": hash_kv.compact_revision},
        "members": [
            {
                "id": id_text(member.id),
                "name": member.name,
                "peer_urls": list(member.peer_urls),
                "client_urls": list(member.client_urls),
                "is_learner": member.is_learner,
            }
            for member in status.members
        ],
        "alarms": [{"member_id": id_text(alarm.member_id), "kind": alarm.kind} for alarm in status.alarms],
        "auth_enabled": status.auth_enabled,
        "cluster_version": status.cluster_version,
        "storage_version": status.storage_version,
        "consistent_index": status.consistent_index,
        "term": status.term,
        "leases": status.lease_count,
        "page_size": status.page_size,
        "in_use_bytes": status.in_use_bytes,
    }


def _finding_document(finding: Damage) -> dict[str, str]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "where": finding.where,
        "detail": finding.detail,
    }
