"""Reset: which volumes a request means, what the node says against it, and the phases it goes through.

An empty list of labels means the whole system disk: the machine loses its configuration too (docs of `talosctl
reset`, and ResetSystemDisk in the sequencer). Nothing here softens that.
"""

from __future__ import annotations

import uuid

from etcd_dr.adapters.talos.proto import machine_pb2
from real.peers.talos.calls import unknown
from real.peers.talos.leaving import leave_cluster
from real.peers.talos.machine import Machine

_Mode = machine_pb2.ResetRequest.WipeMode


async def reset(machine: Machine, request: machine_pb2.ResetRequest) -> machine_pb2.ResetResponse:
    """Check the request, begin the sequence in the background, and answer with its actor id."""
    labels = _labels(machine, request)
    wipes_everything = not labels and request.mode != _Mode.Value("USER_DISKS")
    actor_id = str(uuid.uuid4())
    machine.enter_stage("resetting")

    async def leave() -> None:
        await leave_cluster(machine)

    async def reset_spec() -> None:
        if wipes_everything or "EPHEMERAL" in labels:
            machine.wipe_ephemeral()
        if wipes_everything or "ETCD" in labels:
            machine.wipe_etcd_volume()
        if wipes_everything or "STATE" in labels:
            machine.wipe_state()

    phases = [
        *([leave] if request.graceful and machine.node.is_control_plane else []),
        machine.stop_services,
        reset_spec,
        machine.restart if request.reboot else machine.shutdown,
    ]
    machine.begin("reset", phases, actor_id=actor_id)
    return machine_pb2.ResetResponse(messages=[machine_pb2.Reset(actor_id=actor_id)])


def _labels(machine: Machine, request: machine_pb2.ResetRequest) -> set[str]:
    """Return the labels to wipe. Raises the refusal of one that is not there or has no partition of its own."""
    if request.system_partitions_to_wipe and request.mode == _Mode.Value("USER_DISKS"):
        raise unknown(
            "reset failed: invalid input, wipe mode USER_DISKS doesn't support SystemPartitionsToWipe parameter"
        )
    for spec in request.system_partitions_to_wipe:
        if spec.label == "ETCD" and not machine.node.settings.etcd_volume:
            raise unknown('failed to reset: volume "ETCD" resides on volume "EPHEMERAL", wipe "EPHEMERAL" to reset it')
        if spec.label not in {"EPHEMERAL", "STATE", "ETCD"}:
            resource = f"VolumeStatuses.block.talos.dev(runtime/{spec.label}@undefined)"
            raise unknown(f'failed to get volume status with label "{spec.label}": resource {resource} doesn\'t exist')
    return {spec.label for spec in request.system_partitions_to_wipe if spec.wipe}
