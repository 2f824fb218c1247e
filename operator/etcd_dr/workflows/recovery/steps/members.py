"""Members that leave and come: removed, added as learners, promoted.

A member is found by its id or its peer URLs, never by the order of calls: each of these may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable

from etcd_dr.domain.cluster import Member, MemberList, id_text, parse_id_text
from etcd_dr.domain.recovery.clues import log_end
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.sight import NodeSight, ProcessState
from etcd_dr.domain.recovery.step import AddLearner, PromoteLearner, RemoveMember, StartEtcd
from etcd_dr.errors import EtcdError, NodeError, NodeFault, RecoveryError
from etcd_dr.ports.control_plane import Node
from etcd_dr.workflows.recovery.work import Work

_START_AGAIN_EVERY = 3.0
_STARTS_AGAIN = 5
_PASSES = ("unhealthy", "not-ready", "id-removed", "exists", "not-found", "not-learner")
"""Refusals after which the list is looked at again: etcd is not ready for the change yet, or, by the last three, it is
done: a call that an election cut off may come through after the list was read."""


def remove_member(step: RemoveMember, work: Work) -> Facts:
    member_id = parse_id_text(step.member_id)
    if member_id is None:
        raise RecoveryError(f"{step.member_id!r} is not a member id", subject=work.recovery_id)
    return {"was_there": _remove(work, lambda endpoint: _members(work, endpoint).by_id(member_id))}


def add_learner(step: AddLearner, work: Work) -> Facts:
    """Add the learner; one that an earlier call added is kept. Raises RecoveryError where a voter has its URLs.

    A voter that lost its data must never come back under its old id: it may vote against what it agreed to before.
    """

    def add() -> Facts:
        endpoint = work.quorum_endpoint()
        found = _by_peer_urls(work, endpoint, step.peer_urls)
        if found is not None and not found.is_learner:
            raise RecoveryError(
                f"member {found.label} ({id_text(found.id)}) votes with the same peer URLs, and would come back "
                "without its data",
                subject=work.plan.cluster,
                next_step=f"It must be removed first. Take this back: etcd-dr recover abort {work.recovery_id}, and "
                "make a new plan: etcd-dr recover plan",
            )
        if found is not None:
            return {"member_id": id_text(found.id), "was_there": True}
        with work.admin(endpoint) as admin:
            member = admin.add_learner(step.peer_urls, deadline=work.ports.limits.change_deadline)
        return {"member_id": id_text(member.id), "was_there": False}

    return work.patiently(add, refusals=_PASSES)


def take_learner_out(step: AddLearner, work: Work) -> Facts:
    """Remove the learner that was added; one that votes already stays: the cluster would lose a member."""

    def learner(endpoint: str) -> Member | None:
        found = _by_peer_urls(work, endpoint, step.peer_urls)
        return found if found is not None and found.is_learner else None

    return {"removed": _remove(work, learner)}


def promote_learner(step: PromoteLearner, work: Work) -> Facts:
    """Promote as soon as etcd says that the learner has caught up, and it runs.

    A leader judges by how far a learner came, also after that one has ended (server.go, isLearnerReady); as a voter that
    is down it would count against the quorum.
    """
    joining = _JoiningProcess(step, work)

    def promote() -> Facts:
        endpoint = work.quorum_endpoint()
        found = _by_peer_urls(work, endpoint, step.peer_urls)
        if found is None:
            raise RecoveryError(f"member {step.member} is not in the member list any more", subject=work.plan.cluster)
        if found.is_learner:
            joining.demand_running()
            with work.admin(endpoint) as admin:
                admin.promote(found.id, deadline=work.ports.limits.change_deadline)
        return {"member_id": id_text(found.id)}

    return work.patiently(promote, refusals=_PASSES, seconds=step.deadline_seconds)


class _JoiningProcess:
    """Starts the etcd that joins again where it has ended.

    It asks the first member that answers for the member list, and ends with "member count is unequal" where that one
    has not applied the addition yet (server/etcdserver/bootstrap.go). Not everything that runs etcd starts it again.
    """

    def __init__(self, step: PromoteLearner, work: Work) -> None:
        self._work = work
        starts = [s for s in work.plan.steps if isinstance(s, StartEtcd) and step.member in (s.joins or {})]
        self._start = starts[0] if starts else None
        self._again = 0
        self._next_start = work.ports.clock.monotonic() + _START_AGAIN_EVERY

    def demand_running(self) -> None:
        """Raise EtcdError where it does not run now, and start it again now and then.

        Raises NodeFault where it has ended again and again. A node that cannot be looked at is no reason to wait.
        """
        if self._start is None:
            return
        node = self._work.node(self._start.node)
        try:
            sight = node.look(deadline=self._work.node_deadline)
        except NodeError:
            return
        if sight.process is not ProcessState.STOPPED:
            return
        if self._work.ports.clock.monotonic() >= self._next_start:
            self._start_again(self._start, node, sight)
        raise EtcdError(
            "the etcd that joins has ended, and is started again", subject=node.name, context={"reason": "not-ready"}
        )

    def _start_again(self, start: StartEtcd, node: Node, sight: NodeSight) -> None:
        if self._again == _STARTS_AGAIN:
            raise NodeFault(
                f"etcd was started {1 + self._again} times to join, and has ended each time",
                subject=node.name,
                next_step=f"Remove what keeps it from starting, and resume.{log_end(sight.log_tail)}",
                context={"log": "\n".join(sight.log_tail[-8:])},
            )
        self._again += 1
        node.start_etcd(recovery_id=self._work.recovery_id, joins=start.joins, deadline=self._work.node_deadline)
        self._next_start = self._work.ports.clock.monotonic() + _START_AGAIN_EVERY


def take_member_out(step: PromoteLearner, work: Work) -> Facts:
    """Remove the member that was let vote: its node is about to get its old data back, or none."""
    return {"removed": _remove(work, lambda endpoint: _by_peer_urls(work, endpoint, step.peer_urls))}


def _members(work: Work, endpoint: str) -> MemberList:
    with work.member(endpoint) as member:
        return member.member_list(linearizable=True, deadline=work.ports.limits.call_deadline)


def _by_peer_urls(work: Work, endpoint: str, peer_urls: tuple[str, ...]) -> Member | None:
    wanted = set(peer_urls)
    return next((m for m in _members(work, endpoint).members if set(m.peer_urls) == wanted), None)


def _remove(work: Work, find: Callable[[str], Member | None]) -> bool:
    """Remove the member that `find` sees from an endpoint, and tell whether it was there when we came."""
    was_there = False

    def remove() -> bool:
        nonlocal was_there
        endpoint = work.quorum_endpoint()
        found = find(endpoint)
        if found is not None:
            was_there = True
            with work.admin(endpoint) as admin:
                admin.remove_member(found.id, deadline=work.ports.limits.change_deadline)
        return was_there

    return work.patiently(remove, refusals=_PASSES)
