"""Look at Talos nodes: services, resources and files of one node, asked side by side, as one sight.

- Only not to get there at all is an error. What a node does not answer is left open in the sight, with the reason.
- Nothing is changed. With os:reader everything is seen; a missing role leaves gaps and says which role would fill them.
- The cluster id in a data directory is not told: Talos' cluster is known by its authority (adapters/talos), which is
  the same before and after a recovery, and so is no evidence here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from etcd_dr.domain.recovery.sight import DataSight, Launch, NodeSight, ProcessState
from etcd_dr.domain.recovery.talos_sight import TalosSight
from etcd_dr.domain.talos import (
    DATA_DIRECTORY,
    ETCD_SPEC,
    MACHINE_STATUS,
    MACHINE_TYPE,
    TIME_STATUS,
    VOLUME_STATUSES,
    FileEntry,
    MountUse,
    Resource,
    ServiceReport,
)
from etcd_dr.errors import EtcdError
from etcd_dr.ports.talos import TalosFleet, TalosNode

PLATFORM = "talos"
_LOG_LINES = 60
_IMAGE_TAG = re.compile(r":v?(\d+\.\d+\.\d+[^@]*)")
_STATES = {"Running": ProcessState.RUNNING, "Stopping": ProcessState.RUNNING}

Value = TypeVar("Value")


def node_name(address: str) -> str:
    """Return a node's name here: its address, the usual port left out."""
    return address.removesuffix(":50000")


@dataclass(frozen=True, slots=True)
class SeenTalosNode:
    """Implements ports.control_plane.SeenNode."""

    name: str
    fleet: TalosFleet
    call_deadline: float = 5.0

    @property
    def place(self) -> str:
        return f"talos {self.name}"

    def look(self, *, deadline: float) -> NodeSight:
        with closing(self.fleet.open(self.name)) as node:
            return look_at(node, name=self.name, deadline=min(deadline / 3, self.call_deadline))


class SeenTalosNodes:
    """Implements ports.control_plane.SeenControlPlane. Which nodes there are is asked once."""

    def __init__(self, fleet: TalosFleet, *, call_deadline: float = 5.0) -> None:
        self._fleet = fleet
        self._call_deadline = call_deadline
        self._nodes: tuple[SeenTalosNode, ...] | None = None

    @property
    def platform(self) -> str:
        return PLATFORM

    @property
    def nodes(self) -> Sequence[SeenTalosNode]:
        if self._nodes is None:
            names = dict.fromkeys(node_name(address) for address in self._fleet.nodes())
            self._nodes = tuple(SeenTalosNode(name, self._fleet, self._call_deadline) for name in names)
        return self._nodes


def look_at(node: TalosNode, *, name: str, deadline: float) -> NodeSight:
    """Return what a node shows; `deadline` is for each call. Raises EtcdError where its services cannot be asked."""
    services = node.services(deadline=deadline)
    etcd = next((service for service in services if service.id == "etcd"), None)
    is_running = etcd is not None and etcd.state == "Running"
    asked = _Asked(deadline)
    with ThreadPoolExecutor(8, thread_name_prefix="look") as pool:
        machine_type = asked.later(pool, lambda: node.resource(MACHINE_TYPE, "machine-type", deadline=deadline))
        machine = asked.later(pool, lambda: node.resource(MACHINE_STATUS, "machine", deadline=deadline))
        clock = asked.later(pool, lambda: node.resource(TIME_STATUS, "node", deadline=deadline))
        spec = asked.later(pool, lambda: node.resource(ETCD_SPEC, "etcd", deadline=deadline))
        volume = asked.later(pool, lambda: node.resource(VOLUME_STATUSES, "ETCD", deadline=deadline))
        version = asked.later(pool, lambda: node.version(deadline=deadline))
        mounts = asked.later(pool, lambda: node.mounts(deadline=deadline))
        data = asked.later(pool, lambda: data_of(node, deadline=deadline))
        members = asked.later(pool, lambda: node.etcd_members(local=True, deadline=deadline) if is_running else None)
        log = asked.later(pool, lambda: node.logs("etcd", lines=_LOG_LINES, deadline=deadline))
    told, listed = version(), members()
    launch, etcd_version, advertised = _launch(spec())
    return NodeSight(
        node=name,
        process=_STATES.get(etcd.state, ProcessState.STOPPED) if etcd else ProcessState.UNKNOWN,
        launch=launch,
        data=data(),
        free_bytes=free_bytes(mounts() or ()),
        etcd_version=etcd_version,
        log_tail=_log_tail(etcd, log()),
        problem="; ".join(asked.problems),
        talos=TalosSight(
            machine_type=_text(machine_type()),
            stage=str(_field(machine(), "stage") or ""),
            tag=told.tag if told else "",
            is_time_synced=_field(clock(), "synced"),
            service_state=etcd.state if etcd else "",
            service_text=etcd.newest.message if etcd and etcd.newest else "",
            is_healthy=etcd.is_healthy if etcd else None,
            listed_ids=None if listed is None else tuple(sorted(member.id for member in listed)),
            wipe_labels=("EPHEMERAL", "ETCD") if _field(volume(), "type") == "partition" else ("EPHEMERAL",),
            advertised=advertised,
        ),
    )


def data_of(node: TalosNode, *, deadline: float) -> DataSight:
    """Return what the data directory holds. Raises EtcdError where it cannot be listed."""
    top = node.list_directory(DATA_DIRECTORY, deadline=deadline)
    if top is None:
        return DataSight(DATA_DIRECTORY, exists=False)
    if not top:
        return DataSight(DATA_DIRECTORY, exists=True)
    wal = node.list_directory(f"{DATA_DIRECTORY}/member/wal", deadline=deadline) or ()
    snap = node.list_directory(f"{DATA_DIRECTORY}/member/snap", deadline=deadline) or ()
    database = next((row for row in snap if row.name.rpartition("/")[2] == "db"), None)
    wals = [row for row in wal if row.name.endswith(".wal")]
    damage = "" if database is not None else "there is no database"
    return DataSight(
        DATA_DIRECTORY,
        exists=True,
        has_wal=bool(wals),
        database_bytes=database.size_bytes if database else 0,
        damage=damage if wals else "there is no WAL",
        written_at=_newest([*wals, *([database] if database else [])]),
    )


def free_bytes(mounts: Sequence[MountUse]) -> int | None:
    """Return the room where the data directory lies: on the mount with the longest path that leads to it."""
    fitting = [mount for mount in mounts if _leads_to_data(mount.mounted_on)]
    best = max(fitting, key=lambda mount: len(mount.mounted_on), default=None)
    return best.available_bytes if best else None


@dataclass(slots=True)
class _Asked:
    """Questions under way. One that fails is a gap, and a sentence in `problems`."""

    deadline: float
    problems: list[str] = field(default_factory=list)

    def later(self, pool: ThreadPoolExecutor, ask: Callable[[], Value]) -> Callable[[], Value | None]:
        future = pool.submit(ask)

        def answer() -> Value | None:
            try:
                return future.result()
            except EtcdError as error:
                if error.message not in self.problems:
                    self.problems.append(error.message)
                return None

        return answer


def _newest(rows: Sequence[FileEntry]) -> datetime | None:
    return max((row.modified_at for row in rows if row.modified_at is not None), default=None)


def _leads_to_data(mounted_on: str) -> bool:
    return mounted_on == DATA_DIRECTORY or DATA_DIRECTORY.startswith(mounted_on.rstrip("/") + "/")


def _launch(spec: Resource | None) -> tuple[Launch | None, str | None, int]:
    """Return how Talos starts etcd, the version of its image, and how many addresses it advertises."""
    name, addresses = _field(spec, "name"), _field(spec, "advertisedAddresses")
    if not name or not isinstance(addresses, list) or not addresses:
        return None, None, 0
    hosts = [f"[{address}]" if ":" in str(address) else str(address) for address in addresses]
    launch = Launch(
        member_name=str(name),
        data_dir=DATA_DIRECTORY,
        peer_urls=tuple(f"https://{host}:2380" for host in hosts),
        client_urls=tuple(f"https://{host}:2379" for host in hosts),
    )
    found = _IMAGE_TAG.search(str(_field(spec, "image") or ""))
    return launch, found[1] if found else None, len(hosts)


def _log_tail(etcd: ServiceReport | None, log: str | None) -> tuple[str, ...]:
    return tuple((log or "").splitlines()[-_LOG_LINES:]) if etcd is not None else ()


def _text(resource: Resource | None) -> str:
    return str(resource.spec) if resource is not None and isinstance(resource.spec, str) else ""


def _field(resource: Resource | None, name: str) -> Any:
    spec = resource.spec if resource is not None else None
    return spec.get(name) if isinstance(spec, dict) else None
