"""Make room in the databases of a Talos cluster and take alarms back.

- Talos' API defragments the member of the node that is asked, and takes back all alarms at once; os:operator is enough.
- It cannot compact: that is done through etcd's own API where its certificates are configured beside Talos, and said
  where they are not.
- An alarm NOSPACE is taken back only where every database is below its quota, or it would be raised by the next write.
"""

from __future__ import annotations

from dataclasses import replace

from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import CompactHistory
from etcd_dr.domain.recovery.talos_step import TalosCompact, TalosDefragment, TalosDisarm
from etcd_dr.domain.talos import ETCD_SPEC, etcd_quota_bytes
from etcd_dr.errors import AccessDenied, VerificationFailed
from etcd_dr.ports.talos import TalosActor
from etcd_dr.workflows.recovery.steps.space import compact_history, disarmed_facts
from etcd_dr.workflows.recovery.talos_work import driver_of, talos_node, through_any, wait_for_nodes
from etcd_dr.workflows.recovery.work import SETTLING_SECONDS, Work

_GIB = 1 << 30
_SHARE = 0.95
_NOSPACE = "NOSPACE"


def compact(step: TalosCompact, work: Work) -> Facts:
    """Compact to the revision that is current now, where etcd's own API is configured."""
    etcd = driver_of(work).etcd
    if etcd is None:
        return {"was_compacted": False, "why": "etcd's certificates are not configured, and Talos has no such call"}
    through_etcd = replace(work, ports=replace(work.ports, connector=etcd))
    wanted = CompactHistory(id=step.id, phase=step.phase, title=step.title, why=step.why, check=step.check)
    return compact_history(wanted, through_etcd) | {"was_compacted": True}


def defragment(step: TalosDefragment, work: Work) -> Facts:
    """Rewrite the member's database, and say what it had and has."""
    limits = driver_of(work).limits
    with talos_node(work, step.node) as node:
        before = node.etcd_status(deadline=limits.call_deadline).db_size_bytes
        node.defragment(deadline=limits.change_deadline + 120.0 * (1 + before / _GIB))
        after = node.etcd_status(deadline=limits.change_deadline).db_size_bytes
    return {"before_bytes": before, "after_bytes": after}


def disarm(step: TalosDisarm, work: Work) -> Facts:
    """Take the alarms back; etcd asks and answers that through quorum, so an election is waited out.

    Raises VerificationFailed where others are raised, or where there is still no room; MemberTimeout.
    """
    disarmed = dict[str, None]()
    left = wait_for_nodes(
        work, lambda: _disarm(step, work, disarmed), seconds=SETTLING_SECONDS, problem=lambda: "no node answered"
    )
    return disarmed_facts(disarmed, left, work)


def _disarm(step: TalosDisarm, work: Work, disarmed: dict[str, None]) -> list[str]:
    """Take back what is raised now, note it in `disarmed`, and return the kinds that are raised afterwards."""
    limits = driver_of(work).limits
    raised = through_any(work, step.via, lambda node: node.etcd_alarms(deadline=limits.call_deadline))
    others = sorted({alarm.kind for alarm in raised} - set(step.kinds))
    if others:
        raise VerificationFailed(
            f"the alarm {' and '.join(others)} was raised meanwhile, and Talos takes back all at once",
            subject=work.plan.cluster,
            next_step=f"Abort this one and plan anew: etcd-dr recover abort {work.recovery_id}; etcd-dr recover plan",
        )
    if not raised:
        return []
    if _NOSPACE in step.kinds:
        _check_room(step, work)
    disarmed |= {f"{alarm.kind}:{alarm.member_id:x}": None for alarm in raised}
    through_any(work, step.via, lambda node: node.disarm_alarms(deadline=limits.change_deadline))
    left = through_any(work, step.via, lambda node: node.etcd_alarms(deadline=limits.call_deadline))
    return sorted({alarm.kind for alarm in left})


def _check_room(step: TalosDisarm, work: Work) -> None:
    for name in step.via:
        with talos_node(work, name) as node:
            size = node.etcd_status(deadline=driver_of(work).limits.call_deadline).db_size_bytes
            quota = _quota(node, deadline=driver_of(work).limits.call_deadline)
        if size >= quota * _SHARE:
            raise VerificationFailed(
                f"its database still has {size >> 20} MiB of {quota >> 20} MiB: the alarm would come again with the next "
                "write",
                subject=name,
                next_step="Configure etcd's certificates beside talos (etcd: endpoints, cacert, cert, key), so that the "
                "history can be compacted, and plan anew; or raise cluster.etcd.extraArgs.quota-backend-bytes: talosctl "
                f"-n {name} edit machineconfig, and reboot node by node. Then: etcd-dr recover resume {work.recovery_id}",
                context={"db_size_bytes": size, "quota_bytes": quota},
            )


def _quota(node: TalosActor, *, deadline: float) -> int:
    """Return the quota that etcd is started with; without os:reader nobody says it, and etcd's default counts."""
    try:
        found = node.resource(ETCD_SPEC, "etcd", deadline=deadline)
    except AccessDenied:
        found = None
    return etcd_quota_bytes(found.spec if found is not None else None)
