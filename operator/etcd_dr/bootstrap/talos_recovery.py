"""The parts of a recovery on Talos: looks at its nodes, the way to change them, and etcd's own API where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.talos import connect_talos, talos_nodes
from etcd_dr.config import Target
from etcd_dr.ports.control_plane import ControlPlane, Node
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.etcd_admin import AdminConnector, EtcdAdmin
from etcd_dr.workflows.recovery.talos_driver import TalosDriver, TalosLimits
from etcd_dr.workflows.recovery.talos_look import PLATFORM, SeenTalosNodes


@dataclass(frozen=True, slots=True)
class TalosParts:
    """What `recovery_ports` puts together for Talos."""

    driver: TalosDriver
    connector: EtcdConnector
    admins: AdminConnector


def talos_sights(target: Target, surroundings: Surroundings) -> SeenTalosNodes:
    """Return the nodes to look at; nothing is asked yet."""
    section = target.need_talos()
    return SeenTalosNodes(talos_nodes(section, surroundings), call_deadline=section.request_timeout.total_seconds())


def is_driven_by_talos(target: Target) -> bool:
    """Whether recoveries of this cluster go through Talos: it is configured, and no other way to the nodes is."""
    return target.talos is not None and target.control_plane is None


def talos_parts(target: Target, surroundings: Surroundings) -> TalosParts:
    """Return the driver and the connectors; nothing is connected yet."""
    fleet = talos_nodes(target.need_talos(), surroundings)
    connector = connect_talos(target, surroundings, for_snapshots=True)
    if target.etcd is None:
        return TalosParts(TalosDriver(fleet, limits=talos_limits(target)), connector, _NoAdministration(target))
    from etcd_dr.bootstrap.etcd import connect_etcd  # noqa: PLC0415 - imports grpc, which Talos alone needs not

    etcd = connect_etcd(target.etcd, surroundings)
    return TalosParts(TalosDriver(fleet, etcd=etcd, limits=talos_limits(target)), connector, etcd)


def talos_limits(target: Target) -> TalosLimits:
    """Return how long a recovery waits: as configured, and never less than what a healthy node was seen to need.

    What is left out are Talos' own times (a promotion, a join), which no configuration of ours changes.
    """
    section, least = target.need_talos(), TalosLimits()
    asked = section.request_timeout.total_seconds()
    return TalosLimits(
        call_deadline=max(least.call_deadline, asked),
        change_deadline=max(least.change_deadline, 3 * asked),
        reboot_deadline=section.reboot_timeout.total_seconds(),
        stall_deadline=max(least.stall_deadline, target.snapshot.stall_timeout.total_seconds()),
    )


class NoDrivenNodes:
    """Implements ports.control_plane.ControlPlane with no node: Talos' nodes are driven otherwise."""

    @property
    def platform(self) -> str:
        return PLATFORM

    @property
    def nodes(self) -> Sequence[Node]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


def no_driven_nodes() -> ControlPlane:
    return NoDrivenNodes()


class _NoAdministration:
    """Implements ports.etcd_admin.AdminConnector where etcd's certificates are not configured: it says so."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def administer(self, endpoint: str) -> EtcdAdmin:
        self._target.need_etcd()
        raise AssertionError(f"etcd is not configured, and {endpoint} was asked for")
