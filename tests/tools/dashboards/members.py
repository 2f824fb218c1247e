"""Members, quorum, data, certificates."""

from __future__ import annotations

from collections.abc import Sequence

from .panels import GREEN, ORANGE, RED, Panel, Query, Row
from .queries import MEMBER, UP_IS_GOOD, VERDICT, VERDICTS, YES_NO, best, worst

MEMBERS: Sequence[Row | Panel] = (
    Row("Quorum"),
    Panel("Verdict", "state-timeline", (Query(VERDICT, "{{cluster}}"),), width=12, words=VERDICTS, steps=UP_IS_GOOD),
    Panel(
        "May still fail",
        "stat",
        (Query(best("fault_tolerance", "cluster"), "{{cluster}}", instant=True),),
        steps=((None, RED), (0, ORANGE), (1, GREEN)),
    ),
    Panel(
        "Healthy voters",
        "stat",
        (
            Query(best("healthy_voters", "cluster"), "{{cluster}} healthy", instant=True),
            Query(best("voters", "cluster"), "{{cluster}} in all", instant=True),
        ),
    ),
    Panel(
        "Members answer",
        "state-timeline",
        (Query(best("member_up", "cluster, member"), MEMBER),),
        width=24,
        height=6,
        words=YES_NO,
    ),
    Panel(
        "Findings",
        "table",
        (Query(best("finding", "cluster, severity, code, member"), instant=True, format="table"),),
        "Codes are in docs/health.md; etcd-dr health has the evidence and the next step.",
        width=24,
        height=7,
        columns={"cluster": "cluster", "severity": "severity", "code": "code", "member": "member"},
    ),
    Row("Data"),
    Panel(
        "Behind the newest revision",
        "timeseries",
        (
            Query(
                f"{best('member_revision', 'cluster')} - on (cluster) group_right () "
                f"{best('member_revision', 'cluster, member')}",
                MEMBER,
            ),
        ),
        width=12,
        height=8,
    ),
    Panel(
        "Committed and not applied",
        "timeseries",
        (Query(best("member_applied_lag", "cluster, member"), MEMBER),),
        width=12,
        height=8,
    ),
    Panel(
        "Size of the database",
        "timeseries",
        (
            Query(best("member_db_size_bytes", "cluster, member"), f"{MEMBER} file"),
            Query(best("member_db_in_use_bytes", "cluster, member"), f"{MEMBER} in use"),
            Query(best("member_db_quota_bytes", "cluster, member"), f"{MEMBER} quota"),
        ),
        width=12,
        height=8,
        unit="bytes",
    ),
    Panel(
        "Alarms",
        "table",
        (Query(best("alarm", "cluster, member, type"), instant=True, format="table"),),
        width=12,
        height=8,
        columns={"cluster": "cluster", "member": "member", "type": "alarm"},
    ),
    Row("The way to the members"),
    Panel(
        "Round trip",
        "timeseries",
        (Query(best("member_round_trip_seconds", "cluster, member"), MEMBER),),
        width=8,
        height=7,
        unit="s",
    ),
    Panel(
        "Clock ahead of ours",
        "timeseries",
        (Query(best("member_clock_offset_seconds", "cluster, member"), MEMBER),),
        "Good to about half a second.",
        width=8,
        height=7,
        unit="s",
    ),
    Panel(
        "Duration of a round",
        "timeseries",
        (Query(best("health_round_duration_seconds", "cluster"), "{{cluster}}"),),
        width=8,
        height=7,
        unit="s",
    ),
    Panel(
        "Certificates end in",
        "bargauge",
        (
            Query(
                f"{worst('cert_not_after_seconds', 'cluster, role, source, subject')} - time()",
                "{{cluster}} {{role}} {{source}} {{subject}}",
                instant=True,
            ),
        ),
        width=24,
        height=8,
        unit="s",
        steps=((None, RED), (7 * 86_400, ORANGE), (30 * 86_400, GREEN)),
    ),
)
