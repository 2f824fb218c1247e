"""How much would be lost now, and how much just before the next snapshot can be proven.

- What would be lost is what was written since the newest proven snapshot was *taken*.
- The projected loss tells of a breach before it comes. It trusts the next run; while runs fail, or none is planned, a
  share of the objective warns as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.objectives.status import AT_RISK_SHARE, ObjectiveStatus, exceeding_text, time_text

_RECENT = 5
_SNAPSHOT_IN_TIME = "Take one before that: etcd-dr snapshot save; if it is so every day, make schedule.cron closer"
_SNAPSHOT_NOW = "Take one now: etcd-dr snapshot save"
_SCHEDULE_DOES_NOT = "; then see why the schedule does not: etcd-dr health"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the runs to come. `next_start_at`: the next run or retry; `longest_gap`: of the schedule, its
    jitter included; `failures`: failed runs in a row."""

    next_start_at: datetime | None = None
    longest_gap: timedelta | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class RpoStanding:
    """How much would be lost. `age` is that of the newest proven snapshot; `projected` what it will be just before the
    next one is proven; `breaks_at` when the objective breaks unless one comes before; `schedule_takes` the most that
    the schedule lets be lost when all goes well."""

    status: ObjectiveStatus
    reason: str
    next_step: str = ""
    objective: timedelta | None = None
    snapshot_id: str | None = None
    taken_at: datetime | None = None
    age: timedelta | None = None
    projected: timedelta | None = None
    breaks_at: datetime | None = None
    schedule_takes: timedelta | None = None

    @property
    def schedule_is_too_slow(self) -> bool:
        """Whether the schedule breaks the objective even when every run succeeds."""
        if self.objective is None or self.schedule_takes is None:
            return False
        return self.schedule_takes > self.objective


def judge_rpo(
    catalogue: Catalogue,
    objective: timedelta | None,
    *,
    now: datetime,
    outlook: Outlook | None = None,
    watching_since: datetime | None = None,
) -> RpoStanding:
    """Return how much would be lost now, and whether that is within the objective.

    `watching_since`: since when snapshots were due; None: there was no first one yet. A store without a proven snapshot
    breaks the objective only when as much time has passed since then: nobody is woken by an installation.
    """
    ahead = outlook or Outlook()
    newest = catalogue.newest_proven
    takes = snapshot_takes(catalogue)
    schedule_takes = ahead.longest_gap + takes if ahead.longest_gap is not None else None
    if newest is None:
        is_new = objective is None or watching_since is None or now - watching_since <= objective
        return _nothing_proven(objective, schedule_takes, is_new=is_new)
    age = max(now - newest.taken_at, timedelta(0))
    ready_at = max(ahead.next_start_at, now) + takes if ahead.next_start_at is not None else None
    projected = ready_at - newest.taken_at if ready_at is not None else None
    status, reason = _rpo_status(age, projected, objective, failures=ahead.failures)
    return RpoStanding(
        status=status,
        reason=reason,
        next_step=_next_step(status, ahead),
        objective=objective,
        snapshot_id=str(newest.id),
        taken_at=newest.taken_at,
        age=age,
        projected=projected,
        breaks_at=newest.taken_at + objective if objective is not None else None,
        schedule_takes=schedule_takes,
    )


def _next_step(status: ObjectiveStatus, ahead: Outlook) -> str:
    if status is ObjectiveStatus.AT_RISK and not ahead.failures:
        return _SNAPSHOT_IN_TIME
    if status not in (ObjectiveStatus.AT_RISK, ObjectiveStatus.BROKEN):
        return ""
    return _SNAPSHOT_NOW + (_SCHEDULE_DOES_NOT if ahead.longest_gap is not None else "")


def snapshot_takes(catalogue: Catalogue) -> timedelta:
    """Return how long a snapshot takes from its first byte until it is proven: the median of the newest ones."""
    telling = [s.manifest for s in catalogue.snapshots if s.manifest.source.kind != "import"][-_RECENT:]
    seconds = [max((m.finished_at - m.taken_at).total_seconds(), 0.0) for m in telling]
    return timedelta(seconds=median(seconds)) if seconds else timedelta(0)


def _nothing_proven(objective: timedelta | None, schedule_takes: timedelta | None, *, is_new: bool) -> RpoStanding:
    status = ObjectiveStatus.AT_RISK if is_new else ObjectiveStatus.BROKEN
    return RpoStanding(
        ObjectiveStatus.UNSET if objective is None else status,
        "no snapshot is proven, so everything would be lost",
        _SNAPSHOT_NOW + (_SCHEDULE_DOES_NOT if schedule_takes is not None and not is_new else ""),
        objective=objective,
        schedule_takes=schedule_takes,
    )


def _rpo_status(
    age: timedelta, projected: timedelta | None, objective: timedelta | None, *, failures: int
) -> tuple[ObjectiveStatus, str]:
    if objective is None:
        return ObjectiveStatus.UNSET, f"{time_text(age)} of writes would be lost"
    told = f"{exceeding_text(age, objective)} of writes would be lost; the objective is {time_text(objective)}"
    if age > objective:
        return ObjectiveStatus.BROKEN, told
    if projected is not None and projected > objective:
        then = exceeding_text(projected, objective)
        return ObjectiveStatus.AT_RISK, f"{told}, and {then} would be lost just before the next one is proven"
    if age >= AT_RISK_SHARE * objective and (projected is None or failures):
        why = f"the last {failures} runs failed" if failures else "no run is planned"
        return ObjectiveStatus.AT_RISK, f"{told}, and {why}"
    return ObjectiveStatus.MET, told
