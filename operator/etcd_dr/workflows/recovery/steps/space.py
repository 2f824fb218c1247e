"""Make room in the database and take alarms back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import CompactHistory, DefragmentMember, DisarmAlarms
from etcd_dr.errors import VerificationFailed
from etcd_dr.workflows.recovery.work import Work

_GIB = 1 << 30


def compact_history(_: CompactHistory, work: Work) -> Facts:
    """Compact to the revision that is current now."""

    def compact() -> Facts:
        endpoint = work.quorum_endpoint()
        with work.member(endpoint) as member:
            revision = member.read(linearizable=True, deadline=work.ports.limits.call_deadline)
        with work.admin(endpoint) as admin:
            admin.compact(revision, deadline=10 * work.ports.limits.change_deadline)
        return {"revision": revision}

    return work.patiently(compact)


def defragment_member(step: DefragmentMember, work: Work) -> Facts:
    """Rewrite the member's database, and say what it had and has."""
    limits, sizes = work.ports.limits, list[int]()

    def defragment() -> Facts:
        with work.member(step.endpoint) as member:
            sizes.append(member.status(deadline=limits.call_deadline).db_size_bytes)
            with work.admin(step.endpoint) as admin:
                admin.defragment(deadline=limits.change_deadline + 120.0 * (1 + sizes[-1] / _GIB))
            after = member.status(deadline=limits.change_deadline).db_size_bytes
        return {"before_bytes": sizes[0], "after_bytes": after}

    return work.patiently(defragment)


def disarm_alarms(step: DisarmAlarms, work: Work) -> Facts:
    """Take back the alarms of the named kinds, whichever member they name, and look that they stay away."""
    kinds = {alarm.partition(":")[0].partition(" ")[0] for alarm in step.alarms}
    deadline, disarmed = work.ports.limits.change_deadline, dict[str, None]()

    def disarm() -> list[str]:
        endpoint = work.quorum_endpoint()
        with work.member(endpoint) as member, work.admin(endpoint) as admin:
            for alarm in member.alarms(deadline=deadline):
                if alarm.kind in kinds:
                    disarmed[f"{alarm.kind}:{alarm.member_id:x}"] = None
                    admin.disarm(alarm, deadline=deadline)
            return [alarm.kind for alarm in member.alarms(deadline=deadline) if alarm.kind in kinds]

    left = work.patiently(disarm)
    return disarmed_facts(disarmed, left, work)


def disarmed_facts(disarmed: Iterable[str], left: Sequence[str], work: Work) -> Facts:
    """Return which alarms were taken back. Raises VerificationFailed where kinds are `left`, raised again at once."""
    if left:
        raise VerificationFailed(
            f"alarms are raised again at once: {', '.join(left)}",
            subject=work.plan.cluster,
            next_step=f"Their cause is still there. Remove it, then: etcd-dr recover resume {work.recovery_id}",
        )
    return {"disarmed": ", ".join(disarmed)}
