"""Where a cluster's companions come from, as its configuration has it."""

from __future__ import annotations

from etcd_dr.adapters.companions import LocalFiles, NodeFiles
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.domain.companions import KUBEADM_FILES, CompanionLimits
from etcd_dr.errors import ConfigError
from etcd_dr.ports.companions import CompanionSource
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.workflows.keep_companions import CompanionOrder


def companion_order(target: Target, surroundings: Surroundings) -> CompanionOrder | None:
    """Return what is gathered with each snapshot, None where nothing is. Raises ConfigError where files of nodes are
    asked for and nothing describes the nodes."""
    said = target.companions
    keeps_machine_configs = target.talos is not None and target.talos.machine_configs
    if not said.is_asked_for and not keeps_machine_configs:
        return None
    sources: list[CompanionSource] = [LocalFiles(said.files)] if said.files else []
    if said.node_files or said.kubeadm:
        if target.control_plane is None:
            raise ConfigError(
                "asks for files of nodes, and nothing describes the nodes",
                subject="companions",
                next_step="Describe them under control_plane, or leave node_files and kubeadm out.",
            )
        optional = KUBEADM_FILES if said.kubeadm else ()
        sources.append(NodeFiles(lambda: _open(target, surroundings), paths=said.node_files, optional=optional))
    if keeps_machine_configs:
        from etcd_dr.bootstrap.talos import machine_configs  # noqa: PLC0415 - only for Talos

        sources.append(machine_configs(target, surroundings))
    return CompanionOrder(
        sources,
        limits=CompanionLimits(said.max_total_bytes, said.max_files),
        required=said.required,
        in_clear=said.allow_unencrypted,
    )


def _open(target: Target, surroundings: Surroundings) -> ControlPlane:
    from etcd_dr.bootstrap.control_plane import open_control_plane  # noqa: PLC0415 - only where nodes are asked

    return open_control_plane(target, surroundings)
