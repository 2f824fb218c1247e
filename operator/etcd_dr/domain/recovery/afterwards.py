"""What a person still has to restart or look at when a recovery has ended well.

A new cluster has other revisions and may lack what was written last, and what watched the old one does not notice by
itself: objects are still served from watch caches (kubernetes/kubernetes#118501), kubelets keep pods that no longer
exist or exist again (kubernetes/kubernetes#131115).
"""

from __future__ import annotations

from etcd_dr.domain.recovery.assessment import Assessment, MemberVerdict
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.new_cluster_plan import NewCluster
from etcd_dr.domain.recovery.plan import aside_name

_KUBERNETES = (
    (
        "Restart every kube-apiserver that this recovery did not stop, on other machines too: until then it serves from "
        "its watch cache (kubernetes/kubernetes#118501)."
    ),
    (
        "Restart kube-controller-manager, kube-scheduler and the operators that watch the API, so that they read everything "
        "anew: on kubeadm move their manifests out of /etc/kubernetes/manifests and back."
    ),
    (
        "Restart the kubelets, node by node: systemctl restart kubelet. Pods that were made after the data was saved keep "
        "running unseen otherwise (kubernetes/kubernetes#131115); compare: kubectl get pods -A; crictl ps"
    ),
    "Look at what leads by leases, at service account tokens and at webhooks: kubectl get leases -A; kubectl get events -A",
)
_OTHER_CLIENTS = "Restart what watches this etcd: every old watch ends with 'required revision has been compacted'."


def afterwards(
    assessment: Assessment, way: Way, decided: NewCluster | None, recovery_id: str, *, knows_store: bool
) -> tuple[str, ...]:
    """Return full sentences, in the order in which they are worth doing."""
    told: list[str] = []
    if decided is not None:
        told += _new_cluster(assessment, decided, recovery_id)
        if not knows_store:
            told.append(
                "The store could not be asked when this was planned. If it does not know the new cluster id afterwards, "
                f"say so once: etcd-dr snapshot save --cluster {assessment.cluster} --accept-new-cluster-id"
            )
    if way is Way.REPLACE:
        told.append(
            f"Remove the data set aside (…{aside_name(recovery_id)}) when the member has served well for some days."
        )
    if any(m.cause is Cause.NO_SPACE for m in assessment.members):
        told.append(
            "Find out what filled the database, and raise --quota-backend-bytes if it is simply too small: etcd-dr health"
        )
    told.append(f"See that everything is well: etcd-dr health --cluster {assessment.cluster}")
    return tuple(told)


def _new_cluster(assessment: Assessment, decided: NewCluster, recovery_id: str) -> list[str]:
    has_writers = any(seat.writers for seat in decided.seating.seats) or assessment.platform == "static-pod"
    told = list(_KUBERNETES) if has_writers else [_OTHER_CLIENTS]
    if not decided.bump:
        told.insert(0, "Nothing was bumped, as was wished: restart every client, because revisions are used twice.")
    for sentence in decided.seating.left_out:
        told.append(
            f"Not part of the new cluster: {sentence}. Keep its etcd stopped, empty its data directory, and add it as a "
            "new member: etcdctl member add --learner NAME --peer-urls=URL"
        )
    said_lost = [m.name for m in assessment.members if m.verdict is MemberVerdict.SAID_LOST]
    if said_lost:
        told.append(
            f"Should {', '.join(said_lost)} come back: do not start etcd there; its data is of the old cluster."
        )
    told.append(
        f"The old data lies beside the new as …{aside_name(recovery_id)}; remove it when you are sure, to free its room."
    )
    return told
