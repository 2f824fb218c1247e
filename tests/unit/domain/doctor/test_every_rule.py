"""One observation for each code: what it takes to be found, and that a healthy control plane has none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Alarm, Member, MemberStatus
from etcd_dr.domain.doctor import CODES, NodeObservation, TalosObservation, diagnose
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.domain.talos import (
    CLUSTER_MEMBERS,
    MANIFEST_STATUSES,
    STATIC_POD_STATUSES,
    FileEntry,
    MountUse,
    Resource,
    ServiceEvent,
    ServiceReport,
    TalosVersion,
)

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
MEMBERS = tuple(Member(i, f"cp-{i}", (f"https://10.0.0.{i}:2380",), (f"https://10.0.0.{i}:2379",)) for i in (1, 2, 3))
SILENCE = Answer[Any].failed(Failure("etcd.timeout", "no answer within 5 s"))
DENIED = Answer[Any].failed(Failure("etcd.denied", "ServiceList needs the role os:reader"))
PODS = tuple(
    FileEntry(f"talos-{name}.yaml", 1, is_directory=False)
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
)


def etcd(
    state: str = "Running", *messages: str, healthy: bool | None = True, age: float = 3600, **more: Any
) -> Answer[Any]:
    """A node's services, with these events of etcd."""
    events = tuple(ServiceEvent(state, message, NOW - timedelta(seconds=age)) for message in messages)
    service = ServiceReport("etcd", state, healthy, events=events, **more)
    return Answer((service, ServiceReport("kubelet", "Running", True)))


def status(number: int, **more: Any) -> Answer[Any]:
    told = MemberStatus(
        cluster_id=0,
        member_id=number,
        revision=0,
        raft_term=2,
        raft_index=100,
        raft_applied_index=100,
        leader_id=1,
        version="3.6.7",
        db_size_bytes=100 << 20,
        db_in_use_bytes=90 << 20,
        is_learner=False,
    )
    return Answer(replace(told, **more))


def node(number: int, **answers: Any) -> NodeObservation:
    """A healthy node, with some answers of its own."""
    host = f"10.0.0.{number}"
    healthy: dict[str, Any] = {
        "version": Answer(TalosVersion("v1.13.2", "metal")),
        "machine_type": Answer("controlplane"),
        "services": etcd(),
        "machine_status": Answer({"stage": "running", "status": {"ready": True, "unmetConditions": []}}),
        "time_status": Answer({"synced": True}),
        "clock": Answer(ClockReading(0.1, 0.05)),
        "etcd_spec": Answer({"name": f"cp-{number}", "advertisedAddresses": [host]}),
        "data_directory": Answer((FileEntry("member", 0, is_directory=True),)),
        "mounts": Answer((MountUse("/var", 50 << 30, 40 << 30),)),
        "cluster_members": Answer(
            tuple(
                Resource(CLUSTER_MEMBERS, f"cp-{i}", {"machineType": "controlplane", "addresses": [f"10.0.0.{i}"]})
                for i in (1, 2, 3)
            )
        ),
        "static_pods": Answer(PODS),
        "status": status(number),
        "members": Answer(MEMBERS),
        "quorum_members": Answer(MEMBERS),
        "alarms": Answer(()),
        "kubernetes_authority": Answer("aa"),
        "trustd": Answer(True),
    }
    return NodeObservation(f"{host}:50000", **{**healthy, **answers})


def seen(*nodes: NodeObservation, **more: Any) -> TalosObservation:
    return TalosObservation(NOW, nodes or (node(1), node(2), node(3)), roles=("os:reader",), **more)


def third(**answers: Any) -> TalosObservation:
    """Two healthy nodes, and a third with these answers."""
    return seen(node(1), node(2), node(3, **answers))


def all_with(**answers: Any) -> TalosObservation:
    return seen(*(node(i, **answers) for i in (1, 2, 3)))


def dead(number: int, code: str = "etcd.unreachable") -> NodeObservation:
    failed = Answer[Any].failed(Failure(code, "connection refused"))
    return NodeObservation(
        f"10.0.0.{number}:50000", version=failed, status=failed, members=failed, quorum_members=failed
    )


def members(*changed: Member) -> dict[str, Any]:
    return {"members": Answer(changed), "quorum_members": Answer(changed)}


def facts(**more: Any) -> SnapshotFacts:
    return SnapshotFacts(store="s3://backups", **more)


LEARNER = (*MEMBERS[:2], replace(MEMBERS[2], is_learner=True))
CRASH = 'Error running Process(["etcd"]), going to restart forever: task "etcd" failed: exit code 1'
EMPTY = {"data_directory": Answer(())}

SITUATIONS: dict[str, Callable[[], TalosObservation]] = {
    "talos.unreachable": lambda: seen(node(1), node(2), dead(3)),
    "talos.tls": lambda: seen(node(1), node(2), dead(3, "etcd.tls")),
    "talos.certificate": lambda: seen(certificate_ends_at=NOW + timedelta(days=3)),
    "talos.role": lambda: all_with(services=DENIED),
    "talos.nodes_unseen": lambda: seen(node(1), node(2)),
    "etcd.quorum_lost": lambda: seen(node(1, quorum_members=SILENCE), dead(2), dead(3)),
    "etcd.no_tolerance": lambda: seen(node(1), node(2), dead(3)),
    "etcd.several_leaders": lambda: third(status=status(3, leader_id=3)),
    "etcd.no_leader": lambda: third(status=status(3, leader_id=0)),
    "etcd.behind": lambda: third(status=status(3, raft_index=9000)),
    "etcd.single": lambda: seen(node(1, **members(MEMBERS[0]))),
    "etcd.member_count": lambda: seen(node(1, **members(*MEMBERS[:2])), node(2, **members(*MEMBERS[:2]))),
    "etcd.views_differ": lambda: third(members=Answer(MEMBERS[:2])),
    "etcd.ghost": lambda: all_with(**members(*MEMBERS, Member(9, "old", ("https://10.0.0.9:2380",), ()))),
    "etcd.learner": lambda: all_with(**members(*LEARNER)),
    "etcd.readdressed": lambda: third(etcd_spec=Answer({"advertisedAddresses": ["10.9.9.9"]})),
    "etcd.not_bootstrapped": lambda: all_with(services=etcd("Preparing", "Running pre state", healthy=None), **EMPTY),
    "etcd.restore_failed": lambda: third(
        services=etcd("Failed", "Failed to run pre stage: error recovering from the snapshot: no space", healthy=None)
    ),
    "etcd.failed": lambda: third(services=etcd("Failed", "Failed to run pre stage: boom", healthy=None)),
    "etcd.crash_loop": lambda: third(services=etcd("Waiting", CRASH, CRASH, healthy=False)),
    "etcd.removed": lambda: third(
        services=etcd("Waiting", CRASH, CRASH, healthy=False),
        etcd_log=Answer("the member has been permanently removed from the cluster"),
    ),
    "etcd.waiting": lambda: third(services=etcd("Waiting", "Waiting for etcd spec", healthy=None)),
    "etcd.preparing_long": lambda: third(
        services=etcd("Preparing", "Bootstrap requested", "Running pre state", healthy=None)
    ),
    "etcd.not_joined": lambda: third(services=etcd("Preparing", "Running pre state", healthy=None), **EMPTY),
    "etcd.unhealthy": lambda: third(services=etcd(healthy=False, last_message="context deadline exceeded")),
    "etcd.alarm": lambda: third(alarms=Answer((Alarm(3, "NOSPACE"),))),
    "etcd.database_size": lambda: third(status=status(3, db_size_bytes=1900 << 20)),
    "node.init": lambda: third(machine_type=Answer("init")),
    "node.worker": lambda: third(machine_type=Answer("worker")),
    "node.stage": lambda: third(machine_status=Answer({"stage": "upgrading"})),
    "node.not_ready": lambda: third(
        machine_status=Answer({"stage": "running", "status": {"unmetConditions": [{"name": "x", "reason": "y"}]}})
    ),
    "node.disk": lambda: third(mounts=Answer((MountUse("/var", 50 << 30, 1 << 20),))),
    "node.clock_unsynced": lambda: third(time_status=Answer({"synced": False})),
    "node.clock_skew": lambda: third(clock=Answer(ClockReading(9.0, 0.05))),
    "node.versions_differ": lambda: third(version=Answer(TalosVersion("v1.12.0"))),
    "node.many_addresses": lambda: third(
        version=Answer(TalosVersion("v1.10.4")), etcd_spec=Answer({"advertisedAddresses": ["10.0.0.3", "10.1.0.3"]})
    ),
    "node.trustd": lambda: third(trustd=Answer(False)),
    "kubelet.down": lambda: third(services=Answer((ServiceReport("kubelet", "Failed"),))),
    "kubelet.manifest": lambda: third(kubelet_log=Answer("Could not process manifest file")),
    "kubernetes.foreign_endpoint": lambda: third(
        kubelet_log=Answer('x509: ... candidate authority certificate "kubernetes"')
    ),
    "kubernetes.static_pods": lambda: third(static_pods=Answer(PODS[:1])),
    "kubernetes.pod_not_ready": lambda: third(
        pod_statuses=Answer(
            (Resource(STATIC_POD_STATUSES, "kube-apiserver", {"conditions": [{"type": "Ready", "status": "False"}]}),)
        )
    ),
    "kubernetes.api_server": lambda: third(kubernetes_authority=SILENCE),
    "kubernetes.foreign_authority": lambda: third(kubernetes_authority=Answer("bb")),
    "kubernetes.manifests": lambda: third(
        manifests=Answer((Resource(MANIFEST_STATUSES, "manifests", {"manifestsApplied": []}),))
    ),
    "backup.store": lambda: seen(snapshots=facts(failure=Failure("store.denied", "no"))),
    "backup.none": lambda: seen(snapshots=facts()),
    "backup.old": lambda: seen(snapshots=facts(count=1, newest_proven_at=NOW - timedelta(days=3))),
}


def found(observation: TalosObservation, code: str) -> Finding:
    report = diagnose(observation, cluster="prod")
    [first, *_] = [finding for finding in report.findings if finding.code == code] or [None]
    assert first is not None, [finding.code for finding in report.findings]
    return first


def test_every_code_has_its_situation() -> None:
    """A rule that nothing triggers is no rule."""
    assert set(SITUATIONS) == set(CODES)


@pytest.mark.parametrize("code", sorted(SITUATIONS))
def test_is_found(code: str) -> None:
    """With a summary, and a next step that says what to do."""
    finding = found(SITUATIONS[code](), code)

    assert finding.summary
    assert finding.next_step


def test_healthy_control_plane_is_ok() -> None:
    """Nothing is found where nothing is wrong."""
    report = diagnose(seen(), cluster="prod")

    assert report.findings == ()
    assert report.exit_status == 0


def test_nothing_known_is_no_healthy_cluster() -> None:
    """Nobody answers: critical, never silence."""
    report = diagnose(seen(dead(1), dead(2), dead(3)), cluster="prod")

    assert report.severity is Severity.CRITICAL


def test_in_cluster_certificate_is_no_warning() -> None:
    """It lives for six hours and is renewed: hours left are its normal life."""
    report = diagnose(seen(certificate_ends_at=NOW + timedelta(hours=5)), cluster="prod")

    assert report.findings == ()


def test_quorum_that_is_silent_while_its_voters_answer_is_nothing_to_restore() -> None:
    """An election or a slow disk passes; a restore would throw writes away."""
    paused = found(all_with(quorum_members=SILENCE), "etcd.quorum_lost")
    gone = found(SITUATIONS["etcd.quorum_lost"](), "etcd.quorum_lost")

    assert "nothing to restore" in paused.next_step
    assert "recover plan" not in paused.next_step
    assert "recover plan" in gone.next_step
    assert paused.evidence["reasons"] == str(SILENCE.failure)


def test_expired_certificate_is_critical() -> None:
    """Whatever else is found with it."""
    finding = found(seen(certificate_ends_at=NOW - timedelta(hours=1)), "talos.certificate")

    assert finding.severity is Severity.CRITICAL


def test_old_learner_is_stuck_and_a_young_one_is_not() -> None:
    """Talos gives up after ten minutes: only then is removing it right."""
    young = all_with(**members(*LEARNER), services=etcd("Running", "Started task etcd", healthy=False, age=120))
    old = all_with(**members(*LEARNER), services=etcd("Running", "Started task etcd", healthy=False, age=1800))

    assert found(young, "etcd.learner").severity is Severity.INFO
    assert "remove-member 3" in found(old, "etcd.learner").next_step


def test_split_brain_is_told_from_a_late_view() -> None:
    """No common member: two clusters."""
    other = tuple(replace(member, id=member.id + 100) for member in MEMBERS)

    assert "different clusters" in found(third(members=Answer(other)), "etcd.views_differ").summary


def test_members_are_compared_by_id() -> None:
    """Names are empty for a while after a reboot."""
    unnamed = tuple(replace(member, name="") for member in MEMBERS)

    assert diagnose(third(members=Answer(unnamed)), cluster="prod").findings == ()


def test_left_over_of_a_failed_restore_is_told() -> None:
    """The next bootstrap would be refused for it."""
    assert "left a data directory" in found(SITUATIONS["etcd.restore_failed"](), "etcd.restore_failed").next_step


@pytest.mark.parametrize(("tag", "fails"), [("v1.9.6", True), ("v1.9.7", False), ("v1.10.4", True), ("v1.10.5", False)])
def test_releases_that_cannot_restore_with_many_addresses(tag: str, fails: bool) -> None:
    """siderolabs/talos#11257 was mended on two branches."""
    observation = third(
        version=Answer(TalosVersion(tag)), etcd_spec=Answer({"advertisedAddresses": ["10.0.0.3", "10.1.0.3"]})
    )

    codes = {finding.code for finding in diagnose(observation, cluster="prod").findings}

    assert ("node.many_addresses" in codes) is fails


@pytest.mark.parametrize("spec", [None, [], "x", {"conditions": "x"}, {"advertisedAddresses": "10.0.0.3"}, 7])
def test_specs_of_another_shape_break_nothing(spec: Any) -> None:
    """A newer release may publish something else."""
    kinds = (STATIC_POD_STATUSES, MANIFEST_STATUSES, CLUSTER_MEMBERS)
    odd = {
        name: Answer((Resource(kind, "x", spec),))
        for name, kind in zip(("pod_statuses", "manifests", "cluster_members"), kinds, strict=True)
    }
    odd |= {name: Answer(spec) for name in ("etcd_spec", "machine_status", "time_status")}

    diagnose(third(**odd), cluster="prod")


def test_question_that_stood_still_is_no_difference_of_clocks() -> None:
    """Four seconds on the way back move the reading by two; the true clocks may be the same."""
    late = third(clock=Answer(ClockReading(-2.1, 2.05)))

    assert "node.clock_skew" not in {finding.code for finding in diagnose(late, cluster="prod").findings}


def test_clock_that_is_off_beyond_its_delay_is_told() -> None:
    """With how far it is for certain, and what was read."""
    late = third(clock=Answer(ClockReading(-9.0, 1.85)))

    [found] = [finding for finding in diagnose(late, cluster="prod").findings if finding.code == "node.clock_skew"]

    assert "7.2 s apart" in found.summary
    assert found.evidence["10.0.0.3:50000"] == -9.0
