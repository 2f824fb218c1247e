"""A health report for people: the verdict first, then the members, then each finding with its evidence and next step."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.member_rows import member_table
from etcd_dr.entrypoints.cli.tables import styled

SEVERITY_STYLES = {
    Severity.OK: "good",
    Severity.INFO: "weak",
    Severity.WARNING: "doubtful",
    Severity.UNKNOWN: "doubtful",
    Severity.CRITICAL: "bad",
}


def report_page(report: HealthReport) -> Group:
    """Return the whole report. Its first line is what a Nagios plugin would print."""
    parts: list[RenderableType] = [
        styled(report.summary, SEVERITY_STYLES[report.severity]),
        Text(""),
        member_table(report.members, now=report.taken_at),
    ]
    if report.quorum.would_tell:
        parts += [Text(""), Text(f"what would tell: {plain(report.quorum.would_tell)}")]
    for finding in report.findings:
        parts += [Text(""), finding_block(finding)]
    return Group(*parts)


def finding_block(finding: Finding) -> Table:
    """Return one finding: its severity, beside it what was found, the evidence and what to do next."""
    about = f"{finding.member}: " if finding.member else ""
    evidence = ", ".join(f"{key} {value}" for key, value in finding.evidence.items() if value is not None)
    block = Table(box=None, show_edge=False, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    severity = styled(finding.severity.value.upper(), SEVERITY_STYLES[finding.severity])
    block.add_row(severity, Text(plain(f"{about}{finding.summary}")))
    block.add_row("", Text(plain(f"{finding.code}: {evidence}" if evidence else finding.code)))
    block.add_row("", Text(plain(f"next: {finding.next_step}")))
    return block


def change_line(report: HealthReport) -> str:
    """Return the report in one line with its time, for a log of changes."""
    return f"{report.taken_at:%Y-%m-%d %H:%M:%S} {plain(report.summary)}"
