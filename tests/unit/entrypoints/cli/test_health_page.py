"""The health report on a screen."""

from __future__ import annotations

from datetime import UTC, datetime

from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.domain.member_health import MemberHealth, MemberRole
from etcd_dr.domain.quorum import Quorum, QuorumVerdict
from etcd_dr.entrypoints.cli.health import clipped
from etcd_dr.entrypoints.cli.health_page import change_line, report_page
from etcd_dr.entrypoints.cli.tables import rendered
from etcd_dr.entrypoints.cli.terminal import Screen
from scenarios.command_line import Stream

REPORT = HealthReport(
    cluster="prod",
    taken_at=datetime(2026, 8, 20, 3, 0, tzinfo=UTC),
    seconds=0.1,
    cluster_id=1,
    quorum=Quorum(QuorumVerdict.CANNOT_TELL, "no member answers", would_tell="Look at the nodes."),
    members=(
        MemberHealth(
            "m1", MemberRole.LEADER, answers=True, endpoint="https://10.0.0.1:2379", revision=7, has_leader=True
        ),
        MemberHealth("m2\x1b[2J", MemberRole.VOTER, answers=False, failure="connection refused"),
    ),
    findings=(
        Finding(
            "member.unreachable",
            Severity.CRITICAL,
            "does not answer",
            "Look at it: journalctl -u etcd",
            member="m2\x1b[2J",
            evidence={"endpoint": "https://10.0.0.2:2379", "unknown": None},
        ),
    ),
)


def page(columns: int = 80) -> list[str]:
    return rendered(Screen(Stream(), columns=columns), report_page(REPORT)).splitlines()


def test_verdict_comes_first_then_members_then_what_to_do() -> None:
    """Whoever reads one line reads the verdict; evidence comes before advice."""
    text = "\n".join(page())

    assert page()[0].startswith("CRITICAL prod: quorum cannot-tell")
    order = ["MEMBER", "what would tell: Look at the nodes.", "member.unreachable: endpoint", "next: Look at it"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)
    assert "unknown" not in text.replace("unknown to", "")


def test_page_fits_80_columns_and_is_free_of_foreign_escapes() -> None:
    """A member may call itself anything."""
    assert max(map(len, page())) <= 80
    assert "\x1b" not in "\n".join(page())
    assert "\x1b" not in change_line(REPORT)


def test_change_is_one_line_with_its_time() -> None:
    """For a log of what happened during the night."""
    assert change_line(REPORT).startswith("2026-08-20 03:00:00 CRITICAL prod: ")
    assert "\n" not in change_line(REPORT)


def test_report_that_is_taller_than_the_screen_keeps_its_top() -> None:
    """The verdict must not scroll away."""
    lines = [f"line {number}" for number in range(50)]

    shown = clipped(lines, rows=24)

    assert len(shown) == 23
    assert shown[0] == "line 0"
    assert shown[-1].startswith("... 28 more lines")
    assert clipped(lines, rows=60) == lines
