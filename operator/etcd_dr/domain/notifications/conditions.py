"""What is not as it should be with one cluster, from what is known of it now.

- Every finding of the last health round is one, except those that are only worth reading (`info`).
- What the rounds do not see is added: runs that fail, older snapshots that are damaged, a drill or a
  recovery that failed.
- Nothing is a condition because it is not known yet: a process that has just started is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.notifications.message import Condition
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.domain.recovery.watched import WatchedRecovery, WatchedState

FAILURES_BEFORE_TOLD = 2

_PAGES = {
    "alarm": "space",
    "alarm.corrupt": "divergence",
    "certificate": "certificates",
    "data.mass_deletion": "mass-deletion",
    "db": "space",
    "drill": "drills",
    "leader": "quorum",
    "member": "members",
    "members.diverged": "divergence",
    "objective": "objectives",
    "quorum": "quorum",
    "recovery": "recovery",
    "snapshot": "snapshots",
    "store": "store",
}
_OTHER_PAGE = "findings"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one cluster. None: not known yet. `failures` counts failed scheduled runs in a row."""

    report: HealthReport | None = None
    catalogue: Catalogue | None = None
    failures: int = 0
    last_failure: Failure | None = None
    recovery: WatchedRecovery | None = None


def conditions_of(standing: Standing) -> tuple[Condition, ...]:
    """Return everything that is wrong, worst first; each identity once."""
    found: dict[tuple[str, str, str], Condition] = {}
    told = (*_findings(standing.report), *_runs(standing), *_recovery(standing), *_stored(standing.catalogue))
    for condition in told:
        found.setdefault(condition.identity, condition)
    return tuple(sorted(found.values(), key=lambda c: -c.severity.rank))


def runbook_page(code: str) -> str:
    """Return the name of the page below docs/runbooks for a condition's code."""
    family = code.partition(".")[0]
    return f"{_PAGES.get(code) or _PAGES.get(family, _OTHER_PAGE)}.md"


def _findings(report: HealthReport | None) -> Iterator[Condition]:
    for finding in report.findings if report is not None else ():
        if finding.severity.rank > Severity.INFO.rank:
            yield Condition(
                finding.code, finding.severity, finding.summary, finding.next_step, finding.member, finding.about
            )


def _runs(standing: Standing) -> Iterator[Condition]:
    failure = standing.last_failure
    if failure is not None and standing.failures >= FAILURES_BEFORE_TOLD:
        yield Condition(
            "snapshot.failing",
            Severity.WARNING,
            f"{standing.failures} snapshot runs in a row failed: {failure.message}",
            failure.next_step or "See what a save says: etcd-dr snapshot save",
        )


def _recovery(standing: Standing) -> Iterator[Condition]:
    recovery = standing.recovery
    if recovery is not None and recovery.state is WatchedState.FAILED:
        yield Condition(
            "recovery.failed", Severity.CRITICAL, recovery.summary, recovery.next_step, about=recovery.recovery_id
        )


def _stored(catalogue: Catalogue | None) -> Iterator[Condition]:
    """The newest snapshot is left to the health rules, which name it as well."""
    if catalogue is None:
        return
    for snapshot in catalogue.snapshots[:-1]:
        if snapshot.is_damaged:
            yield Condition(
                "snapshot.damaged",
                Severity.CRITICAL,
                f"snapshot {snapshot.id} is damaged: {snapshot.damage}",
                f"Look at it before anybody deletes it: etcd-dr snapshot show {snapshot.id}",
                about=str(snapshot.id),
            )
    yield from _last_drill(catalogue)


def _last_drill(catalogue: Catalogue) -> Iterator[Condition]:
    drills = [
        (snapshot, proof)
        for snapshot in catalogue.snapshots
        if (proof := snapshot.newest_proofs.get(ProofLevel.RESTORABLE)) is not None
    ]
    if not drills:
        return
    snapshot, proof = max(drills, key=lambda pair: pair[1].at)
    if proof.result is ProofResult.FAILED:
        yield Condition(
            "drill.failed",
            Severity.CRITICAL,
            f"the last drill could not restore snapshot {snapshot.id}: {proof.detail}",
            "See what was found, then rehearse a new one: etcd-dr drill list; etcd-dr snapshot save; etcd-dr drill run",
            about=str(snapshot.id),
        )
