"""Wait until the cluster serves as one, with the ids that were computed for it."""

from __future__ import annotations

from etcd_dr.domain.cluster import MemberList, MemberStatus, id_text
from etcd_dr.domain.recovery.clues import log_end
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.sight import ProcessState
from etcd_dr.domain.recovery.step import AwaitCluster, StartEtcd
from etcd_dr.errors import EtcdError, NodeError, NodeFault, VerificationFailed
from etcd_dr.workflows.recovery.work import Work

_LOOK_AT_PROCESSES_EVERY = 5.0


def await_cluster(step: AwaitCluster, work: Work) -> Facts:
    """Return once every endpoint serves, sees the same leader, and all members vote.

    Raises VerificationFailed at once where a wrong cluster or member answers, MemberTimeout after the deadline.
    """
    problem = "no member was asked yet"
    watch = _ProcessWatch(work)

    def look() -> Facts | None:
        nonlocal problem
        watch.check()
        try:
            statuses = {endpoint: _served(endpoint, work) for endpoint in step.endpoints}
        except EtcdError as error:
            problem = f"{error.subject}: {error.message}"
            return None
        _check_ids(step, statuses)
        problem = _not_one(statuses)
        if problem:
            return None
        members = _member_list(step.endpoints[0], work)
        problem = _not_whole(members, statuses, besides=step.may_be_absent)
        return None if problem else _facts(statuses)

    return work.wait_for(look, seconds=step.deadline_seconds, problem=lambda: problem)


class _ProcessWatch:
    """Looks now and then whether the etcd that was started still runs: one that ended will not serve by waiting."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._nodes = [step.node for step in work.plan.steps if isinstance(step, StartEtcd)]
        self._next_look = work.ports.clock.monotonic() + _LOOK_AT_PROCESSES_EVERY
        self._ended: set[str] = set()

    def check(self) -> None:
        """Raise NodeFault where etcd did not run at two looks in a row. A node that cannot be reached is no reason."""
        clock = self._work.ports.clock
        if clock.monotonic() < self._next_look:
            return
        ended = {name for name in self._nodes if self._has_ended(name, seen_before=name in self._ended)}
        self._ended = ended
        self._next_look = clock.monotonic() + _LOOK_AT_PROCESSES_EVERY

    def _has_ended(self, name: str, *, seen_before: bool) -> bool:
        try:
            sight = self._work.node(name).look(deadline=self._work.node_deadline)
        except NodeError:
            return False
        if sight.process is not ProcessState.STOPPED:
            return False
        if seen_before:
            raise NodeFault(
                "etcd was started and has ended",
                subject=name,
                next_step=f"Remove what keeps it from starting.{log_end(sight.log_tail)}",
                context={"log": "\n".join(sight.log_tail[-8:])},
            )
        return True


def _served(endpoint: str, work: Work) -> MemberStatus:
    """Return the status of a member that reads through quorum."""
    deadline = work.ports.limits.call_deadline
    with work.member(endpoint) as member:
        status = member.status(deadline=deadline)
        if not status.is_learner:
            member.read(linearizable=True, deadline=deadline)
        return status


def _check_ids(step: AwaitCluster, statuses: dict[str, MemberStatus]) -> None:
    for endpoint, status in statuses.items():
        cluster_id = id_text(status.cluster_id)
        if step.cluster_id is not None and cluster_id != step.cluster_id:
            raise _wrong(endpoint, f"serves cluster {cluster_id}, expected {step.cluster_id}")
    answered = {id_text(status.member_id) for status in statuses.values()}
    missing = {name: member_id for name, member_id in step.member_ids.items() if member_id not in answered}
    if missing:
        told = ", ".join(f"{name} {member_id}" for name, member_id in missing.items())
        raise _wrong(
            ", ".join(statuses), f"lead to members {', '.join(sorted(answered))}, and {told} is not among them"
        )


def _wrong(endpoint: str, message: str) -> VerificationFailed:
    return VerificationFailed(
        message,
        subject=endpoint,
        next_step="An old member may still run there, or the endpoint leads elsewhere. Stop it, and resume.",
    )


def _not_one(statuses: dict[str, MemberStatus]) -> str:
    """Say why these members are no single cluster yet; empty: they are."""
    if len({status.cluster_id for status in statuses.values()}) != 1:
        return "the endpoints lead to several clusters"
    if len({status.member_id for status in statuses.values()}) != len(statuses):
        return "two endpoints lead to the same member"
    leaders = {status.leader_id for status in statuses.values()}
    if leaders & {0} or len(leaders) != 1:
        return "the members do not agree on a leader yet"
    learners = [endpoint for endpoint, status in statuses.items() if status.is_learner]
    return f"{', '.join(learners)} does not vote yet" if learners else ""


def _member_list(endpoint: str, work: Work) -> MemberList | None:
    try:
        with work.member(endpoint) as member:
            return member.member_list(linearizable=True, deadline=work.ports.limits.call_deadline)
    except EtcdError:
        return None


def _not_whole(members: MemberList | None, statuses: dict[str, MemberStatus], *, besides: tuple[str, ...]) -> str:
    """Say who is missing; `besides` are the ids of members that the plan does not bring back."""
    if members is None:
        return "the member list cannot be read yet"
    awaited = [member for member in members.members if id_text(member.id) not in besides]
    learners = [member.label for member in awaited if member.is_learner]
    if learners:
        return f"member {learners[0]} does not vote yet"
    answered = {status.member_id for status in statuses.values()}
    silent = [member.label for member in awaited if member.id not in answered]
    return f"member {', '.join(silent)} is in the list and does not answer" if silent else ""


def _facts(statuses: dict[str, MemberStatus]) -> Facts:
    first = next(iter(statuses.values()))
    return {
        "cluster_id": id_text(first.cluster_id),
        "leader_id": id_text(first.leader_id),
        "members": len(statuses),
        "version": first.version,
    }
