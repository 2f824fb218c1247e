"""Steps on one node: writers fenced, etcd stopped and started, data set aside and placed.

The nodes remember by the recovery's id what ran before (ports/control_plane.py), so each of these may be repeated, and
an undo knows what to bring back even where the answer to the first call was lost.
"""

from __future__ import annotations

from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.sight import NodeSight, ProcessState
from etcd_dr.domain.recovery.step import FenceWriters, LiftFence, PlaceData, SetDataAside, StartEtcd, StopEtcd
from etcd_dr.errors import NodeFault, RecoveryError
from etcd_dr.ports.control_plane import Node
from etcd_dr.workflows.recovery.steps.build import built_directory
from etcd_dr.workflows.recovery.work import Work


def fence_writers(step: FenceWriters | LiftFence, work: Work) -> Facts:
    node = work.node(step.node)
    names = node.fence_writers(recovery_id=work.recovery_id, deadline=work.node_deadline)
    return {"writers": ", ".join(names)}


def lift_fence(step: FenceWriters | LiftFence, work: Work) -> Facts:
    node = work.node(step.node)
    names = node.lift_fence(recovery_id=work.recovery_id, deadline=work.node_deadline)
    return {"writers": ", ".join(names)}


def stop_etcd(step: StopEtcd, work: Work) -> Facts:
    """Stop etcd and look that its process is gone."""
    node = work.node(step.node)
    ran_before = node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    sight = _look(node, work)
    if sight.process is ProcessState.RUNNING:
        raise NodeFault("etcd runs again after it was stopped", subject=node.name, next_step=_WHO_STARTS_IT)
    return {"ran_before": ran_before}


def start_what_ran(step: StopEtcd, work: Work) -> Facts:
    """Start etcd again where it ran before, the way it was started then."""
    node = work.node(step.node)
    ran_before = node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    node.restore_launch(recovery_id=work.recovery_id, deadline=work.node_deadline)
    if ran_before:
        node.start_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    return {"started": ran_before}


def set_data_aside(step: SetDataAside, work: Work) -> Facts:
    """Move the old data aside. An etcd that somebody started meanwhile is stopped: it would write on in what is moved."""
    node = work.node(step.node)
    node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    aside = node.set_data_aside(recovery_id=work.recovery_id, deadline=work.node_deadline)
    return {"aside": aside}


def put_data_back(step: SetDataAside | PlaceData, work: Work) -> Facts:
    """Stop etcd and give what was set aside its name back; what was placed stays beside it as abandoned."""
    node = work.node(step.node)
    node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    deadline = work.ports.limits.copy_deadline(0)
    return {"put_back": node.put_data_back(recovery_id=work.recovery_id, deadline=deadline)}


def place_data(step: PlaceData, work: Work) -> Facts:
    """Bring the built directory to the node, and look that it lies there with the cluster id of the plan."""
    node, built = work.node(step.node), work.facts_of("build-data", member=step.member)
    if built is None:
        raise RecoveryError(f"the data of member {step.member} was not built", subject=work.recovery_id)
    node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)  # somebody may have started it again
    deadline = work.ports.limits.copy_deadline(int(built.get("database_bytes") or 0))
    node.place_data(built_directory(work, step.member), recovery_id=work.recovery_id, deadline=deadline)
    data = _look(node, work).data
    expected = work.plan.expected
    if data is None or data.is_empty:
        raise NodeFault("the data directory is not there after it was placed", subject=node.name)
    if expected is not None and data.cluster_id is not None and f"{data.cluster_id:x}" != expected.cluster_id:
        raise NodeFault(
            f"the data placed belongs to cluster {data.cluster_id:x}, the plan expects {expected.cluster_id}",
            subject=node.name,
        )
    return {"directory": data.directory, "database_bytes": data.database_bytes}


def start_etcd(step: StartEtcd, work: Work) -> Facts:
    node = work.node(step.node)
    node.start_etcd(recovery_id=work.recovery_id, joins=step.joins, deadline=work.node_deadline)
    return {}


def stop_again(step: StartEtcd, work: Work) -> Facts:
    """Stop the etcd that this recovery started, and bring back the way it was started before."""
    node = work.node(step.node)
    node.stop_etcd(recovery_id=work.recovery_id, deadline=work.node_deadline)
    node.restore_launch(recovery_id=work.recovery_id, deadline=work.node_deadline)
    return {}


def _look(node: Node, work: Work) -> NodeSight:
    return node.look(deadline=work.node_deadline)


_WHO_STARTS_IT = "Find out what starts it on that node (a unit, a kubelet, a script), stop that, and resume."
