"""Control-plane nodes in memory, to be bent: wiped, denied, full, slow, vanishing in the middle of a call.

Rules this fake keeps:
- It behaves as the contract suite asks of the real drivers (tests/contract/test_control_plane.py): calls may be
  repeated, nothing is deleted, what ran before is remembered by the recovery's id.
- A data directory is a `FakeData`: ids, a revision, and the database's bytes. `place_data` reads the real directory it
  is given, so that what was built is what arrives.
- Nothing sleeps. `slow` calls `on_wait` with the seconds that a call would take and then fails at its deadline.
- `on_start`, `on_stop` tell a test that etcd was started or stopped, so that a FakeCluster can follow.

    plane = FakeControlPlane.of("cp1", "cp2", "cp3")
    plane.node("cp2").vanish("place_data", halfway=True)      # once; the next call finds the node again
    plane.node("cp3").deny()                                  # every call, until `allow()`
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from etcd_dr.domain.recovery.plan import aside_name
from etcd_dr.domain.recovery.sight import DatabasePeek, DataSight, Launch, NodeSight, ProcessState, Writer
from etcd_dr.errors import EtcdDrError, FileUnreadable, NodeDenied, NodeFault, NodeUnreachable
from etcd_dr.ports.control_plane import Write

_GIB = 1 << 30
T = TypeVar("T")


@dataclass(frozen=True)
class FakeData:
    """What lies in a data directory. `placed_by` is the recovery that placed it, empty for what was there."""

    database: bytes = b"database"
    cluster_id: int | None = 0xC1
    member_id: int | None = 0xA1
    revision: int | None = 100
    has_wal: bool = True
    damage: str = ""
    placed_by: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class FakeFault:
    """What goes wrong, how often, and whether the work was done before it did."""

    error: EtcdDrError
    times: int
    halfway: bool


class FakeNode:
    """Implements ports.control_plane.Node; every field may be changed by a test. `calls` tells what was asked."""

    def __init__(self, name: str, *, launch: Launch | None = None, data: FakeData | None = None) -> None:
        self._name = name
        self.launch: Launch | None = launch or Launch(
            member_name=name,
            data_dir="/var/lib/etcd",
            peer_urls=(f"https://{name}.example:2380",),
            client_urls=(f"https://{name}.example:2379",),
        )
        self.data: FakeData | None = data if data is not None else FakeData()
        self.aside: dict[str, FakeData] = {}
        self.abandoned: list[FakeData] = []
        self.is_running = True
        self.process_is_unknown = False
        self.writers: dict[str, bool] = {"kube-apiserver": True}
        self.free_bytes: int | None = 100 * _GIB
        self.etcd_version: str | None = "3.5.30"
        self.log_tail: tuple[str, ...] = ()
        self.files: dict[str, bytes] = {}
        self.joins: Mapping[str, Sequence[str]] | None = None
        self.joined_for = ""
        self.calls: list[str] = []
        self.closed = False
        self.seconds_per_call = 0.0
        self.on_wait: Callable[[float], object] = lambda seconds: None
        self.on_start: Callable[[FakeNode], object] = lambda node: None
        self.on_stop: Callable[[FakeNode], object] = lambda node: None
        self._memory: dict[str, dict[str, object]] = {}
        self._faults: dict[str, FakeFault] = {}

    # Bending it

    def wipe(self) -> None:
        """Lose the data directory, and what was set aside beside it, as a lost disk would."""
        self.data = None
        self.aside.clear()
        self.is_running = False

    def vanish(self, call: str = "", *, times: int = 1, halfway: bool = False) -> None:
        """Be unreachable for the next call of that name, or any; `halfway`: the work was done, the answer is lost."""
        self.fail(call, NodeUnreachable("the connection was lost", subject=self._name), times=times, halfway=halfway)

    def deny(self, call: str = "", *, times: int = 1_000_000) -> None:
        """Refuse us."""
        self.fail(call, NodeDenied("permission denied", subject=self._name), times=times)

    def fill_disk(self, *, free_bytes: int = 0) -> None:
        """Leave so much room; data that is larger cannot be placed."""
        self.free_bytes = free_bytes

    def slow(self, seconds: float) -> None:
        """Take so long for every call; beyond a call's deadline it fails."""
        self.seconds_per_call = seconds

    def fail(self, call: str, error: EtcdDrError, *, times: int = 1, halfway: bool = False) -> None:
        self._faults[call] = FakeFault(error, times, halfway)

    def allow(self) -> None:
        """Take every fault back."""
        self._faults.clear()
        self.seconds_per_call = 0.0

    # The port

    @property
    def name(self) -> str:
        return self._name

    @property
    def place(self) -> str:
        return f"fake {self._name}"

    def look(self, *, deadline: float) -> NodeSight:
        return self._do("look", deadline, self._look)

    def fence_writers(self, *, recovery_id: str, deadline: float) -> tuple[str, ...]:
        def fence() -> tuple[str, ...]:
            running = tuple(name for name, runs in self.writers.items() if runs)
            names = self._remember(recovery_id, "writers", running)
            self.writers = dict.fromkeys(self.writers, False)
            return names

        return self._do("fence_writers", deadline, fence)

    def lift_fence(self, *, recovery_id: str, deadline: float) -> tuple[str, ...]:
        def lift() -> tuple[str, ...]:
            names = tuple(reversed(self._remembered(recovery_id, "writers", ())))
            self.writers.update(dict.fromkeys(names, True))
            return names

        return self._do("lift_fence", deadline, lift)

    def stop_etcd(self, *, recovery_id: str, deadline: float) -> bool:
        def stop() -> bool:
            ran = self._remember(recovery_id, "ran", self.is_running)
            if self.is_running:
                self.is_running = False
                self.on_stop(self)
            return ran

        return self._do("stop_etcd", deadline, stop)

    def start_etcd(
        self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None = None, deadline: float
    ) -> None:
        def start() -> None:
            if self.is_running:
                return
            if joins is not None:
                if self.launch is not None and self.launch.problem:
                    raise NodeFault(f"etcd cannot be started to join: {self.launch.problem}", subject=self._name)
                self.joins, self.joined_for = dict(joins), recovery_id
            if self.data is None:
                self.data = FakeData(database=b"", revision=1, cluster_id=None, member_id=None)
            self.is_running = True
            self.on_start(self)

        self._do("start_etcd", deadline, start)

    def restore_launch(self, *, recovery_id: str, deadline: float) -> None:
        def restore() -> None:
            if self.joined_for == recovery_id:
                self.joins, self.joined_for = None, ""

        self._do("restore_launch", deadline, restore)

    def export_data(self, write: Write, *, deadline: float) -> None:
        def export() -> None:
            data = self._existing()
            directory = self._directory().lstrip("/")
            files = data.files or {"member/snap/db": data.database, "member/wal/0.wal": b"wal"}
            whole = io.BytesIO()
            with tarfile.open(fileobj=whole, mode="w") as archive:
                for name, body in sorted(files.items()):
                    entry = tarfile.TarInfo(f"{directory}/{name}")
                    entry.size = len(body)
                    archive.addfile(entry, io.BytesIO(body))
            write(whole.getvalue())

        self._do("export_data", deadline, export)

    def read_database(self, write: Write, *, deadline: float) -> None:
        self._do("read_database", deadline, lambda: write(self._existing().database) and None)

    def set_data_aside(self, *, recovery_id: str, deadline: float) -> str | None:
        def set_aside() -> str | None:
            name = f"{self._directory()}.{aside_name(recovery_id)}"
            if recovery_id in self.aside:
                return name
            if self.data is None or self.data.placed_by == recovery_id:
                return None
            self.aside[recovery_id], self.data = self.data, None
            return name

        return self._do("set_data_aside", deadline, set_aside)

    def place_data(self, source: Path, *, recovery_id: str, deadline: float) -> None:
        def place() -> None:
            files = _files(source)
            if self.data is not None:
                if self.data.placed_by == recovery_id:
                    return
                raise NodeFault("another data directory is in the way", subject=self._name)
            if self.free_bytes is not None and sum(map(len, files.values())) > self.free_bytes:
                raise NodeFault("no space left on the node", subject=self._name, context={"reason": "disk-full"})
            self.data = FakeData(
                database=files["member/snap/db"],
                cluster_id=None,
                member_id=None,
                revision=None,
                placed_by=recovery_id,
                files=files,
            )

        self._do("place_data", deadline, place)

    def put_data_back(self, *, recovery_id: str, deadline: float) -> bool:
        def put_back() -> bool:
            before = self.aside.pop(recovery_id, None)
            if before is None and (self.data is None or self.data.placed_by != recovery_id):
                return False
            if self.data is not None:
                self.abandoned.append(self.data)
            self.data = before
            return True

        return self._do("put_data_back", deadline, put_back)

    def read_file(self, path: str, *, limit_bytes: int, deadline: float) -> bytes | None:
        def read() -> bytes | None:
            body = self.files.get(path)
            if body is not None and len(body) > limit_bytes:
                raise NodeFault(f"is larger than {limit_bytes} bytes", subject=f"{self._name}:{path}")
            return body

        return self._do("read_file", deadline, read)

    def put_file(self, path: str, body: bytes, *, mode: int, deadline: float) -> bool:
        def put() -> bool:
            is_new = path not in self.files
            self.files.setdefault(path, body)
            return is_new

        return self._do("put_file", deadline, put)

    def close(self) -> None:
        self.closed = True

    def _do(self, call: str, deadline: float, work: Callable[[], T]) -> T:
        self.calls.append(call)
        if self.seconds_per_call:
            self.on_wait(min(self.seconds_per_call, deadline))
            if self.seconds_per_call > deadline:
                raise NodeUnreachable(f"no answer within {deadline:g} s", subject=self._name)
        fault = self._faults.get(call) or self._faults.get("")
        if fault is None or fault.times == 0:
            return work()
        fault.times -= 1
        if fault.halfway:
            work()
        raise fault.error

    def _look(self) -> NodeSight:
        return NodeSight(
            node=self._name,
            process=ProcessState.UNKNOWN
            if self.process_is_unknown
            else (ProcessState.RUNNING if self.is_running else ProcessState.STOPPED),
            launch=self.launch,
            data=self._data_sight() if self.launch is not None else None,
            free_bytes=self.free_bytes,
            etcd_version=self.etcd_version,
            writers=tuple(Writer(name, runs) for name, runs in self.writers.items()),
            log_tail=self.log_tail,
        )

    def _data_sight(self) -> DataSight:
        directory = self._directory()
        aside = tuple(f"{directory}.{aside_name(recovery)}" for recovery in self.aside)
        data = self.data
        if data is None:
            return DataSight(directory, exists=False, set_aside=aside)
        can_peek = not self.is_running and data.revision is not None and not data.damage
        return DataSight(
            directory,
            exists=True,
            has_wal=data.has_wal,
            database_bytes=len(data.database),
            cluster_id=data.cluster_id,
            member_id=data.member_id,
            peek=DatabasePeek(data.revision or 1, data.revision, 1) if can_peek else None,
            damage=data.damage,
            set_aside=aside,
        )

    def _directory(self) -> str:
        return self.launch.data_dir if self.launch is not None else "/var/lib/etcd"

    def _existing(self) -> FakeData:
        if self.data is None:
            raise NodeFault("does not exist on the node", subject=f"{self._name}:{self._directory()}")
        return self.data

    def _remember(self, recovery_id: str, what: str, value: T) -> T:
        return self._memory.setdefault(recovery_id, {}).setdefault(what, value)  # type: ignore[return-value]  # what was put in

    def _remembered(self, recovery_id: str, what: str, default: T) -> T:
        return self._memory.get(recovery_id, {}).get(what, default)  # type: ignore[return-value]  # what was put in

    def learn(self, **changes: object) -> None:
        """Change fields of the data in place, such as the ids that etcd writes once it has started."""
        self.data = replace(self._existing(), **changes)  # type: ignore[arg-type]  # fields of FakeData


class FakeControlPlane:
    """Implements ports.control_plane.ControlPlane."""

    def __init__(self, nodes: Sequence[FakeNode], *, platform: str = "static-pod") -> None:
        self.platform = platform
        self.nodes: tuple[FakeNode, ...] = tuple(nodes)

    @classmethod
    def of(cls, *names: str, platform: str = "static-pod") -> FakeControlPlane:
        """Return healthy nodes of one cluster, with member ids 1, 2, ..."""
        nodes = [FakeNode(name, data=FakeData(member_id=number)) for number, name in enumerate(names, start=1)]
        return cls(nodes, platform=platform)

    def node(self, name: str) -> FakeNode:
        """Return the node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def close(self) -> None:
        for node in self.nodes:
            node.close()


def _files(source: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(source)): path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file()}
    if "member/snap/db" not in files or not any(name.startswith("member/wal/") for name in files):
        raise FileUnreadable("is not a whole data directory: it has no database or no WAL", subject=str(source))
    return files
