"""Which procedure belongs to which kind of step."""

from __future__ import annotations

from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import ByHand, Step
from etcd_dr.errors import HandsNeeded
from etcd_dr.workflows.recovery.steps import (
    build,
    cluster,
    companions,
    members,
    nodes,
    preflight,
    safety_copy,
    source,
    space,
    stored,
    survivor,
    talos_bootstrap,
    talos_members,
    talos_nodes,
    talos_space,
    talos_verify,
    verify,
)
from etcd_dr.workflows.recovery.steps.procedure import Procedure
from etcd_dr.workflows.recovery.work import Work


def ask_for_hands(step: ByHand, work: Work) -> Facts:
    """Stop here the first time; go on when the recovery is resumed: by then a person says that it is done."""
    if step.id in work.progress().waited_for:
        return {"by": work.by}
    raise HandsNeeded(
        step.instruction,
        subject=step.node or work.plan.cluster,
        next_step=f"When it is done: etcd-dr recover resume {work.recovery_id}",
    )


PROCEDURES = {
    "preflight": Procedure(preflight.preflight),
    "fetch-snapshot": Procedure(source.fetch_stored, holds=source.is_fetched),
    "fetch-survivor": Procedure(survivor.fetch_survivor, holds=source.is_fetched),
    "fence-writers": Procedure(nodes.fence_writers, undo=nodes.lift_fence),
    "lift-fence": Procedure(nodes.lift_fence, undo=nodes.fence_writers),
    "stop-etcd": Procedure(nodes.stop_etcd, undo=nodes.start_what_ran),
    "copy-data": Procedure(safety_copy.copy_data),
    "build-data": Procedure(build.build_data, holds=build.is_built),
    "set-data-aside": Procedure(nodes.set_data_aside, undo=nodes.put_data_back),
    "place-data": Procedure(nodes.place_data, undo=nodes.put_data_back),
    "start-etcd": Procedure(nodes.start_etcd, undo=nodes.stop_again),
    "await-cluster": Procedure(cluster.await_cluster),
    "disarm-alarms": Procedure(space.disarm_alarms),
    "verify-cluster": Procedure(verify.verify_cluster),
    "remove-member": Procedure(members.remove_member),
    "add-learner": Procedure(members.add_learner, undo=members.take_learner_out),
    "promote-learner": Procedure(members.promote_learner, undo=members.take_member_out),
    "compact-history": Procedure(space.compact_history),
    "defragment-member": Procedure(space.defragment_member),
    "put-companions": Procedure(companions.put_companions),
    "accept-cluster-id": Procedure(stored.accept_cluster_id, undo=stored.keep_both_ids),
    "take-snapshot": Procedure(stored.take_fresh_snapshot),
    "talos-preflight": Procedure(talos_nodes.preflight),
    "talos-copy-data": Procedure(talos_nodes.copy_data),
    "talos-wipe": Procedure(talos_nodes.wipe),
    "talos-await-ready": Procedure(talos_nodes.await_ready),
    "talos-bootstrap": Procedure(talos_bootstrap.bootstrap),
    "talos-await-members": Procedure(talos_members.await_members),
    "talos-verify": Procedure(talos_verify.verify),
    "talos-remove-member": Procedure(talos_members.remove_member),
    "talos-reboot": Procedure(talos_nodes.reboot),
    "talos-compact": Procedure(talos_space.compact),
    "talos-defragment": Procedure(talos_space.defragment),
    "talos-disarm": Procedure(talos_space.disarm),
    "by-hand": Procedure(ask_for_hands),
}


def procedure_for(step: Step) -> Procedure:
    """Return how this step is carried out and undone."""
    return PROCEDURES[step.kind]
