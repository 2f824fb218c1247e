"""A health report for people: the verdict first, then the members, then each finding with its evidence and next step."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
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
        parts += [Text(""), *finding_lines(finding)]
    return Group(*parts)


def finding_lines(finding: Finding) -> list[RenderableType]:
    """Return one finding as a headline, its evidence and what to do next."""
    about = f"{finding.member}: " if finding.member else ""
    headline = Text.assemble(
        styled(f"{finding.severity.value.upper():<9}", SEVERITY_STYLES[finding.severity]),
        plain(f"{about}{finding.summary}"),
    )
    evidence = ", ".join(f"{key} {value}" for key, value in finding.evidence.items() if value is not None)
    more = (f"{finding.code}: {evidence}" if evidence else finding.code, f"next: {finding.next_step}")
    return [headline, *(Padding(Text(plain(text)), (0, 0, 0, 9)) for text in more)]


def change_line(report: HealthReport) -> str:
    """Return the report in one line with its time, for a log of changes."""
    return f"{report.taken_at:%Y-%m-%d %H:%M:%S} {plain(report.summary)}"
