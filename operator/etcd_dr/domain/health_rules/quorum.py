"""Rules on quorum: the verdict of domain/quorum.py turned into findings."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.health import EvidenceValue, Finding, Severity
from etcd_dr.domain.health_rules.commands import Commands
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing
from etcd_dr.domain.quorum import Quorum, QuorumVerdict


def lost(s: Situation) -> Iterator[Finding]:
    if s.quorum.verdict is QuorumVerdict.LOST_MAY_RETURN:
        silent = sorted(seat.label for seat in s.view.seats if not seat.member.is_learner and seat.seen is None)
        yield Finding(
            "quorum.lost",
            Severity.CRITICAL,
            f"quorum is lost and may return: {s.quorum.reason}",
            f"{_bring_back(s.quorum)}; nothing acknowledged is lost while data directories are whole. "
            f"On each silent node: {s.commands.see_the_process()}. What is left of each, and the gentlest way back: etcd-dr recover assess",
            evidence=_counts(s.quorum) | {"silent_voters": listing(silent)},
        )


def _bring_back(quorum: Quorum) -> str:
    return "Bring the only voter back with its data" if quorum.voters == 1 else "Bring back voters with their data"


def no_tolerance(s: Situation) -> Iterator[Finding]:
    if s.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE:
        is_single = s.quorum.voters == 1
        yield Finding(
            "quorum.no_tolerance",
            Severity.INFO if is_single else Severity.WARNING,
            "a cluster of one voter tolerates no failure"
            if is_single
            else f"quorum is held, but not one more voter may fail: {s.quorum.reason}",
            "Take snapshots often, and add two members if its data matter: etcd-dr snapshot save; "
            + s.commands.add_member()
            if is_single
            else _restore_tolerance(s.quorum, s.commands),
            evidence=_counts(s.quorum),
        )


def _restore_tolerance(quorum: Quorum, commands: Commands) -> str:
    if quorum.agreeing == quorum.voters:
        return f"Take a snapshot now, then add a voter: etcd-dr snapshot save; {commands.add_member()}"
    return "Take a snapshot now, then bring the missing voters back before anything else: etcd-dr snapshot save"


def unknown(s: Situation) -> Iterator[Finding]:
    if s.quorum.verdict is QuorumVerdict.CANNOT_TELL:
        yield Finding(
            "quorum.unknown",
            Severity.UNKNOWN,
            f"whether quorum is held cannot be told from here: {s.quorum.reason}",
            f"{s.quorum.would_tell}.",
            evidence=_counts(s.quorum),
        )


def view_partial(s: Situation) -> Iterator[Finding]:
    if s.quorum.view_is_partial:
        yield Finding(
            "quorum.view_partial",
            Severity.WARNING,
            f"quorum is held, but this machine sees too little of it: {s.quorum.reason}",
            "Look at the network between here and the members, or run this next to them: etcd-dr members",
            evidence=_counts(s.quorum),
        )


def even_voters(s: Situation) -> Iterator[Finding]:
    voters = s.quorum.voters or 0
    if voters and voters % 2 == 0:
        yield Finding(
            "quorum.even_voters",
            Severity.WARNING,
            f"{voters} voters tolerate no more failures than {voters - 1}, and any one of them may be the failure",
            f"Add or remove one member; a new one starts as a learner: {s.commands.add_member()}",
            evidence={"voters": voters},
        )


def _counts(quorum: Quorum) -> dict[str, EvidenceValue]:
    return {
        "voters": quorum.voters,
        "needed": quorum.needed,
        "answering": quorum.answering,
        "agreeing": quorum.agreeing,
        "tolerance": quorum.tolerance,
    }


RULES = (
    Rule.of(lost, "quorum.lost"),
    Rule.of(unknown, "quorum.unknown"),
    Rule.of(no_tolerance, "quorum.no_tolerance"),
    Rule.of(view_partial, "quorum.view_partial"),
    Rule.of(even_voters, "quorum.even_voters"),
)
