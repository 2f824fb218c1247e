"""What a database file tells, for people."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import Damage, DatabaseStatus, Examination
from etcd_dr.domain.inspected_file import InspectedFile
from etcd_dr.entrypoints.cli.human import count, size
from etcd_dr.entrypoints.cli.tables import Cell, draw, facts, styled, table
from etcd_dr.entrypoints.cli.terminal import Screen


def draw_page(screen: Screen, inspected: InspectedFile) -> None:
    """Draw everything that was found."""
    examination = inspected.examination
    draw(screen, facts([*_file_facts(inspected), *_status_facts(examination.status), _verdict(examination)]))
    if examination.findings:
        screen.line()
        draw(
            screen,
            table(
                ("SEVERITY", "CODE", "WHERE", "WHAT"),
                ((_severity(finding), finding.code, finding.where, finding.detail) for finding in examination.findings),
            ),
        )
    if examination.suppressed_finding_count:
        screen.line(f"and {count(examination.suppressed_finding_count, 'more finding')}")


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
    trailer = {True: "right", False: "WRONG", None: "not compared (--full does)"}[examination.trailer.matches]
    told = f"trailer {trailer}" if examination.trailer.present else "no trailer, as in a data directory"
    return "verdict", styled(f"intact: every page read, {told}", "good")


def _severity(finding: Damage) -> Cell:
    return styled(finding.severity.value, "bad" if finding.is_error else "doubtful")
