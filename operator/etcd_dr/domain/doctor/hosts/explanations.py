"""What each code of a node means, for `doctor --explain CODE` and docs/doctor.md."""

from __future__ import annotations

from etcd_dr.domain.doctor.explanations import EXPLANATIONS, Explanation

_LOG = "The end of etcd's log: the container's files, crictl, or the journal."


def _e(symptom: str, checked: str, remedy: str) -> Explanation:
    return Explanation(symptom, checked, remedy)


HOST_EXPLANATIONS: dict[str, Explanation] = {
    "host.unreachable": _e(
        "ssh hangs, or says connection refused.",
        "A login by your own ssh, with the deadline of --timeout.",
        "Bring the node up. A node that pings and does not answer ssh is usually out of memory or waits for its disk.",
    ),
    "host.denied": _e(
        "ssh or sudo refuses.",
        "The login, the host key, and sudo without a password.",
        "Let the key in, or log in as root. A host key that changed is never accepted for you.",
    ),
    "host.incomplete": _e(
        "The login works, and a command hangs.",
        "Questions one after the other; what was answered before the silence is kept.",
        "A disk that hangs or a container runtime that does not answer. A node in that state is as good as down.",
    ),
    "pod.etcd_missing": _e(
        "etcd is gone on one node after maintenance.",
        "Every file in the manifests directory, and manifests of etcd beside it.",
        "Move the manifest back. kubeadm init phase etcd local writes a new one; with the data in place it goes on as "
        "it was.",
    ),
    "pod.twice": _e(
        "etcd restarts again and again; changes of its manifest have no effect.",
        "Files in the manifests directory that start the same pod.",
        "The kubelet starts every file there that does not begin with a dot: etcd.yaml.bak too. Keep copies elsewhere.",
    ),
    "pod.unreadable": _e(
        "A static pod vanished after its manifest was edited.",
        "Each manifest, parsed.",
        "The kubelet passes over what it cannot read. Compare it with another node's.",
    ),
    "pod.other_directory": _e(
        "Nothing that is done to the manifests has an effect.",
        "staticPodPath in the kubelet's configuration.",
        "Name the kubelet's directory in control_plane.static_pod.manifests_dir, before a recovery relies on it.",
    ),
    "etcd.flags": _e(
        "etcd does not start with an empty directory.",
        "--name, --initial-cluster and --initial-advertise-peer-urls against each other.",
        "etcd compares them only while it has no data: so they may be wrong for years until then.",
    ),
    "etcd.versions_differ": _e(
        "The nodes run different versions of etcd.",
        "The images in the manifests, or what the programs say.",
        "Finish the upgrade: the cluster's version is the lowest one.",
    ),
    "etcd.same_identity": _e(
        "Two nodes fight for one member.",
        "Names and peer URLs of all nodes.",
        "A manifest was copied and its name or address not changed.",
    ),
    "host.kubelet": _e(
        "Static pods do not start, or do not stop.",
        "systemctl show kubelet, and its journal where it is down.",
        "Containers that run go on without it; nothing else starts or stops them.",
    ),
    "host.runtime": _e(
        "crictl hangs; pods stay in ContainerCreating.",
        "crictl ps with a deadline of its own, and the units of the usual runtimes.",
        "Restart it: containers survive that. A full disk under /var/lib is the most frequent cause.",
    ),
    "etcd.down": _e(
        "One member is silent.",
        "etcd's process, against its manifest or unit.",
        "Its log says why; the other findings of the node usually do, too.",
    ),
    "etcd.restarts": _e(
        "etcd starts and ends again and again.",
        "How often the kubelet or systemd started it anew.",
        "See what its log ends with. Data that is damaged does not heal by restarts.",
    ),
    "host.port_closed": _e(
        "etcd runs and nobody can reach it.",
        "Listening sockets against --listen-client-urls and --listen-peer-urls.",
        "It waits for the other members, or its address is gone from the node.",
    ),
    "host.port_taken": _e(
        "bind: address already in use.",
        "Listening sockets while etcd does not run.",
        "An etcd of another manifest, or one that was started by hand, holds the port. End that one.",
    ),
    "apiserver.down": _e(
        "kubectl says connection refused.",
        "kube-apiserver's process and container.",
        "It ends when etcd does not answer, so look at etcd first.",
    ),
    "apiserver.etcd_servers": _e(
        "etcd is healthy, and kube-apiserver finds none.",
        "--etcd-servers against the members' client URLs.",
        "Correct it on the node. kubeadm's own is the node's etcd at 127.0.0.1:2379.",
    ),
    "log.removed": _e(
        "the member has been permanently removed from the cluster.",
        _LOG,
        "The others have quorum: it joins anew with an empty directory. A full recovery would be wrong.",
    ),
    "log.cluster_id": _e(
        "request cluster ID mismatch.",
        _LOG,
        "Some members were restored and others were not. All must come from the same restore.",
    ),
    "log.database_damaged": _e(
        "panic: freepages, page already freed, invalid database.",
        _LOG,
        "A power loss or a bad disk. With quorum, replace the member; without, its readable part may still be the best "
        "that there is: recover plan compares.",
    ),
    "log.wal_damaged": _e(
        "walpb: crc mismatch; wal: file not found; tocommit is out of range.",
        _LOG,
        "Files of the WAL are damaged or were deleted. With quorum, replace the member.",
    ),
    "log.snapshot_missing": _e(
        "failed to recover v3 backend from snapshot.",
        _LOG,
        "A directory that was copied while etcd ran, or a part of it. With quorum, replace the member.",
    ),
    "log.already_bootstrapped": _e(
        "member … has already been bootstrapped.",
        _LOG,
        "Its directory is empty, and it is told to begin a new cluster. Replace it while the others hold quorum.",
    ),
    "log.initial_cluster": _e(
        "member count is unequal; couldn't find local name.",
        _LOG,
        "--initial-cluster must list the members as etcd knows them, when a member joins.",
    ),
    "log.flag_unknown": _e(
        "flag provided but not defined.",
        _LOG,
        "Undo the last change of the manifest or unit; flags go away with new versions.",
    ),
    "log.downgrade": _e(
        "invalid downgrade; server version is lower than determined cluster version.",
        _LOG,
        "Start the newer version again. etcd goes back by one minor version, and only by etcdctl downgrade.",
    ),
    "log.permission": _e(
        "permission denied.",
        _LOG,
        "Owner and mode of the data directory or of a key; after a restore as another user, or SELinux.",
    ),
    "log.address": _e(
        "bind: address already in use; cannot assign requested address.",
        _LOG,
        "Another process has the port, or the node lost the address.",
    ),
    "log.disk_full": _e(
        "no space left on device.",
        _LOG,
        "Make room; etcd's own files are never what may go.",
    ),
    "log.quota": _e(
        "etcdserver: mvcc: database space exceeded.",
        _LOG,
        "Compact, defragment one member after the other, disarm, in this order; then find out what writes so much.",
    ),
    "log.certificate_expired": _e(
        "x509: certificate has expired or is not yet valid.",
        _LOG,
        "kubeadm renews at upgrades only: without one, certificates end after a year. Renew on every node.",
    ),
    "log.certificate_name": _e(
        "x509: certificate is valid for …, not ….",
        _LOG,
        "The node's address changed. Make its server and peer certificates anew.",
    ),
    "log.certificate_authority": _e(
        "x509: certificate signed by unknown authority; remote error: tls: bad certificate.",
        _LOG,
        "All nodes must have the same etcd CA: kubeadm init on a second node makes another one.",
    ),
    "log.file_missing": _e(
        "open /etc/kubernetes/pki/…: no such file or directory.",
        _LOG,
        "Snapshots can keep these files as companions: bring them back from there.",
    ),
    "log.clock": _e(
        "the clock difference against peer … is too high.",
        _LOG,
        "One set of time servers for all nodes.",
    ),
    "log.slow_disk": _e(
        "slow fdatasync; apply request took too long.",
        _LOG,
        "A disk of its own for etcd, and nothing else on it; a slow one costs elections.",
    ),
    "log.learner": _e(
        "can only promote a learner member which is in sync.",
        _LOG,
        "It has no vote until it is promoted.",
    ),
    "log.memory": _e(
        "cannot allocate memory.",
        _LOG,
        "etcd maps its whole database: memory should exceed its size.",
    ),
    "log.image": _e(
        "ImagePullBackOff for etcd.",
        "The kubelet's journal.",
        "Pull it by hand, or name the mirror; a recovery pulls nothing.",
    ),
    "data.missing": _e(
        "etcd begins anew, or waits for nobody.",
        "The directory that the manifest or unit names.",
        "An unmounted disk first: etcd writes into the mount point below it. Never start a member on an empty directory "
        "by hand.",
    ),
    "data.damaged": _e(
        "A directory with a database and no WAL, or the other way round.",
        "Its files, and the head of its first WAL file.",
        "A copy that was cut off, or deleted WAL files. Replace the member, or restore.",
    ),
    "data.owner": _e(
        "permission denied after a restore.",
        "Owners of the directory, of what is in it, and the user of the process.",
        "One owner for all: the user that etcd runs as.",
    ),
    "data.mode": _e(
        "etcd warns of the permissions of its data directory.",
        "The mode of the directory.",
        "0700: whoever reads it has every Secret of the cluster.",
    ),
    "data.several_clusters": _e(
        "Members refuse each other.",
        "The cluster id at the head of each node's WAL.",
        "A restore gives a new cluster id; a node that it did not reach holds the old one.",
    ),
    "disk.full": _e(
        "Writes fail, then etcd ends.",
        "Free bytes on the file system of the data.",
        "Images, logs and journals first. A recovery needs the database's size once more.",
    ),
    "disk.inodes": _e(
        "No space left, though df shows some.",
        "Free inodes on the file system of the data.",
        "Many small files: overlay layers, logs, sessions.",
    ),
    "disk.kind": _e(
        "Elections, or data that is gone after a reboot.",
        "The kind of the file system of the data.",
        "A local disk; never NFS, never tmpfs in production.",
    ),
    "cert.expired": _e(
        "Everything worked until a member restarted.",
        "The certificates that etcd is started with, on each node.",
        "Renew on every node before any other member restarts.",
    ),
    "cert.expiring": _e(
        "A certificate ends within 30 days.",
        "The certificates that etcd is started with, on each node.",
        "Renew now, while etcd works.",
    ),
    "cert.missing": _e(
        "etcd ends at once, naming a file.",
        "The files that its flags name.",
        "Bring them back from companions of a snapshot, or make them anew with the same CA.",
    ),
    "cert.key_readable": _e(
        "A private key that every user can read.",
        "The mode of key files.",
        "0600. If others were on the node, make the key anew.",
    ),
    "cert.names": _e(
        "Members refuse a node whose address changed.",
        "Subject alternative names against the advertised URLs.",
        "Make the node's certificates anew with its present address.",
    ),
    "cert.foreign": _e(
        "tls: bad certificate, on one node.",
        "The key id of the issuer against the authority beside it.",
        "Certificate or authority was exchanged alone. They belong together.",
    ),
    "cert.authorities_differ": _e(
        "tls: unknown certificate authority, between nodes.",
        "The key ids of the authorities on all nodes.",
        "One etcd CA for all nodes; copy the right one, and make the certificates below it anew.",
    ),
    "member.no_node": _e(
        "A member that no node stands for counts towards quorum.",
        "The member list against the nodes' ids, peer URLs and names.",
        "Remove it by its id, once it is sure that its node is gone.",
    ),
    "node.no_member": _e(
        "A node runs an etcd that nobody knows.",
        "The same, the other way round.",
        "It joins anew through a recovery plan, its old data set aside.",
    ),
    "recovery.fence": _e(
        "The API server or etcd stays down after a recovery.",
        "What recoveries of etcd-dr leave on a node while they keep something stopped.",
        "Resume that recovery or abort it; both bring back what it stopped.",
    ),
    "recovery.set_aside": _e(
        "The disk fills after recoveries.",
        "Directories beside the data that recoveries renamed.",
        "Nothing is deleted by etcd-dr. Remove them by hand once nobody needs them.",
    ),
    "host.clock": _e(
        "Certificates are not valid yet, leases end early.",
        "The time of each node against ours, give or take half of the time that the question took.",
        "One set of time servers for all.",
    ),
    "host.swap": _e(
        "The kubelet does not start after a reboot.",
        "/proc/swaps.",
        "Off for good, in /etc/fstab too, unless the kubelet was set up for it.",
    ),
    "host.renamed": _e(
        "kubeadm upgrade or reset does not find the member.",
        "The machine's name against the member's.",
        "Give the machine its old name, or the node another etcd.",
    ),
} | {code: text for code, text in EXPLANATIONS.items() if code.startswith("backup.")}
