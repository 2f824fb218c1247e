"""Opens control planes whose nodes are reached over ssh."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcd_dr.adapters.control_planes.node import ShellNode
from etcd_dr.adapters.control_planes.plane import NodeGroup
from etcd_dr.adapters.control_planes.service import EtcdService
from etcd_dr.adapters.control_planes.ssh import SshSettings, SshShell
from etcd_dr.adapters.control_planes.static_pod import StaticPodService, StaticPodSettings
from etcd_dr.adapters.control_planes.systemd_unit import SystemdService, SystemdSettings
from etcd_dr.ports.cancellation import Cancellation


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
