"""`etcd-dr snapshot status FILE`: everything that an etcd database file tells by itself, whatever wraps it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from etcd_dr.bootstrap.unwrapping import unwrap_ports
from etcd_dr.config import Target
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import Damage, DatabaseStatus
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.errors import SnapshotDamaged
from etcd_dr.workflows.inspect_file import InspectedFile, inspect_file


def command(
    run: Run,
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A snapshot or a member's database, in any envelope.", readable=False)
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the trailer's digest and HashKV, as etcdutl does.")
    ] = False,
) -> int:
    """Examine a database file and print its numbers.

    Hash, revision, keys and size as etcdutl prints them, and what it does not: both key counts, HashKV, members,
    alarms, versions, the trailer's verdict, and every damage with its place. Exit status 65 when it is damaged.
    """
    inspected = examine_file(run, file, quick=quick)
    return 0 if inspected.examination.is_intact else SnapshotDamaged.exit_status


def examine_file(run: Run, file: Path, *, quick: bool = False) -> InspectedFile:
    """Examine a file, print what was found, and return it."""
    with stopped_by_signals() as switch:
        ports = unwrap_ports(Target(encryption=run.encryption()), run.surroundings(switch))
        inspected = inspect_file(file, ports=ports, with_hash_kv=not quick, check_trailer=not quick)

    def table() -> None:
        from etcd_dr.entrypoints.cli.snapshot.status_page import draw_page  # noqa: PLC0415 - JSON needs no rich

        draw_page(run.screen, inspected)

    run.answer(_document(inspected), table=table)
    return inspected


def _document(inspected: InspectedFile) -> dict[str, Any]:
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
        "status": None if examination.status is None else _status_document(examination.status),
        "findings": [_finding_document(finding) for finding in examination.findings],
        "suppressed_findings": examination.suppressed_finding_count,
    }


def _status_document(status: DatabaseStatus) -> dict[str, Any]:
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
