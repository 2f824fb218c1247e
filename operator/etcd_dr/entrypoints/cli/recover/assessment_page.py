"""The assessment for people: each member with its verdict and evidence, then what it means for the quorum."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.entrypoints.cli.human import age, plain, size
from etcd_dr.entrypoints.cli.tables import styled, table

STANDING_WORDS = {
    QuorumStanding.HELD: ("quorum is held", "good"),
    QuorumStanding.MAY_RETURN: ("quorum is lost, and may return: nothing needs to be restored", "doubtful"),
    QuorumStanding.LOST_FOR_GOOD: ("quorum is lost for good", "bad"),
    QuorumStanding.CANNOT_TELL: ("whether quorum is lost for good cannot be told from here", "doubtful"),
}

_VERDICT_STYLES = {
    MemberVerdict.HEALTHY: "good",
    MemberVerdict.ANSWERS: "good",
    MemberVerdict.LEARNER: "doubtful",
    MemberVerdict.DOWN: "doubtful",
    MemberVerdict.SAID_INTACT: "doubtful",
    MemberVerdict.UNKNOWN: "doubtful",
}


def assessment_page(assessment: Assessment, lock: RecoveryLock | None = None) -> Group:
    """Return the whole assessment; the verdict stands first, and then a recovery that is under way already."""
    words, style = STANDING_WORDS[assessment.standing]
    parts: list[RenderableType] = [
        styled(f"{assessment.cluster}: {words}", style),
        Text(plain(assessment.reason)),
        *([_under_way(lock, now=assessment.assessed_at)] if lock is not None else []),
        Text(""),
        member_table(assessment.members),
    ]
    for member in assessment.members:
        parts += [Text(""), *_evidence(member)]
    if assessment.would_tell:
        parts += [Text(""), Text("what would tell:"), *(Text(f"  {plain(each)}") for each in assessment.would_tell)]
    parts += [Text(""), *_known(assessment), *(Text(plain(note)) for note in assessment.notes)]
    return Group(*parts)


def _under_way(lock: RecoveryLock, *, now: datetime) -> Text:
    which = lock.recovery_id
    return styled(
        f"{lock.by} began a recovery of it {age(lock.since, now=now)} ago that has not ended, and another one is refused "
        f"until it has: etcd-dr recover status {which}; then etcd-dr recover resume {which}, or etcd-dr recover abort {which}",
        "bad",
    )


def member_table(members: Iterable[MemberAssessment]) -> RenderableType:
    """Return one row for each member."""
    return table(
        ("MEMBER", "NODE", "VERDICT", "REVISION", "TERM", "DATABASE"),
        (
            (
                member.name or (id_text(member.id) if member.id is not None else "-"),
                member.node or "-",
                styled(_verdict(member), _VERDICT_STYLES.get(member.verdict, "bad")),
                _number(member.revision),
                _number(member.raft_term),
                size(member.database_bytes) if member.database_bytes is not None else "-",
            )
            for member in members
        ),
        right=("REVISION", "TERM", "DATABASE"),
    )


def _verdict(member: MemberAssessment) -> str:
    role = "" if member.is_voter or member.verdict is MemberVerdict.LEARNER else ", learner"
    if member.id is None and not member.is_voter:
        role = ", no member"  # a configured node that the member list does not know
    cause = f", {member.cause}" if member.cause else ""
    return f"{member.verdict.value}{role}{cause}"


def _evidence(member: MemberAssessment) -> list[Text]:
    lines = [Text(f"{plain(member.name or member.node)}:")]
    lines += [Text(f"  {plain(sentence)}") for sentence in member.evidence]
    if member.contradiction:
        lines.append(styled(f"  {member.contradiction}", "bad"))
    return lines


def _known(assessment: Assessment) -> list[Text]:
    known = []
    if assessment.cluster_id is not None:
        known.append(f"{assessment.identity_label} {id_text(assessment.cluster_id)}")
    if assessment.etcd_version:
        known.append(f"etcd {assessment.etcd_version}")
    if assessment.highest_revision_seen is not None:
        known.append(f"highest revision ever seen {assessment.highest_revision_seen}")
    if assessment.last_alive_at is not None:
        known.append(f"last known to serve {age(assessment.last_alive_at, now=assessment.assessed_at)} ago")
    return [Text(plain(", ".join(known)))] if known else []


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
