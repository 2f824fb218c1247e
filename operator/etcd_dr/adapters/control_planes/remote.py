"""Opens control planes whose nodes are reached over ssh."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcd_dr.adapters.control_planes.examination.node import ExaminedGroup, Platform, ShellExaminedNode
from etcd_dr.adapters.control_planes.examination.pods import StaticPodExamination
from etcd_dr.adapters.control_planes.examination.units import SystemdExamination
from etcd_dr.adapters.control_planes.node import ShellNode
from etcd_dr.adapters.control_planes.plane import NodeGroup
from etcd_dr.adapters.control_planes.service import EtcdService
from etcd_dr.adapters.control_planes.ssh import SshSettings, SshShell
from etcd_dr.adapters.control_planes.static_pod import StaticPodService, StaticPodSettings
from etcd_dr.adapters.control_planes.systemd_unit import SystemdService, SystemdSettings
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock


def open_static_pods(
    addresses: Mapping[str, str], *, ssh: SshSettings, settings: StaticPodSettings, cancellation: Cancellation
) -> NodeGroup:
    """Return nodes (name to address) on which the kubelet runs etcd; nothing is connected yet."""
    nodes = _nodes(
        addresses, ssh=ssh, cancellation=cancellation, make=lambda shell: StaticPodService(shell, settings=settings)
    )
    return NodeGroup("static-pod", nodes)


def open_systemd(
    addresses: Mapping[str, str], *, ssh: SshSettings, settings: SystemdSettings, cancellation: Cancellation
) -> NodeGroup:
    """Return nodes (name to address) on which systemd runs etcd; nothing is connected yet."""
    nodes = _nodes(
        addresses, ssh=ssh, cancellation=cancellation, make=lambda shell: SystemdService(shell, settings=settings)
    )
    return NodeGroup("systemd", nodes)


def open_for_examination(
    addresses: Mapping[str, str],
    *,
    ssh: SshSettings,
    settings: StaticPodSettings | SystemdSettings,
    clock: Clock,
    cancellation: Cancellation,
) -> ExaminedGroup:
    """Return nodes (name to address) for the doctor; nothing is connected yet."""
    platform: Platform
    if isinstance(settings, SystemdSettings):
        called, platform = "systemd", SystemdExamination(settings)
    else:
        called, platform = "static-pod", StaticPodExamination(settings)
    shells = [SshShell(n, address=a, settings=ssh, cancellation=cancellation) for n, a in addresses.items()]
    return ExaminedGroup(called, [ShellExaminedNode(shell, platform, clock=clock) for shell in shells])


def _nodes(
    addresses: Mapping[str, str],
    *,
    ssh: SshSettings,
    cancellation: Cancellation,
    make: Callable[[SshShell], EtcdService],
) -> list[ShellNode]:
    nodes = []
    for name, address in addresses.items():
        shell = SshShell(name, address=address, settings=ssh, cancellation=cancellation)
        nodes.append(ShellNode(shell, make(shell)))
    return nodes
