"""Next steps name commands that work on the cluster's platform, and only such."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.health_rules.commands import Commands
from etcd_dr.domain.observation import Observation
from fakes.observations import healthy, silent

TALOS_HAS_NO = ("etcdctl", "journalctl", "crictl", "kubeadm", "systemctl")


def judged(seen: Observation, platform: str) -> HealthReport:
    return evaluate(seen, cluster="prod", platform=platform)


def with_alarm(seen: Observation, kind: str) -> Observation:
    first, *others = seen.endpoints
    member = first.status.value.member_id if first.status.value else 0
    return replace(seen, endpoints=(replace(first, alarms=Answer((Alarm(member, kind),))), *others))


@pytest.mark.parametrize("kind", ["NOSPACE", "CORRUPT", "SOMETHING"])
def test_talos_is_told_talosctl(kind: str) -> None:
    """There is neither a shell nor etcdctl on a Talos node."""
    [finding] = [f for f in judged(with_alarm(healthy(), kind), "talos").findings if f.code.startswith("alarm.")]

    assert "talosctl -e " in finding.next_step
    assert not any(word in finding.next_step for word in TALOS_HAS_NO)


@pytest.mark.parametrize(
    ("platform", "word"),
    [
        ("talos", "talosctl -e 10.0.0.2 -n 10.0.0.2 service etcd"),
        ("static-pod", "/var/log/pods/kube-system_etcd-"),
        ("systemd", "systemctl status etcd"),
        ("", "journalctl -u etcd"),
        ("local", "journalctl -u etcd"),
    ],
)
def test_process_is_seen_as_the_platform_shows_it(platform: str, word: str) -> None:
    """A silent member's next step is the first thing that anybody pastes."""
    assert word in Commands(platform).see_the_process("https://10.0.0.2:2379")


@pytest.mark.parametrize("platform", ["talos", "static-pod", "systemd", "local", ""])
def test_no_finding_of_a_silent_cluster_names_another_platform(platform: str) -> None:
    """Whatever a dead member is told by, its commands exist where it runs."""
    report = judged(silent(healthy(), "m2", "m3"), platform)

    said = " ".join([*(f.next_step for f in report.findings), report.quorum.would_tell])
    assert ("talosctl" in said) == (platform == "talos")
    assert not (platform == "talos" and any(word in said for word in TALOS_HAS_NO))
    assert not (platform == "systemd" and ("crictl" in said or "kubeadm" in said))


def test_etcdctl_of_kubeadm_runs_in_the_container() -> None:
    """kubeadm installs no etcdctl on a node; etcd's image has one."""
    command = Commands("static-pod").etcdctl("https://10.0.0.1:2379", "defrag")

    assert command.startswith("crictl exec $(crictl ps -q --name '^etcd$') etcdctl --cacert=/etc/kubernetes/pki/etcd/")
    assert command.endswith("--endpoints=https://10.0.0.1:2379 defrag")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("defrag",), "talosctl -e 10.0.0.2 -n 10.0.0.2 etcd defrag"),
        (("alarm", "disarm"), "talosctl -e 10.0.0.2 -n 10.0.0.2 etcd alarm disarm"),
        (("member", "list", "-w", "table"), "talosctl -e 10.0.0.2 -n 10.0.0.2 etcd members"),
        (("endpoint", "status", "-w", "table"), "talosctl -e 10.0.0.2 -n 10.0.0.2 etcd status"),
    ],
)
@pytest.mark.parametrize("endpoint", ["10.0.0.2:50000", "https://10.0.0.2:2379"])
def test_talosctl_has_the_same_in_its_own_words(endpoint: str, words: tuple[str, ...], command: str) -> None:
    """Also where the endpoint is a Talos node and no etcd URL."""
    assert Commands("talos").etcdctl(endpoint, *words) == command


def test_learner_on_talos_is_never_promoted_by_hand() -> None:
    """Its API has no such call."""
    said = Commands("talos").promote("beef")

    assert "promote beef" not in said
    assert "remove-member beef" in said
