"""What a person still has to restart or look at when a recovery on Talos has ended well."""

from __future__ import annotations

from etcd_dr.domain.recovery.assessment import Assessment, MemberVerdict
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.seats import Seating

_KUBERNETES = (
    (
        "Restart the kubelets, on workers too, node by node: talosctl service kubelet restart --nodes ADDRESS. Pods made "
        "after the data was saved keep running unseen otherwise (kubernetes/kubernetes#131115)."
    ),
    (
        "Restart kube-apiserver, kube-controller-manager and kube-scheduler on nodes that were not rebooted, and the "
        "operators that watch the API: their caches are older than the data (kubernetes/kubernetes#118501)."
    ),
    (
        "Wiped nodes have lost their images, pod state and local volumes: see what does not start. kubectl get pods -A; "
        "kubectl get events -A"
    ),
)


def talos_afterwards(assessment: Assessment, way: Way, seating: Seating) -> tuple[str, ...]:
    """Return full sentences, in the order in which they are worth doing."""
    told: list[str] = []
    if way in (Way.RESTORE, Way.REBUILD):
        told += _KUBERNETES
        said_lost = [m.name for m in assessment.members if m.verdict is MemberVerdict.SAID_LOST]
        if said_lost:
            told.append(
                f"Should {', '.join(said_lost)} come back: wipe it before it sees the network. Its data could make it part "
                "of the new cluster: talosctl reset --graceful=false --reboot --system-labels-to-wipe EPHEMERAL"
            )
        told += [f"Not part of the new cluster: {sentence}" for sentence in seating.left_out]
        told.append(
            "What was copied off the nodes before the wipe lies in the recovery's directory on this machine, in copies; "
            "remove it when you are sure."
        )
    told.append(f"See that everything is well: etcd-dr doctor --cluster {assessment.cluster}")
    return tuple(told)
