"""The verdict on quorum: held, held without tolerance, lost but able to return, or not to be told from here.

What it rests on, most telling first:
1. A linearizable read that was answered. etcd serves it only after a majority has confirmed the leader
   (v3_server.go, linearizableReadNotify), so one such answer is proof. A read that was *denied* proves it as well: the
   permission is looked at after the majority has spoken (v3_server.go, Range).
2. The voters of the newest member list; learners do not count.
3. Who answers us, and which leader they name.

That quorum is lost *for good* never follows from here: a silent member may come back with its data. It takes evidence
from the nodes, or a person's word, and belongs to recovery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from etcd_dr.domain.cluster import fault_tolerance, quorum_size
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.observation import EndpointObservation
from etcd_dr.errors import AccessDenied, MemberTimeout, MemberUnreachable

_UNANSWERED = (MemberTimeout.code, MemberUnreachable.code)


class QuorumVerdict(StrEnum):
    """`cannot-tell` comes with what would tell (`Quorum.would_tell`)."""

    HELD = "held"
    HELD_WITHOUT_TOLERANCE = "held-without-tolerance"
    LOST_MAY_RETURN = "lost-may-return"
    CANNOT_TELL = "cannot-tell"

    @property
    def is_held(self) -> bool:
        return self in (QuorumVerdict.HELD, QuorumVerdict.HELD_WITHOUT_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What the arithmetic needs. `voters` is None while no member list is known.

    `answering`: voters whose status came. `agreeing`: of those, the ones that know a leader and did not fail a
    linearizable read. `reads_asked`, `reads_proven`: linearizable reads put, and answered or denied. `behind_leader`:
    most voters, itself included, that name one voter which itself claims to lead.
    """

    voters: int | None
    answering: int
    agreeing: int
    reads_asked: int
    reads_proven: int
    behind_leader: int
    anybody_answers: bool
    anybody_names_a_leader: bool


@dataclass(frozen=True, slots=True)
class Quorum:
    """The verdict with its arithmetic. `tolerance` is how many more voters may fail; None: not to be told.

    `view_is_partial`: the members hold quorum, but too few of them answer *us* to count it.
    """

    verdict: QuorumVerdict
    reason: str
    voters: int | None = None
    needed: int | None = None
    answering: int = 0
    agreeing: int = 0
    tolerance: int | None = None
    view_is_partial: bool = False
    would_tell: str = ""


def judge_quorum(view: ClusterView, *, is_our_fault: bool = False, ask_the_nodes: str = "") -> Quorum:
    """Return the verdict on the cluster in view. `is_our_fault`: nobody answers for a reason on this machine.

    `ask_the_nodes` is a command that looks at the nodes themselves, empty where there is none.
    """
    if is_our_fault:
        return _unknown(count_ballot(view), "no member could be asked from this machine", _REPAIR_OURS)
    verdict = decide(count_ballot(view))
    if ask_the_nodes and verdict.would_tell == _ASK_THE_NODES:
        return replace(verdict, would_tell=f"The nodes themselves: {ask_the_nodes}")
    return verdict


def may_be_electing(view: ClusterView) -> bool:
    """Tell whether enough voters answer to elect a leader, and one of them knows none or waited for one in vain.

    On Talos nobody shows a member list meanwhile: then every endpoint that was asked counts as a voter.
    """
    ballot = count_ballot(view)
    voters = len(view.answering) + len(view.silent) if ballot.voters is None else ballot.voters
    return ballot.answering >= quorum_size(voters) and any(_lacks_a_leader(e) for e in _voters_that_answer(view))


def count_ballot(view: ClusterView) -> Ballot:
    """Return the counts behind a verdict."""
    voters = None if view.members is None else {m.id for m in view.members.voters}
    present = _voters_that_answer(view)
    reads = [e.quorum_read for e in view.answering if e.quorum_read.was_asked]
    return Ballot(
        voters=None if voters is None else len(voters),
        answering=len(present),
        agreeing=sum(_agrees(e) for e in present),
        reads_asked=len(reads),
        reads_proven=sum(_proves_quorum(e) for e in view.answering),
        behind_leader=_behind_leader(present),
        anybody_answers=bool(view.answering),
        anybody_names_a_leader=any(status.leader_id for _, status in view.statuses),
    )


def _voters_that_answer(view: ClusterView) -> list[EndpointObservation]:
    voters = None if view.members is None else {m.id for m in view.members.voters}
    return [e for e, status in view.statuses if (voters is None or status.member_id in voters)]


def decide(ballot: Ballot) -> Quorum:
    """Return the verdict that the counts allow; the arithmetic alone."""
    if not ballot.anybody_answers:
        return _unknown(ballot, "no member answers", _ASK_THE_NODES)
    if ballot.reads_proven:
        return _held(ballot)
    if ballot.voters is None:
        return _unknown(ballot, "no member shows its member list, so the voters are not known", _ASK_AGAIN)
    if not ballot.reads_asked:
        return _unknown(ballot, "no linearizable read was tried", _ASK_AGAIN)
    return _unproven(ballot, voters=ballot.voters)


def _unproven(ballot: Ballot, *, voters: int) -> Quorum:
    """No linearizable read came back: lost, unless somebody still speaks for a leader."""
    needed = quorum_size(voters)
    if ballot.behind_leader >= needed:
        return _unknown(
            ballot, "a majority follows one leader, but no linearizable read came back in time", _ASK_LONGER
        )
    if ballot.answering >= needed:
        reason = f"{ballot.answering} of {voters} voters answer, but they follow no leader that answers"
        return _counted(ballot, QuorumVerdict.LOST_MAY_RETURN, reason)
    if ballot.anybody_names_a_leader:
        reason = f"{ballot.answering} of {voters} voters answer and name a leader, but no read confirms it"
        return _unknown(ballot, reason, _ASK_LONGER)
    reason = f"{ballot.answering} of {voters} voters answer, {needed} are needed, and they know no leader"
    return _counted(ballot, QuorumVerdict.LOST_MAY_RETURN, reason)


def _held(ballot: Ballot) -> Quorum:
    if ballot.voters is None:
        return Quorum(QuorumVerdict.HELD, "a linearizable read was answered", view_is_partial=True)
    needed = quorum_size(ballot.voters)
    if ballot.answering < needed:
        reason = f"members confirm it, though only {ballot.answering} of {ballot.voters} voters answer here"
        return _counted(ballot, QuorumVerdict.HELD, reason, view_is_partial=True)
    tolerance = max(0, fault_tolerance(voters=ballot.voters, healthy=ballot.agreeing))
    reason = f"{ballot.agreeing} of {ballot.voters} voters take part, {needed} are needed"
    if ballot.agreeing < needed:
        reason = f"a read went through quorum, but only {ballot.agreeing} of {ballot.voters} voters answered in time"
    verdict = QuorumVerdict.HELD if tolerance else QuorumVerdict.HELD_WITHOUT_TOLERANCE
    return _counted(ballot, verdict, reason, tolerance=tolerance)


def _counted(
    ballot: Ballot,
    verdict: QuorumVerdict,
    reason: str,
    *,
    tolerance: int | None = None,
    view_is_partial: bool = False,
    would_tell: str = "",
) -> Quorum:
    return Quorum(
        verdict=verdict,
        reason=reason,
        voters=ballot.voters,
        needed=None if ballot.voters is None else quorum_size(ballot.voters),
        answering=ballot.answering,
        agreeing=ballot.agreeing,
        tolerance=tolerance,
        view_is_partial=view_is_partial,
        would_tell=would_tell,
    )


def _unknown(ballot: Ballot, reason: str, would_tell: str) -> Quorum:
    return _counted(ballot, QuorumVerdict.CANNOT_TELL, reason, would_tell=would_tell)


_ASK_THE_NODES = (
    "On each etcd node, see whether the process runs and what it logs (crictl ps -a --name etcd; journalctl -u etcd), "
    "and ask it locally: etcdctl endpoint status --cluster -w table"
)
_REPAIR_OURS = "Repair what is named below on this machine, then look again: etcd-dr health"
_ASK_AGAIN = "A second look with all endpoints configured: etcd-dr members"
_ASK_LONGER = "A second look in a few seconds; if it stays so, the disks or the network are too slow: etcd-dr health"


def _agrees(endpoint: EndpointObservation) -> bool:
    status = endpoint.latest_status
    failed = endpoint.quorum_read.failure is not None and not _proves_quorum(endpoint)
    return bool(status and status.leader_id) and not failed


def _lacks_a_leader(endpoint: EndpointObservation) -> bool:
    status, is_late = endpoint.latest_status, endpoint.quorum_read.failure_code in _UNANSWERED
    return is_late or (status is not None and not status.leader_id)


def _proves_quorum(endpoint: EndpointObservation) -> bool:
    status, read = endpoint.latest_status, endpoint.quorum_read
    denied = read.failure_code == AccessDenied.code and bool(status and status.leader_id)
    return read.is_known or denied


def _behind_leader(present: list[EndpointObservation]) -> int:
    statuses = [e.latest_status for e in present if e.latest_status]
    leaders = {s.member_id for s in statuses if s.is_leader}
    return max((sum(s.leader_id == leader for s in statuses) for leader in leaders), default=0)
