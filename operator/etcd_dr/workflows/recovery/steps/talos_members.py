"""Members of a Talos cluster: removed by id, and followed while they join by themselves.

- etcd takes one learner at a time; Talos adds itself as one, again and again for half an hour, and promotes it for ten
  minutes. Nothing in Talos' API promotes a learner, and none is promoted after a reboot (siderolabs/talos#13710): such
  a one is named, with what to do.
- Members are told apart by id: names may be missing for a while (siderolabs/talos PR 13797).
"""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.domain.cluster import Member, id_text, parse_id_text
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.talos_step import TalosAwaitMembers, TalosRemoveMember
from etcd_dr.errors import EtcdError, NodeFault, RecoveryError
from etcd_dr.ports.talos import TalosActor
from etcd_dr.workflows.recovery.talos_work import (
    driver_of,
    look_at_node,
    talos_node,
    talos_of,
    through_any,
    wait_for_nodes,
)
from etcd_dr.workflows.recovery.work import SETTLING_SECONDS, Work

_STOPPED_FIRST = "context canceled"


def remove_member(step: TalosRemoveMember, work: Work) -> Facts:
    """Remove the member where it is still listed; an election that cuts it off is waited out.

    Raises MemberTimeout with what the last node said, AccessDenied, TlsRefused, Cancelled.
    """
    member_id = parse_id_text(step.member_id)
    if member_id is None:
        raise RecoveryError(f"{step.member_id!r} is not a member id", subject=work.recovery_id)
    limits, was_listed = driver_of(work).limits, False

    def remove(node: TalosActor) -> bool:
        nonlocal was_listed
        members = node.etcd_members(local=True, deadline=limits.call_deadline)
        if any(member.id == member_id for member in members):
            was_listed = True
            _remove(node, member_id, deadline=limits.change_deadline)
        return was_listed

    wait_for_nodes(
        work,
        lambda: through_any(work, step.via, remove),
        seconds=SETTLING_SECONDS,
        problem=lambda: "no node answered",
    )
    return {"was_listed": was_listed}


def _remove(node: TalosActor, member_id: int, *, deadline: float) -> None:
    try:
        node.remove_member(member_id, deadline=deadline)
    except EtcdError as error:  # a removal that was cut off before may have come through after the list was read
        if "member not found" not in str(error.context.get("detail", "")):
            raise


def await_members(step: TalosAwaitMembers, work: Work) -> Facts:
    """Return when all named nodes are healthy voters. Raises NodeFault for one that failed or stays a
    learner, MemberTimeout with names."""
    watch = _Joining(step, work)
    return wait_for_nodes(work, watch.look, seconds=step.deadline_seconds, problem=watch.problem)


class _Joining:
    """What was seen of the nodes that join: who is a learner, and since when."""

    def __init__(self, step: TalosAwaitMembers, work: Work) -> None:
        self._step = step
        self._work = work
        self._learner_since: dict[int, float] = {}
        self._problem = "nothing was seen yet"

    def problem(self) -> str:
        return self._problem

    def look(self) -> Facts | None:
        limits = driver_of(self._work).limits
        with talos_node(self._work, self._step.via) as node:
            members = node.etcd_members(local=True, deadline=limits.call_deadline)
        self._check_learners(members)
        waiting = [told for name in self._step.nodes if (told := self._why_not(name, members))]
        others = [m for m in members if id_text(m.id) not in self._step.may_be_absent]
        waiting += [f"{m.label} ({id_text(m.id)}) is a learner" for m in others if m.is_learner]
        self._problem = "; ".join(dict.fromkeys(waiting))
        if waiting:
            return None
        return {"members": ", ".join(f"{m.name or 'nameless'} {id_text(m.id)}" for m in members)}

    def _why_not(self, name: str, members: Sequence[Member]) -> str:
        """Return what is missing before a node is a healthy voter. Raises NodeFault where it will not become one."""
        try:
            told = talos_of(look_at_node(self._work, name))
        except EtcdError as error:
            return f"{name}: {error.message}"
        if told.service_state == "Failed" and _STOPPED_FIRST not in told.service_text:
            raise NodeFault(
                f"etcd could not join: {told.service_text}",
                subject=name,
                next_step="Talos gave up after its half hour. Reboot it, then resume: talosctl reboot --nodes "
                f"{name}. A half-made member stands in the way up to 1.13; see: etcd-dr doctor",
                context={"service_text": told.service_text},
            )
        if told.service_state != "Running" or not told.is_healthy:
            return f"{name}: etcd is {told.service_state}: {told.service_text}"
        with talos_node(self._work, name) as node:
            status = node.etcd_status(deadline=driver_of(self._work).limits.call_deadline)
        listed = next((member for member in members if member.id == status.member_id), None)
        if listed is None:
            return f"{name}: its member {id_text(status.member_id)} is not listed"
        return f"{name}: it is a learner" if listed.is_learner or status.is_learner else ""

    def _check_learners(self, members: Sequence[Member]) -> None:
        """Raise NodeFault for a learner that Talos has given up: it stays one, and keeps the next from joining."""
        now, limit = self._work.ports.clock.monotonic(), driver_of(self._work).limits.promotion
        for member in members:
            if not member.is_learner or id_text(member.id) in self._step.may_be_absent:
                self._learner_since.pop(member.id, None)
                continue
            since = self._learner_since.setdefault(member.id, now)
            if now - since >= limit:
                member_id = id_text(member.id)
                raise NodeFault(
                    f"{member.label} ({member_id}) stays a learner: Talos tried to promote it for ten minutes, and "
                    "does so no more",
                    subject=self._work.plan.cluster,
                    next_step=f"Remove it and wipe its node: talosctl etcd remove-member {member_id} --nodes "
                    f"{self._step.via}; talosctl reset --graceful=false --reboot --system-labels-to-wipe EPHEMERAL "
                    "--nodes ITS-ADDRESS; then resume. It joins anew.",
                    context={"member": member.name, "member_id": member_id, "reason": "learner-stuck"},
                )
