"""What a page shows, taken from the board: values for templates, no HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.domain.member_health import MemberHealth, MemberRole
from etcd_dr.domain.proof import Proof, ProofLevel
from etcd_dr.domain.quorum import QuorumVerdict
from etcd_dr.domain.readiness.verdict import Readiness, Recoverable
from etcd_dr.domain.recovery.watched import WatchedRecovery, WatchedState
from etcd_dr.entrypoints.operator.board import ClusterState
from etcd_dr.entrypoints.operator.readiness import readiness_of
from etcd_dr.entrypoints.web.timeline import Timeline, kind_of, timeline_of

_ROWS = 10
_WORST_FIRST = (Recoverable.NO, Recoverable.UNKNOWN, Recoverable.YES_BUT, Recoverable.YES)
_STALE_ROUNDS = timedelta(minutes=5)
_QUORUM_SIGNS = {
    QuorumVerdict.HELD: "yes",
    QuorumVerdict.HELD_WITHOUT_TOLERANCE: "yes-but",
    QuorumVerdict.LOST_MAY_RETURN: "no",
    QuorumVerdict.CANNOT_TELL: "unknown",
}
QUORUM_WORDS = {
    QuorumVerdict.HELD: "held",
    QuorumVerdict.HELD_WITHOUT_TOLERANCE: "held, none to spare",
    QuorumVerdict.LOST_MAY_RETURN: "lost",
    QuorumVerdict.CANNOT_TELL: "cannot tell",
}


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One cluster of the overview. `recovery_sign` empty: there is no recovery to tell of."""

    state: ClusterState
    readiness: Readiness
    quorum_sign: str
    quorum_words: str
    severity: str
    recovery_sign: str = ""


@dataclass(frozen=True, slots=True)
class OverviewView:
    """`lost`: how many clusters have no quorum now; `words`: all of it in one line."""

    rows: tuple[ClusterRow, ...]
    tally: tuple[tuple[Recoverable, int], ...]
    lost: int

    @property
    def words(self) -> str:
        lost = [f"{self.lost} without quorum"] if self.lost else []
        return ", ".join([*lost, *(f"{number} {answer.words}" for answer, number in self.tally)])


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member; `used_percent` is the share of its quota, None: not known. `sign` tells how it does."""

    member: MemberHealth
    sign: str
    says: str
    used_percent: float | None


@dataclass(frozen=True, slots=True)
class PointRow:
    """One restore point; `is_source`: a recovery would begin with it."""

    snapshot: Snapshot
    kind: str
    is_source: bool


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One drill. `bar_percent` and `goal_percent` are lengths on a common scale; None: not measured, no objective."""

    snapshot: Snapshot
    proof: Proof
    rto_seconds: float | None
    bar_percent: float | None
    goal_percent: float | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class Pages:
    """Where one is in a long table; pages begin with 1."""

    number: int
    last: int


@dataclass(frozen=True, slots=True)
class ClusterView:
    row: ClusterRow
    report: HealthReport | None
    report_is_old: bool
    members: tuple[MemberRow, ...]
    findings: tuple[Finding, ...]
    timeline: Timeline
    points: tuple[PointRow, ...]
    pages: Pages
    drills: tuple[DrillRow, ...]


def overview(states: Sequence[ClusterState], *, now: datetime) -> OverviewView:
    """Return all clusters, those that need somebody first: without quorum, then those that could not be recovered."""

    def urgency(row: ClusterRow) -> tuple[bool, int]:
        return not _is_lost(row.state), _WORST_FIRST.index(row.readiness.answer)

    rows = sorted((_row(state, now) for state in states), key=urgency)
    tally = Counter(row.readiness.answer for row in rows)
    return OverviewView(
        rows=tuple(rows),
        tally=tuple((answer, tally[answer]) for answer in _WORST_FIRST if tally[answer]),
        lost=sum(_is_lost(state) for state in states),
    )


def _is_lost(state: ClusterState) -> bool:
    return state.report is not None and state.report.quorum.verdict is QuorumVerdict.LOST_MAY_RETURN


def cluster_view(state: ClusterState, *, now: datetime, range_name: str = "", page: int = 1) -> ClusterView:
    """Return one cluster. A page beyond the last is the last."""
    row, report = _row(state, now), state.report
    snapshots = state.catalogue.snapshots if state.catalogue else ()
    last = max(1, -(-len(snapshots) // _ROWS))
    number = min(max(1, page), last)
    newest_first = snapshots[::-1][(number - 1) * _ROWS : number * _ROWS]
    return ClusterView(
        row=row,
        report=report,
        report_is_old=report is not None and now - report.taken_at > _STALE_ROUNDS,
        members=tuple(_member_row(member) for member in report.members) if report else (),
        findings=report.findings if report else (),
        timeline=timeline_of(snapshots, now=now, range_name=range_name),
        points=tuple(PointRow(s, kind_of(s), s is row.readiness.source) for s in newest_first),
        pages=Pages(number, last),
        drills=_drills(snapshots, objective=state.terms.rto_objective),
    )


def _row(state: ClusterState, now: datetime) -> ClusterRow:
    report = state.report
    verdict = report.quorum.verdict if report else None
    return ClusterRow(
        state=state,
        readiness=readiness_of(state, now=now),
        quorum_sign=_QUORUM_SIGNS[verdict] if verdict else "unknown",
        quorum_words=QUORUM_WORDS[verdict] if verdict else "not looked at yet",
        severity=report.severity.value if report else Severity.UNKNOWN.value,
        recovery_sign=_recovery_sign(state.recovery.value),
    )


def _recovery_sign(recovery: WatchedRecovery | None) -> str:
    if recovery is None:
        return ""
    if recovery.state.is_over:
        return "note"
    return "no" if recovery.state is WatchedState.FAILED else "yes-but"


def _member_row(member: MemberHealth) -> MemberRow:
    used = None
    if member.db_size_bytes is not None and member.db_quota_bytes:
        used = round(min(100.0, 100 * member.db_size_bytes / member.db_quota_bytes), 1)
    if not member.answers:
        return MemberRow(member, "no", f"no answer: {member.failure}" if member.failure else "no answer", used)
    if member.has_leader is False:
        return MemberRow(member, "no", "answers, and knows no leader", used)
    if member.answers_quorum_read is False and member.role is not MemberRole.LEARNER:
        return MemberRow(member, "yes-but", "answers, and a read through quorum fails", used)
    return MemberRow(member, "yes", "answers", used)


def _drills(snapshots: Sequence[Snapshot], *, objective: timedelta | None) -> tuple[DrillRow, ...]:
    found = [(s, p) for s in snapshots if (p := s.newest_proofs.get(ProofLevel.RESTORABLE)) is not None]
    newest = sorted(found, key=lambda pair: pair[1].at, reverse=True)[:_ROWS]
    goal = objective.total_seconds() if objective else None
    measured = [p.drill.rto_seconds for _, p in newest if p.drill and p.drill.rto_seconds is not None]
    scale = max([*measured, goal or 0.0], default=0.0) * 1.1 or 1.0
    return tuple(_drill_row(s, p, goal=goal, scale=scale) for s, p in newest)


def _drill_row(snapshot: Snapshot, proof: Proof, *, goal: float | None, scale: float) -> DrillRow:
    seconds = proof.drill.rto_seconds if proof.drill else None
    return DrillRow(
        snapshot=snapshot,
        proof=proof,
        rto_seconds=seconds,
        bar_percent=None if seconds is None else round(100 * seconds / scale, 1),
        goal_percent=None if goal is None else round(100 * goal / scale, 1),
        is_late=seconds is not None and goal is not None and seconds > goal,
    )
