"""The Talos nodes that the configuration describes, and whichever way leads to the members of a cluster."""

from __future__ import annotations

import os
from dataclasses import replace

from etcd_dr.adapters.talos.connector import TalosConnector
from etcd_dr.adapters.talos.fleet import TalosAccess, TalosNodes
from etcd_dr.adapters.talos.machine_configs import MachineConfigs
from etcd_dr.adapters.talos.material import own_certificate
from etcd_dr.bootstrap.local_files import make_scratch
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.talos_model import TalosSection
from etcd_dr.domain.talos import TalosRole
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.workflows.copy_database import CopyPorts


def talos_nodes(section: TalosSection, surroundings: Surroundings) -> TalosNodes:
    """Return the control plane nodes; nothing is read or connected yet."""
    access = TalosAccess(
        config_file=section.config_file,
        context=section.context,
        nodes=section.nodes,
        forward=section.forward,
        request_deadline=section.request_timeout.total_seconds(),
        environment=os.environ,
    )
    return TalosNodes(access, clock=surroundings.clock)


def connect_talos(target: Target, surroundings: Surroundings, *, for_snapshots: bool) -> TalosConnector:
    """Return a connector that takes snapshots through Talos. Where etcd is configured too, it answers for hashes."""
    section = target.need_talos()
    etcd: EtcdConnector | None = None
    if target.etcd is not None:
        from etcd_dr.bootstrap.etcd import connect_etcd  # noqa: PLC0415 - imports grpc, which Talos alone needs not

        etcd = connect_etcd(target.etcd, surroundings)
    scratch = make_scratch(target) if section.compare_copies and etcd is None else None
    return TalosConnector(talos_nodes(section, surroundings), etcd=etcd, scratch=scratch, is_lenient=for_snapshots)


def copy_ports(target: Target, surroundings: Surroundings) -> CopyPorts:
    """Return what reads database files from the nodes."""
    return CopyPorts(
        fleet=talos_nodes(target.need_talos(), surroundings),
        scratch=make_scratch(target),
        cancellation=surroundings.cancellation,
        progress=surroundings.progress,
        events=surroundings.events,
    )


def machine_configs(target: Target, surroundings: Surroundings) -> MachineConfigs:
    """Return what reads the machine configuration of each node."""
    section = target.need_talos()
    return MachineConfigs(lambda: talos_nodes(section, surroundings))


def with_machine_configs(target: Target, surroundings: Surroundings) -> Target:
    """Return the target of a person's own command: it keeps machine configurations where nothing speaks against it."""
    section = target.talos
    if section is None or section.machine_configs is not None or not target.encryption.enabled:
        return target
    own = own_certificate(talos_nodes(section, surroundings).context())
    wants = TalosRole.ADMIN in own.roles
    return replace(target, talos=section.model_copy(update={"machine_configs": wants}))
