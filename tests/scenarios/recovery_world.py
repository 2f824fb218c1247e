"""A whole world over fakes for stories about recoveries: nodes, a cluster that comes up, a store, a journal, a clock.

world = RecoveryWorld(tmp_path)
plan = world.restore_plan()
world.plane.node("cp2").vanish("place_data")
with pytest.raises(StepFailed):
    world.run(plan)
world.resume(plan)
assert world.is_recovered(plan)
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from crc32c import crc32c

from etcd_dr import boltdb
from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.journal import DirectoryJournal, DirectoryWorkPlaces
from etcd_dr.adapters.local_files import PartFiles
from etcd_dr.domain.answer import Answer
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, Loss, Way
from etcd_dr.domain.recovery.facts import facts_of
from etcd_dr.domain.recovery.identity import expected_ids
from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.plan_making import make_plan
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import Cancelled, EtcdDrError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.ports.restorer import RestoreOrder
from etcd_dr.workflows.recovery.mirrored_journal import MirroredJournal
from etcd_dr.workflows.recovery.recovery_ports import RecoveryLimits, RecoveryPorts
from etcd_dr.workflows.recovery.run_plan import RecoveryOutcome, abort_recovery, resume_recovery, run_plan
from etcd_dr.workflows.recovery.store_journal import StoreJournal
from fakes.control_plane import FakeControlPlane, FakeData, FakeNode
from fakes.etcd import FakeMember
from fakes.etcd_admin import FakeAdminConnector
from fakes.etcd_database import EtcdDatabase
from fakes.restorer import FakeRestorer
from scenarios.snapshot_world import SnapshotWorld

ALICE, BOB = "alice@home", "bob@office"
NODES = ("cp1", "cp2", "cp3")


class TrueRestorer(FakeRestorer):
    """Makes data directories that can be proven: the source's database and a WAL with the ids that etcd computes."""

    def _make(self, order: RestoreOrder) -> None:
        super()._make(order)
        cluster_id, members = expected_ids(order.initial_cluster, order.token)
        wal = order.data_dir / "member" / "wal"
        wal.mkdir()
        (wal / "0000000000000000-0000000000000000.wal").write_bytes(wal_head(members[order.name], cluster_id))
        if order.bump_revision:
            self._bump(order)

    def _bump(self, order: RestoreOrder) -> None:
        database = EtcdDatabase.of_keys(_KEYS)
        database.records[struct.pack(">Q", database.revision + order.bump_revision) + b"_" + bytes(8)] = b""
        database.compact_revision = database.revision + order.bump_revision
        (order.data_dir / "member" / "snap" / "db").write_bytes(database.to_bytes())


_KEYS = 200


def wal_head(member_id: int, cluster_id: int) -> bytes:
    """Return the first two records of a WAL as etcd writes them."""
    metadata = b"\x08" + _varint(member_id) + b"\x10" + _varint(cluster_id)
    record = b"\x08\x01\x10" + _varint(crc32c(metadata)) + b"\x1a" + _varint(len(metadata)) + metadata
    return _frame(b"\x08\x04\x10\x00") + _frame(record)


def _frame(record: bytes) -> bytes:
    padding = -len(record) % 8
    length = len(record) | ((0x80 | padding) << 56 if padding else 0)
    return struct.pack("<Q", length) + record + bytes(padding)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class RecoveryWorld:
    """Three nodes whose data is all gone, one proven snapshot, and writers that still run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.snapshots = SnapshotWorld(directory, keys=_KEYS)
        self.snapshot = self.snapshots.take().snapshot
        self.clock, self.store = self.snapshots.clock, self.snapshots.store
        self.cluster = self.snapshots.cluster
        self.plane = FakeControlPlane([_node(name, number) for number, name in enumerate(NODES, start=1)])
        self.restorer = TrueRestorer()
        self.admins = FakeAdminConnector(self.cluster, now=self.clock.now)
        self.cancellation = CancellationSwitch()
        self.limits = RecoveryLimits(look_again_seconds=1.0)
        self._recoveries = 0
        for node, member in zip(self.plane.nodes, self.cluster.members, strict=True):
            node.wipe()
            member.stop()
        self.follow()

    def follow(self) -> None:
        """Let the members of the cluster come up and go down with the etcd of their nodes."""
        for node, member in zip(self.plane.nodes, self.cluster.members, strict=True):
            node.on_start = lambda started, member=member: self._come_up(started, member)
            node.on_stop = lambda _, member=member: member.stop()

    def _come_up(self, node: FakeNode, member: FakeMember) -> None:
        member.start()
        data = node.data
        if data is None or not data.placed_by:
            return
        own = boltdb.hash_kv(data.database)
        member.revision, member.compact_revision = own.revision, own.compact_revision
        member.database = data.database
        plan = self.plan
        if plan is not None and plan.expected is not None:
            [expected] = [each for each in plan.expected.members if each.node == node.name]
            member.id, member.cluster_id = int(expected.id, 16), int(plan.expected.cluster_id, 16)
            self.cluster.cluster_id = member.cluster_id
        self.cluster.hash_of = lambda revision, compact: _hash_of(data.database, revision, compact)

    def assessment(self) -> Assessment:
        members = tuple(
            self._member(node, member) for node, member in zip(self.plane.nodes, self.cluster.members, strict=True)
        )
        return Assessment(
            cluster="prod",
            assessed_at=self.clock.now(),
            platform="static-pod",
            cluster_id=0xCDF818194E3A8C32,
            members=members,
            standing=QuorumStanding.LOST_FOR_GOOD,
            reason="as it is",
            etcd_version="3.5.30",
            highest_revision_seen=self.snapshots.database.revision + 500,
        )

    def _member(self, node: FakeNode, member: FakeMember) -> MemberAssessment:
        sight = node.look(deadline=1.0)
        is_wiped = sight.data is None or sight.data.is_empty
        launch = sight.launch
        assert launch is not None
        return MemberAssessment(
            name=launch.member_name,
            node=node.name,
            id=member.id,
            is_voter=True,
            peer_urls=launch.peer_urls,
            client_urls=launch.client_urls,
            verdict=MemberVerdict.WIPED if is_wiped else MemberVerdict.DOWN,
            evidence=("seen",),
            can_be_source=not is_wiped,
            sight=Answer(sight),
            endpoint=member.endpoint,
            version="3.5.30",
        )

    def restore_plan(self) -> Plan:
        return self._plan(Way.RESTORE, str(self.snapshot.id))

    def rebuild_plan(self, survivor: str) -> Plan:
        return self._plan(Way.REBUILD, survivor)

    def keep_data_of(self, name: str) -> None:
        """Let this node have the whole database still, with its etcd down."""
        body = self.snapshots.database.to_bytes()
        self.plane.node(name).data = FakeData(database=body, cluster_id=0xCDF818194E3A8C32, revision=_KEYS)

    def _plan(self, way: Way, target: str) -> Plan:
        self._recoveries += 1
        candidate = Candidate(
            way=way, target=target, summary="restore it", loss=Loss(revisions=500, text="500 revisions")
        )
        stamp = Stamp(
            recovery_id=f"20260820T04{self._recoveries:02d}00Z-00000000000{self._recoveries}",
            token=f"token-{self._recoveries}",
            made_at=self.clock.now(),
            made_by=ALICE,
            tool_version="0",
        )
        return make_plan(self.assessment(), candidate, catalogue=self.snapshots.catalogue, stamp=stamp)

    def facts_now(self, plan: Plan) -> PlanFacts:
        return facts_of(self.assessment(), snapshot_id=plan.facts.snapshot_id)

    def ports(
        self, *, state: str = "state", without_store: bool = False, journal: JournalStore | None = None
    ) -> RecoveryPorts:
        """Return the ports; `state` names the state directory: another machine is another directory."""
        root, layout = self.directory / state / "recoveries", self.layout
        here: JournalStore = journal or DirectoryJournal(root)
        mirrored = MirroredJournal(
            here, StoreJournal(self.store, layout), clock=self.clock, events=self.snapshots.events
        )
        return RecoveryPorts(
            control_plane=self.plane,
            connector=self.snapshots.connector,
            admins=self.admins,
            restorer=self.restorer,
            store=self.store,
            layout=layout,
            decoder=self.snapshots.decoder,
            files=PartFiles(),
            journal=here if without_store else mirrored,
            work_places=DirectoryWorkPlaces(root),
            clock=self.clock,
            tokens=self.snapshots.tokens,
            events=self.snapshots.events,
            progress=self.snapshots.progress,
            cancellation=self.cancellation,
            pause=FakePause(self.clock.advance, self.cancellation),
            snapshot_pipeline=lambda: self.snapshots.ports,
            without_store=without_store,
            limits=self.limits,
        )

    plan: Plan | None = None

    def run(
        self,
        plan: Plan,
        *,
        ports: RecoveryPorts | None = None,
        by: str = ALICE,
        on_entry: Callable[[JournalEntry], object] = lambda entry: None,
    ) -> RecoveryOutcome:
        self.plan = plan
        return run_plan(plan, ports or self.ports(), by=by, facts_now=lambda: self.facts_now(plan), on_entry=on_entry)

    def resume(
        self, plan: Plan, *, ports: RecoveryPorts | None = None, by: str = ALICE, take_over: bool = False
    ) -> RecoveryOutcome:
        self.cancellation = CancellationSwitch()
        ports = replace(ports or self.ports(), cancellation=self.cancellation)
        return resume_recovery(
            plan.recovery_id, ports, by=by, take_over=take_over, facts_now=lambda: self.facts_now(plan)
        )

    def abort(
        self, plan: Plan, *, ports: RecoveryPorts | None = None, by: str = ALICE, take_over: bool = False
    ) -> RecoveryOutcome:
        self.cancellation = CancellationSwitch()
        ports = replace(ports or self.ports(), cancellation=self.cancellation)
        return abort_recovery(plan.recovery_id, ports, by=by, take_over=take_over)

    @property
    def layout(self) -> ClusterLayout:
        return self.snapshots.layout

    def stored_journal(self, plan: Plan) -> Sequence[JournalEntry]:
        return StoreJournal(self.store, self.layout).entries(plan.recovery_id)

    def stored_report(self, plan: Plan) -> dict[str, object]:
        body = self.store.body(f"{self.layout.recoveries}{plan.recovery_id}/report.json")
        report: dict[str, object] = json.loads(body)
        return report

    def is_recovered(self, plan: Plan) -> bool:
        """Whether every node runs the planned member and its writers, and nothing is locked."""
        expected = plan.expected
        return (
            expected is not None
            and all(node.is_running and node.writers["kube-apiserver"] for node in self.plane.nodes)
            and all(node.data is not None and node.data.placed_by == plan.recovery_id for node in self.plane.nodes)
            and {f"{member.id:x}" for member in self.cluster.members} == {member.id for member in expected.members}
            and not self.is_locked
        )

    @property
    def is_locked(self) -> bool:
        return f"{self.layout.recoveries}lock.json" in self.store.keys


class FakePause:
    """Implements ports.pause.Pause: time passes at once."""

    def __init__(self, advance: Callable[[float], object], cancellation: Cancellation) -> None:
        self._advance = advance
        self._cancellation = cancellation

    def __call__(self, seconds: float) -> None:
        if self._cancellation.is_cancelled:
            raise Cancelled("stopped on request")
        self._advance(seconds)


def _node(name: str, number: int) -> FakeNode:
    node = FakeNode(name)
    assert node.launch is not None
    node.launch = replace(
        node.launch,
        member_name=f"m{number}",
        peer_urls=(f"https://m{number}.example:2380",),
        client_urls=(f"https://m{number}.example:2379",),
    )
    return node


def _hash_of(database: bytes, revision: int, compact_revision: int) -> int:
    try:
        return boltdb.hash_kv(database, revision=revision, compact_revision=compact_revision).hash
    except EtcdDrError:
        return revision  # past the file's end: written since, the same for all members
