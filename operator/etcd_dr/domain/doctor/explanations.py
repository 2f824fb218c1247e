"""What each code means, for `doctor --explain CODE` and docs/talos.md.

`symptom` is what people see, `checked` which question to the node finds it, `remedy` what to do and why.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    symptom: str
    checked: str
    remedy: str


def _e(symptom: str, checked: str, remedy: str) -> Explanation:
    return Explanation(symptom, checked, remedy)


EXPLANATIONS: dict[str, Explanation] = {
    "talos.unreachable": _e(
        "talosctl hangs or says connection refused for a node.",
        "A connection to port 50000 of each node's own address, and the call Version.",
        "Bring the node up, or open the port. Never use the VIP as an address for Talos: it goes with etcd's quorum.",
    ),
    "talos.tls": _e(
        "x509: certificate signed by unknown authority, or a handshake that is refused.",
        "The TLS handshake, and our certificate's dates.",
        "Use the talosconfig of this cluster and this generation of it. A node without configuration (maintenance) "
        "shows a certificate of its own: apply its configuration first.",
    ),
    "talos.certificate": _e(
        "Everything is refused from one day to the next.",
        "The dates of the client certificate in the talosconfig.",
        "Certificates of talosctl live for a year. Make a new one while the old one works, and keep one with os:admin "
        "outside of the cluster, because those in pods live for six hours and die with etcd.",
    ),
    "talos.nodes_unseen": _e(
        "The doctor shows fewer nodes than there are.",
        "The member list against the nodes that were asked.",
        "A talosconfig often names one node. Name all of them with --nodes, or in talos.nodes.",
    ),
    "talos.role": _e(
        "PermissionDenied: not authorized.",
        "The roles in the client certificate against what each call needs.",
        "os:etcd:backup takes snapshots, os:reader looks, os:operator defragments, os:admin recovers.",
    ),
    "etcd.quorum_lost": _e(
        "The API server answers nothing, every etcd call hangs.",
        "EtcdMemberList through quorum, on every node.",
        "Bring back nodes with their disks. A restore is the last way, because it loses what came after the snapshot.",
    ),
    "etcd.no_tolerance": _e(
        "All works, and one node is down.",
        "EtcdStatus of every voter.",
        "Take a snapshot, then bring the node back or replace it, before anything else is changed.",
    ),
    "etcd.several_leaders": _e(
        "Members disagree about the leader.",
        "The leader in EtcdStatus of every node.",
        "Normal for seconds during an election. If it stays, there are two clusters: decide by hand which one lives.",
    ),
    "etcd.no_leader": _e(
        "etcd runs and no write goes through.",
        "The leader in EtcdStatus.",
        "See which members are silent, and the network between them.",
    ),
    "etcd.behind": _e(
        "A member answers with old data.",
        "Committed against applied raft index.",
        "Look at its disk; a snapshot is not taken from it.",
    ),
    "etcd.single": _e(
        "There is one control plane node.",
        "EtcdMemberList.",
        "Its disk is the cluster: take snapshots often, and test a restore.",
    ),
    "etcd.member_count": _e(
        "An even number of members, or more than five.",
        "EtcdMemberList.",
        "With two members the loss of either is an outage (siderolabs/talos#9276). Have three or five.",
    ),
    "etcd.views_differ": _e(
        "talosctl etcd members differs from node to node.",
        "EtcdMemberList with query_local on every node, compared by id.",
        "Two bootstraps make two clusters. Save both, keep one, wipe the other's nodes. Never wipe both.",
    ),
    "etcd.ghost": _e(
        "A member that no node stands for counts towards quorum.",
        "Peer URLs against the addresses that discovery knows.",
        "Remove it by its id; never by a name, which several may share.",
    ),
    "etcd.learner": _e(
        "A third node does not come up; rpc not supported for learner; too many learner members.",
        "Learners in EtcdMemberList, and since when their service runs.",
        "Talos tries to promote for ten minutes after joining, and never after a reboot (siderolabs/talos#13710). "
        "Remove a stuck one by its id and wipe its EPHEMERAL partition; it joins anew.",
    ),
    "etcd.readdressed": _e(
        "Nodes came up with other addresses and etcd finds nobody.",
        "EtcdSpecs' advertised addresses against the member's peer URLs.",
        "Give the old addresses back. Peer URLs cannot be changed without quorum (siderolabs/talos#12720): then a "
        "snapshot, a wipe and a recovery on the new addresses is the way.",
    ),
    "etcd.not_bootstrapped": _e(
        "etcd is Preparing on all nodes.",
        "The service's state, and whether /var/lib/etcd is empty.",
        "talosctl bootstrap on exactly one node for a new cluster, a recovery for an old one.",
    ),
    "etcd.not_joined": _e(
        "etcd is Preparing on some nodes while it runs on others.",
        "The service's state beside its data directory, learners, and the member list.",
        "Members join one at a time. Else the cluster's endpoint is wrong, or a stale member stands in the way.",
    ),
    "etcd.preparing_long": _e(
        "After a bootstrap nothing happens.",
        "The age of `Running pre state` after `Bootstrap requested`.",
        "The etcd image is pulled again after a wipe: an air-gapped cluster needs it in its registry mirror.",
    ),
    "etcd.waiting": _e(
        "etcd is Waiting and never starts.",
        "What the service's newest event waits for.",
        "Time sync: NTP. etcd spec: the address filter. Network: addresses. Volumes: disks. cri: the runtime.",
    ),
    "etcd.restore_failed": _e(
        "Bootstrap answered OK, and etcd is Failed.",
        "The service's newest event.",
        "Bootstrap answers before it restores. A failed restore may leave data behind, and then the next bootstrap "
        "says AlreadyExists: wipe EPHEMERAL first.",
    ),
    "etcd.failed": _e(
        "The service etcd is Failed.",
        "The service's newest event.",
        "Its text says what Talos could not do; the service's log and dmesg say more.",
    ),
    "etcd.crash_loop": _e(
        "etcd starts and ends every five seconds.",
        "Events of the service, and its log.",
        "Wrong extraArgs, or data of another cluster.",
    ),
    "etcd.removed": _e(
        "the member has been permanently removed from the cluster.",
        "That sentence in the log of etcd.",
        "The others have quorum: wipe this node's EPHEMERAL, and it joins anew. A full recovery would be wrong.",
    ),
    "etcd.unhealthy": _e(
        "etcd runs, its health check fails.",
        "The service's health.",
        "Talos' check is a read through quorum: look for silent members first.",
    ),
    "etcd.alarm": _e(
        "etcdserver: mvcc: database space exceeded; or writes are refused.",
        "EtcdAlarmList.",
        "NOSPACE: compact, defragment one by one, disarm, in this order. CORRUPT: snapshot a healthy member, replace "
        "the other.",
    ),
    "etcd.database_size": _e(
        "The database nears its quota, or is mostly free space.",
        "EtcdStatus' sizes against the quota (2 GiB unless extraArgs say otherwise).",
        "Defragment one member at a time; find out what writes so much.",
    ),
    "node.init": _e(
        "A restore ends in an empty cluster.",
        "MachineTypes.",
        "Talos ignores a recovery on machines of type init: make it controlplane and reboot.",
    ),
    "node.worker": _e("A worker is among the nodes.", "MachineTypes.", "Name control plane nodes only."),
    "node.stage": _e(
        "The machine is installing, upgrading, resetting or in maintenance.",
        "MachineStatuses.",
        "Let it settle: a reboot right after a bootstrap loses the restore.",
    ),
    "node.not_ready": _e(
        "The machine runs and is not ready.",
        "Unmet conditions of MachineStatuses.",
        "They name the service to look at.",
    ),
    "node.disk": _e(
        "A restore fails with no space left.",
        "Mounts: what is free on /var against twice the database.",
        "The uploaded snapshot and the restored database lie there together.",
    ),
    "node.clock_unsynced": _e(
        "time is not in sync yet.",
        "TimeStatuses.",
        "Give it a time server that it reaches; Bootstrap refuses until then.",
    ),
    "node.clock_skew": _e(
        "Certificates are not valid yet, leases end early.",
        "Time of each node against ours, give or take half the round trip.",
        "One set of time servers for all.",
    ),
    "node.versions_differ": _e(
        "Nodes run different Talos versions.", "Version.", "Finish the upgrade before anything else is changed."
    ),
    "node.many_addresses": _e(
        "URL scheme must be http, https, unix, or unixs.",
        "EtcdSpecs and Version.",
        "A restore on a node with several advertised addresses fails up to 1.9.6 and 1.10.4 (siderolabs/talos#11257).",
    ),
    "node.trustd": _e(
        "Workers' API does not come up.", "Port 50001 of control plane nodes.", "Workers get their certificates there."
    ),
    "kubelet.down": _e("Nodes are NotReady.", "The service kubelet.", "Its log says why."),
    "kubelet.manifest": _e(
        "A static pod does not start.", "`Could not process manifest file` in kubelet's log.", "Correct it."
    ),
    "kubernetes.foreign_endpoint": _e(
        'x509: … candidate authority certificate "kubernetes".',
        "That sentence in kubelet's log.",
        "The endpoint leads to another cluster, or the node was recycled without a wipe.",
    ),
    "kubernetes.static_pods": _e(
        "No API server, though etcd is healthy.",
        "/etc/kubernetes/manifests.",
        "Talos writes them when etcd is healthy; its controllers' log says what is missing.",
    ),
    "kubernetes.pod_not_ready": _e(
        "A control plane pod restarts.", "StaticPodStatuses.", "Look at its containers and their logs."
    ),
    "kubernetes.api_server": _e(
        'an error on the server ("") has prevented the request from succeeding.',
        "Port 6443 of each node.",
        "Normal for minutes after a bootstrap; else the pod, then the load balancer or VIP.",
    ),
    "kubernetes.foreign_authority": _e(
        "Some requests fail with x509 errors, others do not.",
        "Who signed each API server's certificate.",
        "One node belongs to another cluster: take it out of the load balancer, then wipe it.",
    ),
    "kubernetes.manifests": _e(
        "CNI, kube-proxy or CoreDNS are missing.", "ManifestStatuses.", "Talos repeats it by itself."
    ),
    "backup.store": _e("Nobody knows which snapshots there are.", "The store.", "Repair the access before a disaster."),
    "backup.none": _e(
        "There is nothing to recover from.", "The catalogue of the store.", "Take a snapshot now, before any repair."
    ),
    "backup.old": _e(
        "The newest proven snapshot is old.", "The catalogue of the store.", "A recovery loses what came after it."
    ),
}
