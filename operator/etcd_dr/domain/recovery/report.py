"""What is told at the end of a recovery: timeline, loss, measured recovery time, hashes, and what is left to do.

- Made from the plan and the journal alone, so that it can be made again, anywhere.
- The recovery time is measured from the confirmation (`BEGUN`) to the end of the verification; waiting for a person
  and time between two runs count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from etcd_dr.domain.recovery.candidate import Loss
from etcd_dr.domain.recovery.journal import EntryKind, Facts, JournalEntry, JournalProgress
from etcd_dr.domain.recovery.plan import ExpectedCluster, Plan

_VERIFYING = ("verify-cluster", "talos-verify")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PhaseTime(_Record):
    """One phase. `seconds` from its first step's beginning to its last step's end, over all runs."""

    phase: int
    title: str
    seconds: float


class TimelineEntry(_Record):
    at: AwareDatetime
    kind: str
    step: str = ""
    detail: str = ""
    seconds: float | None = None


class RecoveryReport(_Record):
    """`recovery_seconds` is None until the verification passed. `real_loss_revisions` counts from the highest revision
    that was ever seen to the one that the data was built from; None where either is not known."""

    version: Literal[1] = 1
    recovery_id: str
    cluster: str
    way: str
    target: str = ""
    state: str
    plan_digest: str
    made_by: str
    begun_at: AwareDatetime | None
    verified_at: AwareDatetime | None
    recovery_seconds: float | None
    planned_loss: Loss
    real_loss_revisions: int | None
    phases: tuple[PhaseTime, ...]
    expected: ExpectedCluster | None
    verification: Facts
    snapshot: Facts
    set_aside: dict[str, str]
    safety_copies: dict[str, str]
    afterwards: tuple[str, ...]
    timeline: tuple[TimelineEntry, ...]


def compose_report(plan: Plan, entries: Sequence[JournalEntry]) -> RecoveryReport:
    """Return the report of a recovery as far as it went."""
    progress = JournalProgress.of(entries)
    verified_at = _verified_at(plan, entries, progress)
    begun_at = progress.begun_at
    return RecoveryReport(
        recovery_id=plan.recovery_id,
        cluster=plan.cluster,
        way=plan.way.value,
        target=plan.chosen.target,
        state=progress.state.value,
        plan_digest=str(plan.digest),
        made_by=plan.made_by,
        begun_at=begun_at,
        verified_at=verified_at,
        recovery_seconds=(verified_at - begun_at).total_seconds() if verified_at and begun_at else None,
        planned_loss=plan.chosen.loss,
        real_loss_revisions=_real_loss(plan, progress),
        phases=_phases(plan, entries),
        expected=plan.expected,
        verification=_facts_of(plan, progress, "verify-cluster") or _facts_of(plan, progress, "talos-verify"),
        snapshot=_facts_of(plan, progress, "take-snapshot"),
        set_aside=_by_node(plan, progress, "set-data-aside", "aside"),
        safety_copies=_by_node(plan, progress, "copy-data", "copy"),
        afterwards=plan.afterwards,
        timeline=tuple(
            TimelineEntry(at=e.at, kind=e.kind.value, step=e.step, detail=e.detail, seconds=e.seconds) for e in entries
        ),
    )


def report_markdown(report: RecoveryReport) -> str:
    """Return the report as a page for people."""
    sections = [
        f"# Recovery {report.recovery_id} of {report.cluster}",
        _summary(report),
        "## Phases\n\n| phase | seconds |\n| --- | ---: |\n"
        + "\n".join(f"| {phase.title} | {phase.seconds:.1f} |" for phase in report.phases),
        _table("## Verification", report.verification),
        _table("## Fresh snapshot", report.snapshot),
        _table("## Old data, set aside and kept", dict(report.set_aside)),
        _table("## Safety copies", dict(report.safety_copies)),
        _list("## Still to be done by a person", report.afterwards),
        "## Timeline\n\n| time (UTC) | what | step | seconds | detail |\n| --- | --- | --- | ---: | --- |\n"
        + "\n".join(_timeline_row(entry) for entry in report.timeline),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(report: RecoveryReport) -> str:
    seconds = f"{report.recovery_seconds:.1f} s" if report.recovery_seconds is not None else "not verified"
    real = "not known" if report.real_loss_revisions is None else f"{report.real_loss_revisions} revisions"
    ids = ""
    if report.expected is not None:
        members = ", ".join(f"{member.name} {member.id}" for member in report.expected.members)
        ids = f"- New cluster id: {report.expected.cluster_id} ({members})\n"
    return (
        f"- State: {report.state}\n- Way: {report.way} {report.target}".rstrip() + "\n"
        f"- Time to recovery, from the confirmation to the verification: {seconds}\n"
        f"- Loss, as planned: {report.planned_loss.text}\n"
        f"- Loss, as found: {real}\n"
        f"{ids}"
        f"- Plan: {report.plan_digest}, made by {report.made_by}"
    )


def _table(title: str, facts: Facts | dict[str, str]) -> str:
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in facts.items() if value is not None)
    return f"{title}\n\n| | |\n| --- | --- |\n{rows}" if rows else ""


def _list(title: str, lines: Sequence[str]) -> str:
    return f"{title}\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _timeline_row(entry: TimelineEntry) -> str:
    seconds = "" if entry.seconds is None else f"{entry.seconds:.1f}"
    detail = entry.detail.replace("|", "\\|").replace("\n", " ")
    return f"| {entry.at:%Y-%m-%d %H:%M:%S} | {entry.kind} | {entry.step} | {seconds} | {detail} |"


def _verified_at(plan: Plan, entries: Sequence[JournalEntry], progress: JournalProgress) -> AwareDatetime | None:
    """Return when the last verification was done; for ways without one, when the last step was."""
    proving = {step.id for step in plan.steps if step.kind in (*_VERIFYING, "await-cluster", "talos-await-members")}
    wanted = {step.id for step in plan.steps if step.kind in _VERIFYING} or proving
    if not wanted or not wanted <= progress.done:
        return None
    return max(entry.at for entry in entries if entry.kind is EntryKind.DONE and entry.step in wanted)


def _real_loss(plan: Plan, progress: JournalProgress) -> int | None:
    built_from = {
        **_facts_of(plan, progress, "fetch-snapshot"),
        **_facts_of(plan, progress, "fetch-survivor"),
    }.get("revision")
    seen = plan.highest_revision_seen
    if not isinstance(built_from, int) or seen is None:
        return None
    if seen > built_from and plan.chosen.loss.revisions is None:
        return None  # a recovery in between raised them (losses.restore_loss)
    return max(0, seen - built_from)


def _phases(plan: Plan, entries: Sequence[JournalEntry]) -> tuple[PhaseTime, ...]:
    found = []
    for phase in dict.fromkeys(step.phase for step in plan.steps):
        steps = [step for step in plan.steps if step.phase == phase]
        ids = {step.id for step in steps}
        begun = [e.at for e in entries if e.kind is EntryKind.INTENT and e.step in ids]
        ended = [e.at for e in entries if e.kind in (EntryKind.DONE, EntryKind.FAILED) and e.step in ids]
        if begun and ended:
            titles = ", ".join(dict.fromkeys(step.kind for step in steps))
            found.append(PhaseTime(phase=phase, title=titles, seconds=(max(ended) - min(begun)).total_seconds()))
    return tuple(found)


def _facts_of(plan: Plan, progress: JournalProgress, kind: str) -> Facts:
    found: Facts = {}
    for step in plan.steps:
        if step.kind == kind and step.id in progress.done:
            found = progress.facts.get(step.id, {})
    return found


def _by_node(plan: Plan, progress: JournalProgress, kind: str, name: str) -> dict[str, str]:
    return {
        step.node: str(progress.facts[step.id][name])
        for step in plan.steps
        if step.kind == kind and step.id in progress.done and progress.facts.get(step.id, {}).get(name)
    }
