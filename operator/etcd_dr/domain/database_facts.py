"""What the reader found in a plain database, as the manifest keeps it."""

from __future__ import annotations

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.manifest import DatabaseFacts, StoredHashKv


def database_facts(status: DatabaseStatus, *, size_bytes: int) -> DatabaseFacts:
    """Return the facts of an examined database. `size_bytes` is the plain file's, trailer included.

    The revision is the one that etcd has after loading the file: a compaction may have removed the last record.
    """
    hash_kv = status.hash_kv
    return DatabaseFacts(
        revision=status.current_revision,
        compact_revision=status.compact_revision,
        status_hash=status.status_hash,
        hash_kv=None
        if hash_kv is None
        else StoredHashKv(hash=hash_kv.hash, revision=hash_kv.revision, compact_revision=hash_kv.compact_revision),
        live_keys=status.live_key_count or 0,
        all_records=status.record_count,
        size_bytes=size_bytes,
        total_size_bytes=status.total_size_bytes,
        storage_version=status.storage_version,
        cluster_version=status.cluster_version,
        auth_enabled=status.auth_enabled,
        alarms=tuple(f"{alarm.kind}:{id_text(alarm.member_id)}" for alarm in status.alarms),
    )
