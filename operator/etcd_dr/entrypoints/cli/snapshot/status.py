"""`etcd-dr snapshot status FILE`: everything that an etcd database file tells by itself, whatever wraps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from etcd_dr.bootstrap.files import unwrap_ports
from etcd_dr.config import Target
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import Damage, DatabaseStatus, Examination
from etcd_dr.entrypoints.cli.human import count, size
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, facts, styled, table
from etcd_dr.errors import SnapshotDamaged
from etcd_dr.workflows.inspect_file import InspectedFile, inspect_file


def command(
    run: Run,
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A snapshot or a member's database, in any envelope.", readable=False)
    ],
) -> int:
    """Examine a database file and print its numbers.

    Hash, revision, keys and size as etcdutl prints them, and what it does not: both key counts, HashKV, members,
    alarms, versions, the trailer's verdict, and every damage with its place. Exit status 65 when it is damaged.
    """
    return 0 if examine_file(run, file).examination.is_intact else SnapshotDamaged.exit_status


def examine_file(run: Run, file: Path) -> InspectedFile:
    """Examine a file, print what was found, and return it."""
    with stopped_by_signals() as switch:
        ports = unwrap_ports(Target(encryption=run.encryption()), run.surroundings(switch))
        inspected = inspect_file(file, ports=ports)
    run.answer(_document(inspected), table=lambda: _table(run, inspected))
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


def _table(run: Run, inspected: InspectedFile) -> None:
    examination = inspected.examination
    draw(run.screen, facts([*_file_facts(inspected), *_status_facts(examination.status), _verdict(examination)]))
    if examination.findings:
        run.screen.line()
        draw(
            run.screen,
            table(
                ("SEVERITY", "CODE", "WHERE", "WHAT"),
                ((_severity(finding), finding.code, finding.where, finding.detail) for finding in examination.findings),
            ),
        )
    if examination.suppressed_finding_count:
        run.screen.line(f"and {count(examination.suppressed_finding_count, 'more finding')}")


def _file_facts(inspected: InspectedFile) -> Iterator[tuple[str, Cell]]:
    yield "file", str(inspected.path)
    yield "holds", inspected.kind.description
    if inspected.layers:
        yield "wrapped in", ", ".join(inspected.layers)


def _status_facts(status: DatabaseStatus | None) -> Iterator[tuple[str, Cell]]:
    if status is None:
        return
    yield "hash", f"{status.status_hash:x}"
    yield "revision", status.revision
    yield "total keys", _keys(status)
    yield "total size", size(status.total_size_bytes)
    yield "compacted at", "never" if status.compact_revision < 0 else status.compact_revision
    if status.hash_kv is not None:
        yield "HashKV", f"{status.hash_kv.hash} at revision {status.hash_kv.revision}"
    for member in status.members:
        learner = ", learner" if member.is_learner else ""
        yield "member", f"{member.name or 'not started'} {id_text(member.id)}{learner} {' '.join(member.peer_urls)}"
    for alarm in status.alarms:
        yield (
            "alarm",
            styled(f"{alarm.kind} of member {id_text(alarm.member_id)}; a restore brings it back", "doubtful"),
        )
    yield "auth", "enabled" if status.auth_enabled else "disabled"
    yield (
        "version",
        f"cluster {status.cluster_version or 'unknown'}, storage {status.storage_version or '3.5 or older'}",
    )
    yield "leases", status.lease_count


def _keys(status: DatabaseStatus) -> str:
    live = "" if status.live_key_count is None else f", {status.live_key_count} live (as etcdutl 3.6 counts)"
    return f"{status.record_count} records (as etcdutl 3.5 counts){live}"


def _verdict(examination: Examination) -> tuple[str, Cell]:
    if not examination.is_intact:
        found = len(examination.errors) + examination.suppressed_finding_count
        return "verdict", styled(f"DAMAGED: {count(found, 'finding')}", "bad")
    trailer = {True: "right", False: "WRONG", None: "not compared"}[examination.trailer.matches]
    told = f"trailer {trailer}" if examination.trailer.present else "no trailer, as in a data directory"
    return "verdict", styled(f"intact: every page read, {told}", "good")


def _severity(finding: Damage) -> Cell:
    return styled(finding.severity.value, "bad" if finding.is_error else "doubtful")
