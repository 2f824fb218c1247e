"""The parts that check a kit, as the kit's own configuration has them."""

from __future__ import annotations

from collections.abc import Mapping

from etcd_dr.bootstrap.control_plane import open_control_plane
from etcd_dr.bootstrap.drill import drill_max_age
from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.schedules import cron_schedule
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.tools import etcd_programs, make_member_host, make_restorer
from etcd_dr.config import Target
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.check_kit import KitLimits, KitPorts


def kit_ports(target: Target, store: ObjectStore, surroundings: Surroundings, environ: Mapping[str, str]) -> KitPorts:
    """Return everything that a check of a kit talks to; keys are read when they are needed."""
    programs = etcd_programs(target, environ)
    has_nodes = target.control_plane is not None
    return KitPorts(
        store=store,
        decoder=lambda: make_decoder(target.encryption),
        restorer=make_restorer(programs),
        host=make_member_host(programs, surroundings),
        clock=surroundings.clock,
        cancellation=surroundings.cancellation,
        open_plane=(lambda: open_control_plane(target, surroundings)) if has_nodes else None,
        has_machine_api=target.talos is not None,
    )


def kit_limits(target: Target, surroundings: Surroundings) -> KitLimits:
    """Return how old things may be: two intervals of the schedule, and what drills are asked for."""
    gap = None
    if target.schedule is not None:
        schedule = cron_schedule(target.schedule, cluster=target.name or "")
        gap = 2 * schedule.longest_gap(surroundings.clock.now())
    return KitLimits(snapshot_age=gap, drill_age=drill_max_age(target, now=surroundings.clock.now()))
