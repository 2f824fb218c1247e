"""The doctor's report for people: the verdict, a line for each node, then each finding with what to do."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from etcd_dr.domain.doctor import DoctorReport, Explanation, NodeObservation
from etcd_dr.domain.doctor.hosts import HostObservation, HostsObservation
from etcd_dr.entrypoints.cli.health_page import SEVERITY_STYLES, finding_block
from etcd_dr.entrypoints.cli.human import plain, size
from etcd_dr.entrypoints.cli.tables import styled


def doctor_page(report: DoctorReport) -> Group:
    """Return the whole report. Its first line is what a Nagios plugin would print."""
    parts: list[RenderableType] = [
        styled(report.summary, SEVERITY_STYLES[report.severity]),
        Text(""),
        _table(report),
    ]
    for finding in report.findings:
        parts += [Text(""), finding_block(finding)]
    if report.unseen:
        parts += [Text(""), *(Text(f"not looked at: {plain(line)}") for line in report.unseen)]
    if report.findings:
        parts += [Text(""), Text(f"more about a code: etcd-dr doctor --explain {report.findings[0].code}")]
    return Group(*parts)


def explanation_page(code: str, explanation: Explanation) -> Table:
    """Return what one code means."""
    table = Table(box=None, show_edge=False, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in (
        ("code", code),
        ("symptom", explanation.symptom),
        ("looked at", explanation.checked),
        ("remedy", explanation.remedy),
    ):
        table.add_row(name, Text(text))
    return table


def _table(report: DoctorReport) -> Table:
    seen = report.observation
    if isinstance(seen, HostsObservation):
        names: tuple[str, ...] = ("NODE", "HOST", "ETCD", "MEMBER", "ETCD VERSION", "DB", "DATA")
        rows = [_host_row(seen, node) for node in seen.nodes]
    else:
        names = ("NODE", "TALOS", "TYPE", "ETCD", "HEALTHY", "ROLE", "ETCD VERSION", "DB")
        rows = [_row(node) for node in seen.nodes]
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(plain(text)) for text in row))
    return table


def _host_row(seen: HostsObservation, node: HostObservation) -> tuple[str, ...]:
    member, data = seen.member_of(node), node.data
    database = data.database if data is not None else None
    return (
        node.name,
        node.hostname or ("-" if node.answers else "DOWN"),
        {True: "runs", False: "DOWN", None: "-"}[node.is_running],
        member.label if member is not None else "-",
        (node.etcd.version if node.etcd is not None else None) or "-",
        size(database.size_bytes) if database is not None else "-",
        data.directory if data is not None else "-",
    )


def _row(node: NodeObservation) -> tuple[str, ...]:
    service, status = node.service("etcd"), node.status.value
    healthy = {True: "yes", False: "no", None: "-"}[service.is_healthy if service else None]
    role = "-"
    if status is not None and status.version:
        role = "learner" if status.is_learner else "leader" if status.is_leader else "follower"
    return (
        node.address,
        node.version.value.tag if node.version.value else ("-" if node.answers else "DOWN"),
        str(node.machine_type.value or "-"),
        service.state if service else "-",
        healthy,
        role,
        status.version if status and status.version else "-",
        size(status.db_size_bytes) if status and status.db_size_bytes else "-",
    )
