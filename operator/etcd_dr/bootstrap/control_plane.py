"""The nodes that the configuration describes, ready to be driven."""

from __future__ import annotations

from etcd_dr.adapters.control_planes.local import open_local
from etcd_dr.adapters.control_planes.local_process import Starter
from etcd_dr.adapters.control_planes.remote import open_static_pods, open_systemd
from etcd_dr.adapters.control_planes.ssh import SshSettings
from etcd_dr.adapters.control_planes.static_pod import StaticPodSettings
from etcd_dr.adapters.control_planes.systemd_unit import SystemdSettings
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.control_plane_model import ControlPlaneSection, SshSection
from etcd_dr.ports.control_plane import ControlPlane


def open_control_plane(target: Target, surroundings: Surroundings, *, start: Starter | None = None) -> ControlPlane:
    """Return the cluster's nodes; nothing is connected yet. The caller closes it.

    `start` starts local processes; without one they outlive the command. Raises ConfigError where nothing describes
    the nodes.
    """
    section = target.need_control_plane()
    cancellation = surroundings.cancellation
    if section.local is not None and section.platform == "local":
        names = [node.name for node in section.nodes]
        return open_local(section.local.root, names=names, cancellation=cancellation, start=start)
    addresses = {node.name: node.address or node.name for node in section.nodes}
    ssh = ssh_settings(section.ssh)
    if section.platform == "systemd":
        return open_systemd(addresses, ssh=ssh, settings=systemd_settings(section), cancellation=cancellation)
    return open_static_pods(addresses, ssh=ssh, settings=static_pod_settings(section), cancellation=cancellation)


def ssh_settings(section: SshSection) -> SshSettings:
    """Return the adapter's settings for logging in."""
    return SshSettings(
        program=section.program,
        user=section.user,
        port=section.port,
        identity_file=section.identity_file,
        config_file=section.config_file,
        options=section.options,
        sudo=section.sudo,
        connect_timeout_seconds=section.connect_timeout.total_seconds(),
    )


def systemd_settings(section: ControlPlaneSection) -> SystemdSettings:
    """Return the adapter's settings for units."""
    said = section.systemd
    return SystemdSettings(unit=said.unit, writers=said.writers, drop_ins=said.drop_ins, state_dir=said.state_dir)


def static_pod_settings(section: ControlPlaneSection) -> StaticPodSettings:
    """Return the adapter's settings for static pods."""
    said = section.static_pod
    return StaticPodSettings(manifests_dir=said.manifests_dir.rstrip("/"), manifest=said.manifest, writers=said.writers)
