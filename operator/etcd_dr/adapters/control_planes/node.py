"""The port's Node: a shell, the service that runs etcd there, and the data directory that the service names."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from etcd_dr.adapters.control_planes import scripts
from etcd_dr.adapters.control_planes.call import Write, pushing
from etcd_dr.adapters.control_planes.data_directory import DataDirectory, DataPlace
from etcd_dr.adapters.control_planes.service import EtcdService
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.adapters.control_planes.sighting import NotMounted, see_data
from etcd_dr.domain.recovery.sight import DataSight, NodeSight, ProcessState
from etcd_dr.errors import NodeFault, UsageError

_RECOVERY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class ShellNode:
    """Implements ports.control_plane.Node."""

    def __init__(self, shell: Shell, service: EtcdService) -> None:
        self._shell = shell
        self._service = service

    @property
    def name(self) -> str:
        return self._shell.node

    @property
    def place(self) -> str:
        return self._shell.place

    def look(self, *, deadline: float) -> NodeSight:
        until = time.monotonic() + deadline
        seen = self._service.look(until=until)
        data, free, problem = None, None, seen.problem
        if seen.launch is not None:
            place = DataPlace(seen.launch.data_dir, seen.launch.wal_dir)
            # What may be running is treated as running: its database changes under the reader.
            is_running = seen.process is not ProcessState.STOPPED
            try:
                data, free = self._see_data(place, is_running=is_running, until=until)
            except NotMounted as error:
                problem = str(error)
        return NodeSight(
            node=self.name,
            process=seen.process,
            launch=seen.launch,
            data=data,
            free_bytes=free,
            etcd_version=seen.version,
            writers=seen.writers,
            log_tail=seen.log_tail,
            problem=problem,
        )

    def fence_writers(self, *, recovery_id: str, deadline: float) -> tuple[str, ...]:
        return self._service.fence_writers(recovery_id=_checked(recovery_id), until=time.monotonic() + deadline)

    def lift_fence(self, *, recovery_id: str, deadline: float) -> tuple[str, ...]:
        return self._service.lift_fence(recovery_id=_checked(recovery_id), until=time.monotonic() + deadline)

    def stop_etcd(self, *, recovery_id: str, deadline: float) -> bool:
        return self._service.stop(recovery_id=_checked(recovery_id), until=time.monotonic() + deadline)

    def start_etcd(
        self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None = None, deadline: float
    ) -> None:
        self._service.start(recovery_id=_checked(recovery_id), joins=joins, until=time.monotonic() + deadline)

    def restore_launch(self, *, recovery_id: str, deadline: float) -> None:
        self._service.restore_launch(recovery_id=_checked(recovery_id), until=time.monotonic() + deadline)

    def export_data(self, write: Write, *, deadline: float) -> None:
        until = time.monotonic() + deadline
        self._data(until).export(write, until=until)

    def read_database(self, write: Write, *, deadline: float) -> None:
        until = time.monotonic() + deadline
        self._data(until).read_database(write, until=until)

    def set_data_aside(self, *, recovery_id: str, deadline: float) -> str | None:
        until = time.monotonic() + deadline
        return self._data(until).set_aside(recovery_id=_checked(recovery_id), until=until)

    def place_data(self, source: Path, *, recovery_id: str, deadline: float) -> None:
        until = time.monotonic() + deadline
        self._data(until).put(source, recovery_id=_checked(recovery_id), until=until)

    def put_data_back(self, *, recovery_id: str, deadline: float) -> bool:
        until = time.monotonic() + deadline
        return self._data(until).put_back(recovery_id=_checked(recovery_id), until=until)

    def read_file(self, path: str, *, limit_bytes: int, deadline: float) -> bytes | None:
        said = self._shell.run(scripts.READ_HEAD, path, str(limit_bytes + 1), deadline=deadline)
        if said.status == scripts.IS_ABSENT:
            return None
        if len(said.output) > limit_bytes:
            raise NodeFault(f"is larger than {limit_bytes} bytes", subject=f"{self.name}:{path}")
        return said.output

    def put_file(self, path: str, body: bytes, *, mode: int, deadline: float) -> bool:
        if not path.startswith("/"):
            raise UsageError("is not an absolute path", subject=path)
        said = self._shell.run(scripts.PUT_FILE, path, f"{mode:o}", deadline=deadline, feed=pushing(body))
        return said.status != scripts.IS_THERE

    def close(self) -> None:
        self._shell.close()

    def _see_data(self, place: DataPlace, *, is_running: bool, until: float) -> tuple[DataSight, int | None]:
        data, free = see_data(self._shell, place, is_running=is_running, until=until)
        if data.damage and not is_running and self._service.look(until=until).process is not ProcessState.STOPPED:
            # It was started meanwhile, as a unit that fails and is restarted is: what was read was in motion.
            return see_data(self._shell, place, is_running=True, until=until)
        return data, free

    def _data(self, until: float) -> DataDirectory:
        launch, owner = self._service.launch(until=until)
        if launch is None:
            raise NodeFault(
                "nothing says how etcd is started here, so its data directory is not known",
                subject=self.name,
                next_step="Look at the node's manifest or unit, and at control_plane in the configuration.",
            )
        return DataDirectory(self._shell, DataPlace(launch.data_dir, launch.wal_dir, owner))


def _checked(recovery_id: str) -> str:
    """Return the id, which becomes part of names on the node."""
    if not _RECOVERY_ID.fullmatch(recovery_id):
        raise UsageError("is not a recovery id", subject=recovery_id[:80])
    return recovery_id
