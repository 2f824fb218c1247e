"""A health report for people: the verdict first, then the members, then each finding with its evidence and next step."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.member_rows import member_table
from etcd_dr.entrypoints.cli.tables import facts, styled

SEVERITY_STYLES = {
    Severity.OK: "good",
    Severity.INFO: "weak",
    Severity.WARNING: "doubtful",
    Severity.UNKNOWN: "doubtful",
    Severity.CRITICAL: "bad",
}


def report_page(report: HealthReport, *, folds_commands: bool = False) -> Group:
    """Return the whole report. Its first line is what a Nagios plugin would print.

    Next steps stay in one line each, which a terminal folds so that it can be pasted, unless `folds_commands`.
    """
    parts: list[RenderableType] = [
        styled(report.summary, SEVERITY_STYLES[report.severity]),
        Text(""),
        member_table(report.members, now=report.taken_at),
    ]
    if report.quorum.would_tell:
        parts += [Text(""), Text(f"what would tell: {plain(report.quorum.would_tell)}")]
    for finding in report.findings:
        parts += [Text(""), finding_block(finding, folds_commands=folds_commands)]
    return Group(*parts)


def finding_block(finding: Finding, *, folds_commands: bool = False) -> Table:
    """Return one finding: its severity, beside it what was found, the evidence and what to do next."""
    about = f"{finding.member}: " if finding.member else ""
    evidence = ", ".join(f"{key} {value}" for key, value in finding.evidence.items() if value is not None)
    return facts(
        [
            (
                styled(finding.severity.value.upper(), SEVERITY_STYLES[finding.severity]),
                f"{about}{finding.summary}",
            ),
            ("", f"{finding.code}: {evidence}" if evidence else finding.code),
            ("", Text(plain(f"next: {finding.next_step}"), no_wrap=not folds_commands)),
        ]
    )


def change_line(report: HealthReport) -> str:
    """Return the report in one line with its time, for a log of changes."""
    return f"{report.taken_at:%Y-%m-%d %H:%M:%S} {plain(report.summary)}"
