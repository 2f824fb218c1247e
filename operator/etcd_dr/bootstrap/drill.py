"""The parts of a drill, as one cluster's configuration has them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from etcd_dr.adapters.local_files import DirectoryRooms
from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.local_files import make_file_sink
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.tools import etcd_programs, make_member_host, make_restorer
from etcd_dr.config import Target
from etcd_dr.domain.schedule import CronSchedule
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.rooms import Rooms
from etcd_dr.workflows.drill_restore import DrillOptions, DrillPorts


def drill_ports(
    target: Target, store: ObjectStore, surroundings: Surroundings, environ: Mapping[str, str] = os.environ
) -> DrillPorts:
    """Return everything that a drill talks to. Raises ConfigError and FileUnreadable for keys."""
    programs = etcd_programs(target, environ)
    return DrillPorts(
        store=store,
        decoder=make_decoder(target.encryption),
        files=make_file_sink(),
        rooms=make_rooms(target),
        restorer=make_restorer(programs),
        host=make_member_host(programs, surroundings),
        clock=surroundings.clock,
        tokens=surroundings.tokens,
        events=surroundings.events,
        progress=surroundings.progress,
        cancellation=surroundings.cancellation,
    )


def make_rooms(target: Target) -> Rooms:
    """Return where a drill restores; a directory in any case, because etcd needs one."""
    return DirectoryRooms(target.scratch_dir or Path(tempfile.gettempdir()))


def drill_options(target: Target) -> DrillOptions:
    """Return how this cluster is drilled."""
    said = target.drill
    return DrillOptions(
        sample_keys=said.sample_keys,
        objective=target.objectives.rto,
        start_deadline=said.start_timeout.total_seconds(),
    )


def drill_schedule(target: Target, *, cluster: str) -> CronSchedule | None:
    """Return when the operator drills; None: never by itself."""
    said = target.drill
    return None if said.cron is None else CronSchedule(said.cron, said.time_zone, f"{cluster}/drill")


def drill_max_age(target: Target, *, now: datetime) -> timedelta | None:
    """Return how old the last good drill may be; None: nobody said.

    A schedule of drills says it by itself: one may fail, two in a row may not. Health, readiness, kit and metrics all
    ask here, so that they agree.
    """
    schedule = drill_schedule(target, cluster=target.name or "")
    return target.drill.max_age or (2 * schedule.longest_gap(now) if schedule is not None else None)
