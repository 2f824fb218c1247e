"""Rules on the member list: that all show the same one, and that everybody on it has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from etcd_dr.domain.cluster import Member, MemberList, id_text
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing
from etcd_dr.domain.observation import Observation


def lists_differ(s: Situation) -> Iterator[Finding]:
    reference = s.view.members
    if reference is None:
        return
    for endpoint in s.view.answering:
        shown = endpoint.members.value
        if shown is not None and _essence(shown) != _essence(reference):
            yield Finding(
                "members.lists_differ",
                Severity.WARNING,
                "shows another member list than the most advanced member",
                "It should catch up within seconds; if it stays, it is cut off or was restored apart: "
                + s.commands.etcdctl(endpoint.endpoint, "member", "list", "-w", "table"),
                member=s.view.label_of(endpoint),
                evidence={
                    "only_here": listing(_difference(shown, reference)),
                    "missing_here": listing(_difference(reference, shown)),
                    "compared_with": s.view.members_from,
                },
            )


def never_started(s: Situation) -> Iterator[Finding]:
    for seat in s.view.seats:
        if not seat.has_started:
            votes = not seat.member.is_learner
            yield Finding(
                "member.never_started",
                Severity.WARNING,
                "was added and never started" + (", yet it counts towards quorum" if votes else ""),
                "Start it with --initial-cluster-state=existing, or take it away again: "
                + s.commands.remove_member(id_text(seat.member.id)),
                member=seat.label,
                evidence={"peer_urls": listing(seat.member.peer_urls), "is_learner": seat.member.is_learner},
            )


def not_listed(s: Situation) -> Iterator[Finding]:
    if s.view.members is None:
        return
    for endpoint, status in s.view.statuses:
        if s.view.members.by_id(status.member_id) is None:
            yield Finding(
                "member.not_listed",
                Severity.WARNING,
                "runs as a member that the newest member list does not have: it was removed and not stopped",
                "Stop its process and move its data directory aside; the list that counts: "
                + s.commands.etcdctl(s.view.members_from or endpoint.endpoint, "member", "list", "-w", "table"),
                member=endpoint.endpoint,
                evidence={"member_id": id_text(status.member_id), "compared_with": s.view.members_from},
            )


def learner(s: Situation) -> Iterator[Finding]:
    for seat in s.view.seats:
        if not (seat.member.is_learner and seat.has_started):
            continue
        since = _learner_since(s, seat.member.id)
        waited = (s.now - since).total_seconds()
        is_stuck = waited >= s.thresholds.learner_stuck_seconds
        status, leader = seat.status, max((st.raft_applied_index for _, st in s.view.statuses), default=0)
        yield Finding(
            "member.learner_stuck" if is_stuck else "member.learner",
            Severity.WARNING if is_stuck else Severity.INFO,
            f"has been a learner for {waited / 60:.0f} minutes" if is_stuck else "is a learner and has no vote",
            s.commands.promote(id_text(seat.member.id)),
            member=seat.label,
            evidence={
                "learner_since": since.isoformat(),
                "entries_behind": leader - status.raft_applied_index if status else None,
                "promote_failures": _promote_failures(s),
            },
        )


def unwatched(s: Situation) -> Iterator[Finding]:
    for seat in s.view.seats:
        if seat.seen is None and not seat.tried and seat.has_started:
            yield Finding(
                "member.unwatched",
                Severity.WARNING,
                "is a member, but no endpoint that could be asked leads to it",
                f"Add its client URL to etcd.endpoints: {listing(seat.member.client_urls) or 'it advertises none'}",
                member=seat.label,
                evidence={"client_urls": listing(seat.member.client_urls), "is_learner": seat.member.is_learner},
            )


def _essence(members: MemberList) -> frozenset[tuple[int, bool, tuple[str, ...]]]:
    return frozenset((m.id, m.is_learner, tuple(sorted(m.peer_urls))) for m in members.members)


def _difference(left: MemberList, right: MemberList) -> list[str]:
    other = _essence(right)
    return [_described(m) for m in left.members if not _essence(MemberList(0, (m,))) <= other]


def _described(member: Member) -> str:
    return f"{member.label} ({'learner' if member.is_learner else 'voter'}, {listing(member.peer_urls)})"


def _learner_since(s: Situation, member_id: int) -> datetime:
    since = s.now
    for earlier in reversed(s.history):
        standing = _was_learner(earlier, member_id)
        if standing is False:
            break
        if standing:
            since = earlier.taken_at
    return since


def _was_learner(observation: Observation, member_id: int) -> bool | None:
    """Return what the lists of that round said: True, False (a voter, or not listed), None where none was seen."""
    lists = [e.members.value for e in observation.endpoints if e.members.value is not None]
    rows = [m.by_id(member_id) for m in lists]
    return any(row is not None and row.is_learner for row in rows) if lists else None


def _promote_failures(s: Situation) -> float:
    readings = [e.http.metrics.value for e in s.view.answering if e.http.metrics.value]
    return max((sum(m.learner_promote_failures.values()) for m in readings), default=0.0)


RULES = (
    Rule.of(lists_differ, "members.lists_differ"),
    Rule.of(never_started, "member.never_started"),
    Rule.of(not_listed, "member.not_listed"),
    Rule.of(learner, "member.learner", "member.learner_stuck"),
    Rule.of(unwatched, "member.unwatched"),
)
