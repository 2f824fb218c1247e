"""One observation for each code of a node: what it takes to be found, and that healthy nodes have none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Member
from etcd_dr.domain.doctor.hosts import HOST_CODES, HostObservation, HostsObservation, diagnose_hosts
from etcd_dr.domain.doctor.hosts.log_causes import CAUSES
from etcd_dr.domain.doctor.hosts.observation import (
    ContainerSight,
    DataEvidence,
    EtcdSetup,
    HostCertificate,
    PathSight,
    PodManifest,
    UnitState,
)
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.snapshot_facts import SnapshotFacts

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
PKI = "/etc/kubernetes/pki/etcd"
MEMBERS = tuple(Member(i, f"cp{i}", (f"https://10.0.0.{i}:2380",), (f"https://10.0.0.{i}:2379",)) for i in (1, 2, 3))
INITIAL = ",".join(f"cp{i}=https://10.0.0.{i}:2380" for i in (1, 2, 3))


def settings(number: int, **more: str) -> dict[str, str]:
    host = f"10.0.0.{number}"
    said = {
        "name": f"cp{number}",
        "data-dir": "/var/lib/etcd",
        "initial-cluster": INITIAL,
        "initial-advertise-peer-urls": f"https://{host}:2380",
        "advertise-client-urls": f"https://{host}:2379",
        "listen-client-urls": f"https://127.0.0.1:2379,https://{host}:2379",
        "listen-peer-urls": f"https://{host}:2380",
        "cert-file": f"{PKI}/server.crt",
        "peer-cert-file": f"{PKI}/peer.crt",
        "trusted-ca-file": f"{PKI}/ca.crt",
        "peer-trusted-ca-file": f"{PKI}/ca.crt",
    }
    return said | {name.replace("_", "-"): value for name, value in more.items()}


def setup(number: int, *, version: str = "3.5.30", problem: str = "", **more: str) -> EtcdSetup:
    return EtcdSetup(settings(number, **more), "/var/lib/etcd", version, problem)


def certificate(number: int, flag: str, **more: Any) -> HostCertificate:
    file = {"cert-file": "server.crt", "peer-cert-file": "peer.crt"}.get(flag, "ca.crt")
    healthy: dict[str, Any] = {
        "subject": "CN=etcd",
        "not_before": NOW - timedelta(days=360),
        "not_after": NOW + timedelta(days=300),
        "names": frozenset({"localhost", "127.0.0.1", f"10.0.0.{number}"}),
        "key_id": "caca" if flag.endswith("trusted-ca-file") else f"{number}",
        "issuer_key_id": "caca",
        "is_authority": flag.endswith("trusted-ca-file"),
    }
    return HostCertificate(f"{PKI}/{file}", flag, **{**healthy, **more})


def certificates(number: int, **of_flags: dict[str, Any]) -> tuple[HostCertificate, ...]:
    flags = ("cert-file", "peer-cert-file", "trusted-ca-file", "peer-trusted-ca-file")
    return tuple(certificate(number, flag, **of_flags.get(flag.replace("-", "_"), {})) for flag in flags)


def data(number: int, *, missing: tuple[str, ...] = (), **more: Any) -> DataEvidence:
    paths = {
        "data": PathSight("/var/lib/etcd", "directory", mode=0o700),
        "member": PathSight("/var/lib/etcd/member", "directory", mode=0o700),
        "wal": PathSight("/var/lib/etcd/member/wal", "directory", mode=0o700),
        "database": PathSight("/var/lib/etcd/member/snap/db", "regular file", mode=0o600, size_bytes=20 << 20),
    }
    paths = {name: PathSight(path.path) if name in missing else path for name, path in paths.items()}
    healthy: dict[str, Any] = {
        "paths": paths,
        "wal_files": 2,
        "cluster_id": 0xC1,
        "member_id": number,
        "filesystem": "xfs",
        "free_bytes": 40 << 30,
        "total_bytes": 50 << 30,
        "free_inodes": 900_000,
        "total_inodes": 1_000_000,
    }
    return DataEvidence("/var/lib/etcd", **{**healthy, **more})


def pods(number: int, *more: PodManifest, without: str = "") -> Answer[tuple[PodManifest, ...]]:
    usual = (
        PodManifest("etcd.yaml", "etcd", "etcd", "registry.k8s.io/etcd:3.5.30-0", settings(number)),
        PodManifest(
            "kube-apiserver.yaml", "kube-apiserver", "kube-apiserver", "", {"etcd-servers": "https://127.0.0.1:2379"}
        ),
    )
    return Answer((*(pod for pod in usual if pod.pod != without), *more))


def node(number: int, **more: Any) -> HostObservation:
    """A healthy node, with some evidence of its own."""
    healthy: dict[str, Any] = {
        "place": f"ssh 10.0.0.{number}",
        "login": f"ssh 10.0.0.{number}",
        "hostname": f"cp{number}",
        "clock": ClockReading(0.2, 0.6),
        "manifests": pods(number),
        "manifests_dir": "/etc/kubernetes/manifests",
        "static_pod_path": "/etc/kubernetes/manifests",
        "etcd": setup(number),
        "kubelet": UnitState("kubelet.service", exists=True, active="active"),
        "runtime_units": (UnitState("containerd.service", exists=True, active="active"),),
        "containers": Answer((ContainerSight("etcd", "CONTAINER_RUNNING"),)),
        "is_running": True,
        "process_uid": 0,
        "apiserver_runs": True,
        "listening": frozenset({22, 2379, 2380, 6443}),
        "data": data(number),
        "certificates": certificates(number),
        "files": (PathSight(f"{PKI}/server.key", "regular file", mode=0o600),),
        "log_tail": ("ready to serve client requests",),
    }
    return HostObservation(f"cp{number}", **{**healthy, **more})


def seen(*nodes: HostObservation, **more: Any) -> HostsObservation:
    said: dict[str, Any] = {"platform": "static-pod", "members": MEMBERS, **more}
    return HostsObservation(NOW, nodes=nodes or (node(1), node(2), node(3)), **said)


def third(**evidence: Any) -> HostsObservation:
    """Two healthy nodes, and a third with this evidence."""
    return seen(node(1), node(2), node(3, **evidence))


def dead(number: int, code: str = "node.unreachable") -> HostObservation:
    return HostObservation(f"cp{number}", failure=Failure(code, "no answer within 5 s", "Try it by hand: ssh cp3 true"))


def logged(*lines: str, running: bool = False) -> HostsObservation:
    return third(log_tail=lines, is_running=running, listening=None)


DOWN: dict[str, Any] = {"is_running": False, "listening": frozenset({22})}
CRASHED = Answer((ContainerSight("etcd", "CONTAINER_EXITED", 7),))
LOGS: dict[str, tuple[str, ...]] = {
    "log.removed": ('{"level":"error","msg":"the member has been permanently removed from the cluster"}',),
    "log.cluster_id": ('{"msg":"request cluster ID mismatch","local":"1","remote":"2"}',),
    "log.database_damaged": ("panic: freepages: failed to get all reachable pages (page 5: multiple references)",),
    "log.wal_damaged": ('{"msg":"failed to read WAL","error":"walpb: crc mismatch"}',),
    "log.snapshot_missing": ('{"level":"panic","msg":"failed to recover v3 backend from snapshot"}',),
    "log.already_bootstrapped": ('{"msg":"discovery failed","error":"member 8e9e05c52164694d has already been bootstrapped"}',),
    "log.initial_cluster": ("error validating peerURLs: member count is unequal",),
    "log.flag_unknown": ("flag provided but not defined: -enable-v2",),
    "log.downgrade": ('{"msg":"invalid downgrade; server version is lower than determined cluster version"}',),
    "log.permission": ('{"msg":"open /var/lib/etcd/member/snap/db: permission denied"}',),
    "log.address": ("listen tcp 10.0.0.3:2380: bind: address already in use",),
    "log.disk_full": ("write /var/lib/etcd/member/wal/0.tmp: no space left on device",),
    "log.quota": ("etcdserver: mvcc: database space exceeded",),
    "log.certificate_expired": ("x509: certificate has expired or is not yet valid: current time",),
    "log.certificate_name": ("x509: certificate is valid for 10.0.0.9, not 10.0.0.3",),
    "log.certificate_authority": ("remote error: tls: bad certificate",) * 2,
    "log.file_missing": ("open /etc/kubernetes/pki/etcd/server.crt: no such file or directory",),
    "log.clock": ('{"msg":"prober found high clock drift","clock-drift":"9s"}',),
    "log.slow_disk": ('{"msg":"slow fdatasync","took":"1.2s"}',) * 5,
    "log.learner": ("etcdserver: can only promote a learner member which is in sync with leader",),
    "log.memory": ("runtime: cannot allocate memory",),
}  # fmt: skip
SITUATIONS: dict[str, Callable[[], HostsObservation]] = {
    **{code: lambda lines=lines: logged(*lines) for code, lines in LOGS.items()},  # type: ignore[misc]  # bound now
    "log.image": lambda: third(**DOWN, kubelet_log=('Error: ErrImagePull pod="kube-system/etcd-cp3"',)),
    "host.unreachable": lambda: seen(node(1), node(2), dead(3)),
    "host.denied": lambda: seen(node(1), node(2), dead(3, "node.denied")),
    "host.incomplete": lambda: third(failure=Failure("node.unreachable", "no answer"), silent_at="containers"),
    "pod.etcd_missing": lambda: third(manifests=pods(3, without="etcd"), elsewhere=("/root/etcd.yaml",)),
    "pod.twice": lambda: third(manifests=pods(3, PodManifest("etcd.yaml.bak", "etcd", "etcd"))),
    "pod.unreadable": lambda: third(manifests=pods(3, PodManifest("x.yaml", problem="is not YAML"))),
    "pod.other_directory": lambda: third(static_pod_path="/srv/manifests"),
    "etcd.flags": lambda: third(
        etcd=setup(3, name="other"), data=data(3, missing=("data", "member", "wal", "database"), wal_files=0)
    ),
    "etcd.versions_differ": lambda: third(etcd=setup(3, version="3.6.7")),
    "etcd.same_identity": lambda: third(etcd=setup(3, name="cp2")),
    "host.kubelet": lambda: third(kubelet=UnitState("kubelet.service", exists=True, active="failed")),
    "host.runtime": lambda: third(containers=Answer.failed(Failure("node", "crictl did not answer in time"))),
    "etcd.down": lambda: third(**DOWN),
    "etcd.restarts": lambda: third(**DOWN, containers=CRASHED),
    "host.port_closed": lambda: third(listening=frozenset({2379})),
    "host.port_taken": lambda: third(is_running=False),
    "apiserver.down": lambda: third(apiserver_runs=False),
    "apiserver.etcd_servers": lambda: third(
        manifests=Answer((PodManifest("kube-apiserver.yaml", "kube-apiserver", "kube-apiserver", "",
                                      {"etcd-servers": "https://10.9.9.9:2379"}),))
    ),
    "data.missing": lambda: third(
        data=data(3, missing=("data", "member", "wal", "database"), wal_files=0, cluster_id=None, member_id=None)
    ),
    "data.damaged": lambda: third(data=data(3, wal_files=0)),
    "data.owner": lambda: third(process_uid=1000),
    "data.mode": lambda: third(
        data=data(3, paths={**data(3).paths, "data": PathSight("/var/lib/etcd", "directory", mode=0o755)})
    ),
    "data.several_clusters": lambda: third(data=data(3, cluster_id=0xC2)),
    "disk.full": lambda: third(data=data(3, free_bytes=1 << 20)),
    "disk.inodes": lambda: third(data=data(3, free_inodes=0)),
    "disk.kind": lambda: third(data=data(3, filesystem="nfs")),
    "cert.expired": lambda: third(certificates=certificates(3, cert_file={"not_after": NOW - timedelta(days=1)})),
    "cert.expiring": lambda: third(certificates=certificates(3, cert_file={"not_after": NOW + timedelta(days=5)})),
    "cert.missing": lambda: third(files=(PathSight(f"{PKI}/server.crt"),)),
    "cert.key_readable": lambda: third(files=(PathSight(f"{PKI}/server.key", "regular file", mode=0o644),)),
    "cert.names": lambda: third(certificates=certificates(3, peer_cert_file={"names": frozenset({"10.0.0.9"})})),
    "cert.foreign": lambda: third(certificates=certificates(3, cert_file={"issuer_key_id": "beef"})),
    "cert.authorities_differ": lambda: third(
        certificates=certificates(
            3,
            cert_file={"issuer_key_id": "beef"},
            peer_cert_file={"issuer_key_id": "beef"},
            trusted_ca_file={"key_id": "beef"},
            peer_trusted_ca_file={"key_id": "beef"},
        )
    ),
    "member.no_node": lambda: seen(members=(*MEMBERS, Member(9, "old", ("https://10.0.0.9:2380",), ()))),
    "node.no_member": lambda: seen(members=MEMBERS[:2]),
    "recovery.fence": lambda: third(fences=("/etc/kubernetes/etcd-dr-r1/kube-apiserver.yaml",)),
    "recovery.set_aside": lambda: third(data=data(3, aside=("/var/lib/etcd.etcd-dr-r1",))),
    "host.clock": lambda: third(clock=ClockReading(-40.0, 0.6)),
    "host.swap": lambda: third(has_swap=True),
    "host.renamed": lambda: seen(node(1), node(2), replace(node(3, hostname="rack7"), name="third")),
    "backup.store": lambda: seen(snapshots=SnapshotFacts("s3://b", failure=Failure("store.denied", "no"))),
    "backup.none": lambda: seen(snapshots=SnapshotFacts("s3://b")),
    "backup.old": lambda: seen(snapshots=SnapshotFacts("s3://b", count=1, newest_proven_at=NOW - timedelta(days=3))),
}  # fmt: skip


def codes(observation: HostsObservation) -> list[str]:
    return [finding.code for finding in diagnose_hosts(observation)]


def found(observation: HostsObservation, code: str) -> Finding:
    [first, *_] = [f for f in diagnose_hosts(observation) if f.code == code] or [None]
    assert first is not None, codes(observation)
    return first


def test_every_code_has_its_situation() -> None:
    """A rule that nothing triggers is no rule."""
    assert set(SITUATIONS) == set(HOST_CODES)


@pytest.mark.parametrize("code", sorted(SITUATIONS))
def test_is_found(code: str) -> None:
    """With a summary, and a next step that holds a command or says what to do."""
    finding = found(SITUATIONS[code](), code)

    assert finding.summary
    assert len(finding.next_step) > 20
    assert "{" not in finding.next_step


def test_healthy_nodes_have_no_findings() -> None:
    """Silence is the answer that makes the other answers worth reading."""
    assert codes(seen()) == []


def test_nothing_known_is_no_healthy_cluster() -> None:
    """Nobody answers: critical, never silence."""
    findings = diagnose_hosts(seen(dead(1), dead(2), dead(3), members=()))

    assert {f.severity for f in findings} == {Severity.CRITICAL}


def test_a_silent_node_is_not_called_a_ghost() -> None:
    """Its member may well run on it."""
    assert "member.no_node" not in codes(seen(node(1), node(2), dead(3)))


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_what_a_running_member_said_before_its_last_start_is_over(cause: Any) -> None:
    """A cause that was removed is no finding any more."""
    lines = (*LOGS[cause.code], '{"msg":"starting an etcd server"}', "ready to serve client requests")

    assert cause.code not in codes(logged(*lines, running=True))


def test_member_that_runs_for_a_moment_between_two_ends_is_none_that_runs() -> None:
    """A look may fall into the second in which a crash loop runs."""
    lines = (*LOGS["log.wal_damaged"], '{"msg":"starting an etcd server"}')
    moment = third(log_tail=lines, containers=Answer((ContainerSight("etcd", "CONTAINER_RUNNING", 7),)))

    assert "log.wal_damaged" in codes(moment)


def test_certificate_with_which_kube_apiserver_reaches_etcd_is_looked_at() -> None:
    """kubeadm's apiserver-etcd-client ends with the others, and etcd is healthy all the while."""
    path = "/etc/kubernetes/pki/apiserver-etcd-client.crt"
    client = replace(
        certificate(3, "etcd-certfile", not_after=NOW - timedelta(days=1), issuer_key_id="beef"), path=path
    )

    observation = third(certificates=(*certificates(3), client))

    assert path in found(observation, "cert.expired").summary
    assert path in found(observation, "cert.foreign").summary


def test_commands_lead_to_the_node() -> None:
    """What is pasted must reach the node with root's rights."""
    finding = found(third(**DOWN, needs_sudo=True, login="ssh admin@10.0.0.3"), "etcd.down")

    assert "ssh admin@10.0.0.3 'sudo sh -c " in finding.next_step


def test_moved_manifest_is_named_with_the_way_back() -> None:
    """The file that is found elsewhere stands in the command."""
    finding = found(SITUATIONS["pod.etcd_missing"](), "pod.etcd_missing")

    assert "mv /root/etcd.yaml /etc/kubernetes/manifests/etcd.yaml" in finding.next_step


def test_manifest_that_a_recovery_moved_is_no_missing_one() -> None:
    """The fence says it, with the recovery's name."""
    observation = third(manifests=pods(3, without="etcd"), fences=("/etc/kubernetes/etcd-dr-r1/etcd.yaml",))

    assert "pod.etcd_missing" not in codes(observation)
    assert "recover resume r1" in found(observation, "recovery.fence").next_step


def test_names_of_nodes_need_not_be_host_names() -> None:
    """Whoever calls a node by its member's name knows what it is."""
    assert codes(third(hostname="rack7")) == []


def test_initial_cluster_of_a_member_with_data_is_never_compared() -> None:
    """kubeadm leaves each node with the list of the day it joined, and etcd passes over it."""
    assert codes(third(etcd=setup(3, initial_cluster="cp3=https://10.0.0.3:2380"))) == []


def test_unit_that_systemd_restarts_is_a_loop() -> None:
    """The same on nodes without a kubelet."""
    unit = UnitState("etcd.service", exists=True, active="activating", restarts=9)
    nodes = [replace(node(i), manifests=Answer(), kubelet=None, unit=replace(unit, active="active", restarts=0))
             for i in (1, 2)]  # fmt: skip
    bent = replace(node(3), manifests=Answer(), kubelet=None, unit=unit, is_running=False, containers=Answer())

    assert "etcd.restarts" in codes(seen(*nodes, bent, platform="systemd"))


def test_worst_comes_first_and_health_is_behind_the_nodes() -> None:
    """A cause on a node is read before what follows from it."""
    health = Finding("quorum.lost", Severity.CRITICAL, "no quorum", "Bring members back.")

    findings = diagnose_hosts(third(has_swap=True, fences=("/etc/kubernetes/etcd-dr-r1/etcd.yaml",)), health=[health])

    assert [f.code for f in findings] == ["recovery.fence", "quorum.lost", "host.swap"]


def test_slow_login_is_no_difference_of_clocks() -> None:
    """A node that was asked over six seconds may have the same clock as one that was asked over none."""
    slow = third(clock=ClockReading(-3.0, 3.5))

    assert "host.clock" not in codes(slow)


def test_whole_seconds_are_no_difference_of_clocks() -> None:
    """Two readings may differ by one where the clocks do not."""
    assert "host.clock" not in codes(third(clock=ClockReading(-2.2, 0.5)))
    assert "host.clock" in codes(third(clock=ClockReading(-3.2, 0.5)))
