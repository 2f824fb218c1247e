"""Talos nodes in memory: bend their state, then ask the doctor or copy their databases.

    fleet = FakeFleet(3)                                      # nodes without an opinion
    fleet = FakeFleet.healthy(3)                              # three members that serve, as the contract suite has them
    fleet["10.0.0.2:50000"].fail("EtcdStatus", MemberTimeout("silent"))

It behaves as tests/contract/test_talos_node.py asks of it and of the real client alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from etcd_dr.domain.cluster import Alarm, Member, MemberStatus
from etcd_dr.domain.talos import (
    BOOT_ID_FILE,
    DATA_DIRECTORY,
    DATABASE_FILE,
    ETCD_SPEC,
    MACHINE_CONFIG,
    MACHINE_TYPE,
    ROLES_FOR,
    FileEntry,
    MountUse,
    Resource,
    ResourceKind,
    ServiceReport,
    TalosEvent,
    TalosRole,
    TalosVersion,
    missing_role,
)
from etcd_dr.errors import AccessDenied, Cancelled, EtcdError
from etcd_dr.ports.snapshot_source import SnapshotChunk

_DATABASE = b"a database of four kilobytes" * 150
_READERS = (TalosRole.READER, TalosRole.OPERATOR, TalosRole.ADMIN)


def _status(member_id: int, *, leader_id: int) -> MemberStatus:
    return MemberStatus(
        cluster_id=0,
        member_id=member_id,
        revision=0,
        raft_term=2,
        raft_index=10,
        raft_applied_index=10,
        leader_id=leader_id,
        version="3.5.30",
        db_size_bytes=len(_DATABASE),
        db_in_use_bytes=len(_DATABASE),
        is_learner=False,
    )


class FakeStream:
    """Implements ports.snapshot_source.SnapshotStream over bytes at hand."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._is_cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[SnapshotChunk]:
        for at in range(0, len(self._body), 1024):
            if self._is_cancelled:
                raise Cancelled("the stream was cancelled")
            yield SnapshotChunk(self._body[at : at + 1024], None)

    def cancel(self) -> None:
        self._is_cancelled = True


@dataclass
class FakeNode:
    """Implements ports.talos.TalosActor. `files` are read by path; `bodies` of a path are given one after the other."""

    address: str
    members: tuple[Member, ...] = ()
    status: MemberStatus | None = None
    alarms: tuple[Alarm, ...] = ()
    reports: tuple[ServiceReport, ...] = ()
    published: dict[tuple[str, str], Resource] = field(default_factory=dict)
    directories: dict[str, tuple[FileEntry, ...]] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)
    failures: dict[str, EtcdError] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    """Calls whose next one is done and then answered as an election does: timed out."""
    asked: list[str] = field(default_factory=list)
    is_closed: bool = False

    roles: tuple[str, ...] = ("os:admin",)

    def fail(self, call: str, error: EtcdError) -> None:
        """Let every later call of that name fail."""
        self.failures[call] = error

    def _ask(self, call: str, *, is_sensitive: bool = False) -> None:
        self.asked.append(call)
        if call in self.failures:
            raise self.failures[call]
        name = call.partition(" ")[0]
        allowed = (TalosRole.ADMIN,) if is_sensitive else ROLES_FOR.get(name, _READERS)
        if not set(allowed) & set(self.roles):
            needed = str(missing_role(name, self.roles, is_sensitive=is_sensitive))
            raise AccessDenied(f"{name} needs the role {needed}", subject=self.address, context={"needed_role": needed})

    def _may_be_cut_off(self, call: str) -> None:
        if call in self.cut_off:
            self.cut_off.remove(call)
            raise EtcdError(f"{call}: etcdserver: request timed out", subject=self.address)

    def version(self, *, deadline: float) -> TalosVersion:
        self._ask("Version")
        return TalosVersion("v1.13.9", "metal")

    def services(self, *, deadline: float) -> tuple[ServiceReport, ...]:
        self._ask("ServiceList")
        return self.reports

    def etcd_status(self, *, deadline: float) -> MemberStatus:
        self._ask("EtcdStatus")
        if self.status is None:
            raise EtcdError("no status", subject=self.address)
        return self.status

    def etcd_members(self, *, local: bool, deadline: float) -> tuple[Member, ...]:
        self._ask("EtcdMemberList" if local else "EtcdMemberList through quorum")
        return self.members

    def etcd_alarms(self, *, deadline: float) -> tuple[Alarm, ...]:
        self._ask("EtcdAlarmList")
        self._may_be_cut_off("EtcdAlarmList")
        return self.alarms

    def resource(self, kind: ResourceKind, id: str, *, deadline: float) -> Resource | None:  # noqa: A002 - Talos' word
        self._ask(f"Get {kind.type}", is_sensitive=kind == MACHINE_CONFIG)
        return self.published.get((kind.type, id))

    def resources(self, kind: ResourceKind, *, deadline: float) -> tuple[Resource, ...]:
        self._ask(f"List {kind.type}")
        return tuple(found for (type_name, _), found in self.published.items() if type_name == kind.type)

    def list_directory(self, path: str, *, deadline: float) -> tuple[FileEntry, ...] | None:
        self._ask(f"List {path}")
        return self.directories.get(path)

    def mounts(self, *, deadline: float) -> tuple[MountUse, ...]:
        self._ask("Mounts")
        return (MountUse("/var", 50 << 30, 40 << 30),)

    def logs(self, service: str, *, lines: int, deadline: float) -> str:
        self._ask(f"Logs {service}")
        return ""

    def local_time(self, *, deadline: float) -> datetime:
        self._ask("Time")
        return datetime(2026, 8, 20, 12, tzinfo=UTC)

    def read_file(self, path: str, *, limit_bytes: int, deadline: float) -> bytes:
        return self._next_body(path)[:limit_bytes]

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> FakeStream:
        self._ask("EtcdSnapshot")
        database = self.files.get(DATABASE_FILE, [b""])[0]
        return FakeStream(database + hashlib.sha256(database).digest())

    def read_stream(self, path: str, *, stall_deadline: float, total_deadline: float) -> FakeStream:
        return FakeStream(self._next_body(path))

    def _next_body(self, path: str) -> bytes:
        self._ask("Read")
        bodies = self.files.get(path)
        if not bodies:
            raise EtcdError("Read: no such file", subject=self.address, context={"reason": "not-found"})
        return bodies.pop(0) if len(bodies) > 1 else bodies[0]

    def upload_snapshot(self, chunks: Iterable[bytes], *, deadline: float) -> None:
        self._ask("EtcdRecover")
        self.files["/var/lib/etcd.snapshot"] = [b"".join(chunks)]

    def bootstrap(self, *, recover: bool, deadline: float) -> None:
        self._ask("Bootstrap")
        if self.directories.get(DATA_DIRECTORY):
            raise EtcdError(
                "Bootstrap: etcd data directory is not empty",
                subject=self.address,
                context={"reason": "already-exists"},
            )

    def reset(self, labels: Sequence[str], *, deadline: float) -> str:
        assert labels, "a reset without labels would wipe the whole disk"
        self._ask("Reset")
        self.directories.pop(DATA_DIRECTORY, None)
        self.files.pop(DATABASE_FILE, None)
        return "actor"

    def reboot(self, *, deadline: float) -> str:
        self._ask("Reboot")
        return "actor"

    def remove_member(self, member_id: int, *, deadline: float) -> None:
        self._ask("EtcdRemoveMemberByID")
        if all(member.id != member_id for member in self.members):
            detail = f"failed to remove member {member_id}: etcdserver: member not found"
            raise EtcdError(f"EtcdRemoveMemberByID: {detail}", subject=self.address, context={"detail": detail})
        self.members = tuple(member for member in self.members if member.id != member_id)

    def defragment(self, *, deadline: float) -> None:
        self._ask("EtcdDefragment")
        if self.status is not None and self.status.db_in_use_bytes is not None:
            self.status = replace(self.status, db_size_bytes=self.status.db_in_use_bytes)

    def disarm_alarms(self, *, deadline: float) -> None:
        self._ask("EtcdAlarmDisarm")
        self.alarms = ()
        self._may_be_cut_off("EtcdAlarmDisarm")

    @contextmanager
    def events(
        self, *, actor_id: str = "", tail: int = 0, stall_deadline: float, total_deadline: float
    ) -> Iterator[Iterator[TalosEvent]]:
        self._ask("Events")
        yield iter(())

    def close(self) -> None:
        self.is_closed = True


class FakeFleet:
    """Implements ports.talos.TalosFleet; `fleet[address]` is the node, which outlives its connections."""

    def __init__(self, count: int) -> None:
        self._nodes = {f"10.0.0.{i}:50000": FakeNode(f"10.0.0.{i}:50000") for i in range(1, count + 1)}

    @classmethod
    def healthy(cls, count: int) -> FakeFleet:
        """Return nodes with one member each: the first one leads, and all have the same database."""
        fleet = cls(count)
        hosts = [address.partition(":")[0] for address in fleet.nodes()]
        members = tuple(
            Member(0xA0 + i, f"talos-{i + 1}", (f"https://{host}:2380",), (f"https://{host}:2379",))
            for i, host in enumerate(hosts)
        )
        for member, node in zip(members, fleet._nodes.values(), strict=True):
            node.members = members
            node.status = _status(member.id, leader_id=members[0].id)
            node.reports = (ServiceReport("etcd", "Running", True), ServiceReport("kubelet", "Running", True))
            node.directories = {
                DATA_DIRECTORY: (FileEntry("member", 0, is_directory=True),),
                f"{DATA_DIRECTORY}/member/snap": (FileEntry("db", len(_DATABASE), is_directory=False),),
            }
            node.files = {DATABASE_FILE: [_DATABASE], BOOT_ID_FILE: [b"0a1b2c3d\n"]}
            spec = {"name": member.name, "advertisedAddresses": [node.address.partition(":")[0]], "extraArgs": {}}
            node.published = {
                (ETCD_SPEC.type, "etcd"): Resource(ETCD_SPEC, "etcd", spec),
                (MACHINE_TYPE.type, "machine-type"): Resource(MACHINE_TYPE, "machine-type", "controlplane"),
                (MACHINE_CONFIG.type, "v1alpha1"): Resource(MACHINE_CONFIG, "v1alpha1", "machine: {}"),
            }
        return fleet

    def __getitem__(self, address: str) -> FakeNode:
        return self._nodes[address]

    def nodes(self) -> Sequence[str]:
        return tuple(self._nodes)

    def open(self, address: str) -> FakeNode:
        return self._nodes[address]
