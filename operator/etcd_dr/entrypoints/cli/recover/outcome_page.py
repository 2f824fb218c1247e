"""How a recovery ended, for people: what was measured, what was lost, and what is left to a person."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from etcd_dr.domain.recovery.journal import Facts, RecoveryState
from etcd_dr.entrypoints.cli.human import count, duration, plain
from etcd_dr.entrypoints.cli.recover.candidate_page import loss_words
from etcd_dr.entrypoints.cli.tables import facts, styled
from etcd_dr.workflows.recovery.run_plan import RecoveryOutcome


def outcome_page(outcome: RecoveryOutcome, *, report_path: str) -> Group:
    """Return the end of a recovery; its report lies at `report_path` on this machine."""
    parts: list[RenderableType] = [_headline(outcome), facts(_facts(outcome, report_path))]
    report = outcome.report
    if outcome.state is RecoveryState.FINISHED and report.afterwards:
        parts += [Text(""), Text("what is left to you:"), *(Text(f"  {plain(each)}") for each in report.afterwards)]
    parts += [styled(f"warning: {warning}", "doubtful") for warning in outcome.warnings]
    return Group(*parts)


def _verified(found: Facts) -> list[tuple[str, str]]:
    rows = []
    if found.get("hash") is not None:
        predicted = ", as predicted" if found.get("is_as_predicted") else ""
        rows.append(
            (
                "HashKV",
                f"{found['hash']} on {found.get('members')} members at revision {found.get('revision')}{predicted}",
            )
        )
    if found.get("written_at_revision") is not None:
        rows.append(("write and read", f"through the quorum, at revision {found['written_at_revision']}"))
    return rows


def _headline(outcome: RecoveryOutcome) -> Text:
    if outcome.state is RecoveryState.FINISHED:
        return styled(f"{outcome.plan.cluster} is recovered and verified", "good")
    return styled(f"recovery {outcome.plan.recovery_id} is taken back: the old state is in its place again", "doubtful")


def _facts(outcome: RecoveryOutcome, report_path: str) -> list[tuple[str, str]]:
    report = outcome.report
    rows = [("recovery", outcome.plan.recovery_id)]
    if report.recovery_seconds is not None:
        rows.append(("recovery time", duration(timedelta(seconds=report.recovery_seconds))))
    if outcome.state is RecoveryState.FINISHED:
        rows.append(("loss, as planned", loss_words(report.planned_loss)))
        if report.real_loss_revisions is not None:
            rows.append(("loss, as found", count(report.real_loss_revisions, "revision")))
        rows += _verified(report.verification)
    for number, (node, path) in enumerate(sorted(report.set_aside.items())):
        rows.append(("" if number else "old data", f"{node}: {path}"))
    rows.append(("report", report_path))
    rows.append(("every step", f"etcd-dr recover status {outcome.plan.recovery_id}"))
    return rows
