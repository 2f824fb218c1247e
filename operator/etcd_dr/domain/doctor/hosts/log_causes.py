"""Rules on the end of etcd's log: causes that its own words name, each with its remedy.

- Of a member that runs, what it said before its last start counts no more; of one that does not, everything counts,
  and of one that was started several times and did not come to serve, too.
- Words that a sound member logs too count only from several lines on (`at_least`).
- Each pattern names the place in etcd, or the thread, that its words come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etcd_dr.domain.doctor.hosts.observation import HostObservation, HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity

# server/etcdserver/server.go, NewServer; pkg/osutil/interrupt_unix.go, HandleInterrupts
_STARTED = re.compile(r"starting an etcd server|received (\w+ )?signal[;,] shutting down", re.IGNORECASE)
# server/embed/serve.go: only then does it answer anybody
_SERVES = re.compile(r"ready to serve client requests|serving (insecure )?client (traffic|requests)", re.IGNORECASE)
_MANY_ATTEMPTS = 2
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class LogCause:
    """`remedy` may hold {data}, {name} and {see}: the data directory, the node, and a command prefix that leads there.

    `while_running`: counts against a member that runs, too.
    """

    code: str
    pattern: re.Pattern[str]
    summary: str
    remedy: str
    severity: Severity = Severity.CRITICAL
    while_running: bool = False
    at_least: int = 1


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_KEEP = "Keep its data as it is: etcd-dr recover plan moves it aside before anything replaces it"

CAUSES: tuple[LogCause, ...] = (
    # rafthttp/peer.go and etcdserver/server.go, ErrMemberRemoved
    LogCause(
        "log.removed",
        _words(r"permanently removed from the cluster"),
        "its member was removed from the cluster",
        "The others are fine, this is no disaster. See that its id is no member any more (etcd-dr members), then let it "
        "join anew with an empty directory: etcd-dr recover plan",
        Severity.WARNING,
    ),
    # rafthttp/http.go, errClusterIDMismatch
    LogCause(
        "log.cluster_id",
        _words(r"cluster ID mismatch"),
        "it meets members of another cluster",
        "Its data, or theirs, is of another cluster: a restore on one node only, or a node that was not wiped. Wipe "
        "nothing before it is clear which one is right: etcd-dr members; etcd-dr recover plan",
        while_running=True,
    ),
    # bbolt freelist.go and db.go; bbolt#335, etcd-io/etcd#18642
    LogCause(
        "log.database_damaged",
        _words(r"freepages|freelist|page \d+ already freed|invalid database|unexpected page|assertion failed: page"
               r"|file size too small|invalid page type"),
        "its database is damaged",
        f"Restarting does not help. {_KEEP}. While the others hold quorum, it is replaced and nothing is lost.",
    ),
    # wal/wal.go, wal/decoder.go, raft/log.go
    LogCause(
        "log.wal_damaged",
        _words(r"crc mismatch|wal: (file not found|max entry size|slice bounds)|failed to (open|read) WAL"
               r"|tocommit\(\d+\) is out of range|\.wal: (no such file|file does not exist)"),
        "its write-ahead log is damaged or incomplete",
        f"Restarting does not help, and deleting WAL files makes it worse. {_KEEP}.",
    ),
    # etcdserver/storage/backend.go, recoverSnapshotBackend; etcdserver/api/snap/snapshotter.go
    LogCause(
        "log.snapshot_missing",
        _words(r"failed to (find|recover).*(database|backend).*snapshot|no available snapshot|snap: .*(crc mismatch|empty)"),
        "its database does not fit its write-ahead log",
        f"A part of the directory was deleted or copied from elsewhere. {_KEEP}.",
    ),
    # etcdserver/bootstrap.go, bootstrapNewClusterNoWAL
    LogCause(
        "log.already_bootstrapped",
        _words(r"has already been bootstrapped"),
        "it is a member already and has no data: it is started with --initial-cluster-state=new",
        "Its data was lost or its path changed. If the data is elsewhere, correct --data-dir; if it is gone, replace the "
        "member while the others hold quorum: etcd-dr recover plan",
    ),
    # etcdserver/api/membership/cluster.go, ValidateClusterAndAssignIDs; embed/config.go
    LogCause(
        "log.initial_cluster",
        _words(r"couldn't find local name|member count is unequal|unmatched member|mismatch member id"
               r"|error validating peerURLs|error verifying flags"),
        "its --initial-cluster does not fit the member list",
        "It may list only members that exist, this one included, with the peer URLs that etcd knows. Compare: "
        "etcd-dr members; {flags}",
    ),
    # etcdmain/config.go
    LogCause(
        "log.flag_unknown",
        _words(r"flag provided but not defined|unknown flag|invalid value .* for flag|conflicting environment variable"),
        "it does not understand a flag",
        "A flag of another version, or the same setting as flag and variable. See what was changed: {flags}",
    ),
    # etcdserver/version, decideClusterVersion and mustDetectDowngrade
    LogCause(
        "log.downgrade",
        _words(r"invalid downgrade|cannot downgrade|server version is lower than determined cluster version"),
        "its version is older than the cluster's",
        "Start the version that it ran before; etcd goes back only by etcdctl downgrade. See the image or program: {flags}",
    ),
    LogCause(
        "log.permission",
        _words(r"permission denied"),
        "it may not read or write a file",
        "Owner and mode must be those of the user that runs it, the directory 0700. See: {ls}",
    ),
    LogCause(
        "log.address",
        _words(r"address already in use|cannot assign requested address"),
        "it cannot listen on its address",
        "An older etcd still runs, or the node's address changed. See: {ports}",
    ),
    LogCause(
        "log.disk_full",
        _words(r"no space left on device|disk quota exceeded"),
        "its disk is full",
        "Make room on that file system (images and logs first, never etcd's files), then it starts by itself: {df}",
    ),
    LogCause(
        "log.quota",
        _words(r"database space exceeded"),
        "its database reached its quota, and writes are refused",
        "Compact, defragment one member after the other, then take the alarm back: etcd-dr recover plan offers it as "
        "steps. Or by hand: {defrag}",
        while_running=True,
    ),
    # crypto/x509
    LogCause(
        "log.certificate_expired",
        _words(r"certificate has expired|not yet valid"),
        "a certificate has expired, or a clock is wrong",
        "Renew them on every node (kubeadm: kubeadm certs renew all), then restart etcd there. See the dates: {certs}",
        while_running=True,
    ),
    LogCause(
        "log.certificate_name",
        _words(r"x509: (certificate is valid for|cannot validate certificate for|certificate is not valid for any)"),
        "a certificate does not hold the address that it is used at",
        "The address changed, or was never in it. Make it anew with the right names (kubeadm: remove that .crt and .key "
        "of this node to another place, then kubeadm init phase certs etcd-server and etcd-peer). See: {certs}",
        while_running=True,
    ),
    LogCause(
        "log.certificate_authority",
        _words(r"signed by unknown authority|unknown certificate authority|bad certificate|private key does not match"),
        "a certificate is of another authority",
        "The nodes do not share one CA: one was made anew, or copied from another cluster. Compare on every node: {ca}",
        while_running=True,
        at_least=2,
    ),
    LogCause(
        "log.file_missing",
        _words(r"(open|stat) \S+\.(crt|pem|key|ya?ml|json|conf): no such file"),
        "a file that it is started with is not there",
        "Restore it from another node or from a snapshot's companions (etcd-dr snapshot fetch --companions). "
        "See: {certs}",
    ),
    # rafthttp/probing_status.go
    LogCause(
        "log.clock",
        _words(r"clock (difference|drift)"),
        "etcd sees another member's clock far away",
        "Give all nodes the same time servers: {time}",
        Severity.WARNING,
        while_running=True,
    ),
    # wal/wal.go, syncFile; etcdserver/util.go; etcdserver/raft.go
    LogCause(
        "log.slow_disk",
        _words(r"slow fdatasync|took too long|failed to send out heartbeat on time"),
        "etcd says again and again that its disk is slow",
        "Something else writes to that disk, or it is too slow for etcd (a sync should take under 10 ms). See: {iostat}",
        Severity.WARNING,
        while_running=True,
        at_least=5,
    ),
    # etcdserver/api/v3rpc/rpctypes, ErrGRPCLearnerNotReady
    LogCause(
        "log.learner",
        _words(r"can only promote a learner member which is in sync|rpc not supported for learner"),
        "it is a learner that was not promoted",
        "It has no vote. Once it has caught up, promote it: etcd-dr recover plan offers it; by hand: etcdctl member "
        "promote ID (etcd-dr members shows it)",
        Severity.WARNING,
        while_running=True,
    ),
    LogCause(
        "log.memory",
        _words(r"out of memory|cannot allocate memory"),
        "it ran out of memory",
        "The node is too small for its database, or something else fills it: {memory}",
    ),
)  # fmt: skip

_IMAGE = _words(r"ImagePullBackOff|ErrImagePull|failed to pull image")


def causes(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        lines, serves = _that_count(node), _is_settled(node)
        for cause in CAUSES:
            if serves and not cause.while_running:
                continue
            said = [line for line in lines if cause.pattern.search(line)]
            if len(said) >= cause.at_least:
                yield Finding(
                    cause.code,
                    cause.severity,
                    f"etcd's log says that {cause.summary}",
                    _remedy(cause, seen, node),
                    member=node.name,
                    evidence={"line": said[-1].strip()[:_LONGEST], "lines": len(said)},
                )


def image(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        said = [line for line in node.kubelet_log if _IMAGE.search(line) and "etcd" in line]
        if said and node.is_running is False:
            yield Finding(
                "log.image",
                Severity.CRITICAL,
                "the kubelet cannot pull etcd's image",
                "Its registry must be reachable, or the image be there already: "
                f"{node.command('crictl images | grep etcd; grep image: ' + node.manifests_dir + '/etcd.yaml')}",
                member=node.name,
                evidence={"line": said[-1].strip()[:_LONGEST]},
            )


def _that_count(node: HostObservation) -> Sequence[str]:
    return _since_last_start(node) if _is_settled(node) else node.log_tail


def _is_settled(node: HostObservation) -> bool:
    """Whether it runs, and not merely at this moment: one that ends again and again runs now and then, too."""
    if not node.is_running or node.attempts < _MANY_ATTEMPTS:
        return bool(node.is_running)
    return any(_SERVES.search(line) for line in _since_last_start(node))


def _since_last_start(node: HostObservation) -> Sequence[str]:
    marks = [number for number, line in enumerate(node.log_tail) if _STARTED.search(line)]
    return node.log_tail[marks[-1] + 1 :] if marks else node.log_tail


def _remedy(cause: LogCause, seen: HostsObservation, node: HostObservation) -> str:
    data = (node.data.directory if node.data else "") or (node.etcd.data_dir if node.etcd else "") or "/var/lib/etcd"
    files = [f for name in ("cert-file", "peer-cert-file") if (f := _setting(node, name))]
    authority = _setting(node, "trusted-ca-file") or "/etc/kubernetes/pki/etcd/ca.crt"
    shown = "; ".join(f"openssl x509 -noout -subject -dates -ext subjectAltName -in {f}" for f in files)
    unit = node.unit.name if node.unit else "etcd"
    parts = {
        "flags": f"cat {node.manifests_dir}/etcd.yaml" if seen.platform == "static-pod" else f"systemctl cat {unit}",
        "ls": f"ls -lan {data} {data}/member",
        "ports": "ss -ltnp; ip -brief address",
        "df": f"df -h {data}; df -i {data}",
        "defrag": "etcdctl defrag",
        "certs": shown or "ls -la /etc/kubernetes/pki/etcd",
        "ca": f"openssl x509 -noout -fingerprint -sha256 -subject -in {authority}",
        "time": "timedatectl",
        "iostat": f"iostat -x 1 5; df {data}",
        "memory": "free -m; dmesg | grep -i oom | tail",
    }
    return cause.remedy.format(**{name: node.command(words) for name, words in parts.items()})


def _setting(node: HostObservation, name: str) -> str:
    return node.etcd.settings.get(name, "") if node.etcd is not None else ""


RULES = (
    HostRule(causes, tuple(cause.code for cause in CAUSES)),
    HostRule(image, ("log.image",)),
)
