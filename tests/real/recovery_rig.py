"""A real cluster on local nodes, its snapshots in a directory, disasters, and plans to come back from them.

rig = RecoveryRig(cluster, tmp_path)
rig.fill(20); rig.take_snapshot()
rig.wipe("m1", "m2", "m3")
plan = rig.restore_plan()
outcome = rig.run(plan)
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etcd_dr import __version__
from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.process_table import find_process, runs_etcd_on
from etcd_dr.adapters.system_clock import SystemTokens
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.cluster import MemberList, MemberStatus, id_text
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.recovery.candidate import Candidate, Loss, Way
from etcd_dr.domain.recovery.journal import Facts, JournalEntry, JournalProgress
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.plan_making import make_plan
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts
from etcd_dr.workflows.recovery.run_plan import RecoveryOutcome, abort_recovery, resume_recovery, run_plan
from etcd_dr.workflows.recovery.store_journal import StoreJournal
from real.once_led import once_led
from real.recovery_parts import LAYOUT, RecoveryParts, facts_now, look_around, recovery_ports_of
from real.snapshot_rig import SnapshotRig, wait_until_applied

BY = "test@here"
_TESTS = Path(__file__).parents[1]


class RecoveryRig:
    """`with RecoveryRig(...) as rig`: every etcd that was started on its nodes is ended at the end."""

    def __init__(
        self,
        cluster: LocalCluster,
        directory: Path,
        *,
        store: ObjectStore | None = None,
        control: ControlPlane | None = None,
    ) -> None:
        self.cluster = cluster
        self.directory = directory
        self.control = control
        self.nodes_dir = directory / "nodes"
        tls = cluster.client_tls
        self.parts = RecoveryParts(
            nodes_dir=str(self.nodes_dir),
            store_dir=str(directory / "store"),
            state_dir=str(directory / "state"),
            scratch_dir=str(directory / "scratch"),
            identity_file=str(directory / "identity.txt"),
            recipient="",
            endpoints=list(cluster.endpoints),
            ca=str(tls.ca),
            certificate=str(tls.certificate),
            key=str(tls.key),
            programs=str(cluster.binaries.etcd.parent),
        )
        (directory / "store").mkdir(exist_ok=True)
        self.snapshots = SnapshotRig(cluster, store or self.parts.store(), directory)
        self.parts = replace(self.parts, recipient=self.snapshots.recipient)
        self._write_nodes()

    def __enter__(self) -> RecoveryRig:
        return self

    def __exit__(self, *_: object) -> None:
        if self.control is None:
            self.end_all()
        for state in self.directory.glob("state*"):  # pytest keeps directories of three runs, and these are large
            shutil.rmtree(state)

    def fill(self, keys: int, *, prefix: str = "/registry/pods/") -> int:
        """Write keys and return the revision of the last one, which every member that runs then has.

        An election that a member's end began is waited for, and so is a member that lags: a write is acknowledged when
        a majority has it, which need not be the one that a test leaves alive.
        """
        running = [member for member in self.cluster.members if member.is_running]
        running[0].wait_until_healthy()
        with running[0].gateway() as gateway:
            revision = 0
            for number in range(keys):
                revision = gateway.put_through(f"{prefix}{number:05d}".encode(), b"value-%d" % number)
        for member in running:
            wait_until_applied(member, revision)
        return revision

    def take_snapshot(self) -> Snapshot:
        return self.snapshots.take().snapshot

    def wipe(self, *names: str) -> None:
        """End these members and lose their data."""
        for name in names:
            self.cluster.member(name).wipe()

    def stop(self, *names: str) -> None:
        for name in names:
            self.cluster.member(name).stop()

    def restore_plan(self, wishes: Wishes = NO_WISHES) -> Plan:
        """Return the plan that restores the newest snapshot."""
        catalogue = self.snapshots.catalogue
        newest = catalogue.newest_proven or catalogue.newest
        assert newest is not None
        return self._plan(Way.RESTORE, str(newest.id), wishes)

    def rebuild_plan(self, survivor: str) -> Plan:
        return self._plan(Way.REBUILD, survivor)

    def replace_plan(self, member: str) -> Plan:
        return self._plan(Way.REPLACE, member)

    def _plan(self, way: Way, target: str, wishes: Wishes = NO_WISHES) -> Plan:
        candidate = Candidate(way=way, target=target, summary=f"{way} {target}", loss=Loss(revisions=0, text="as told"))
        tokens, now = SystemTokens(), datetime.now(UTC)
        stamp = Stamp(
            recovery_id=f"{now:%Y%m%dT%H%M%SZ}-{tokens.token()}",
            token=tokens.token(),
            made_at=now,
            made_by=BY,
            tool_version=__version__,
        )
        return make_plan(
            look_around(self.parts, self.control),
            candidate,
            catalogue=self.snapshots.catalogue,
            stamp=stamp,
            wishes=wishes,
        )

    def ports(
        self, *, parts: RecoveryParts | None = None, cancellation: CancellationSwitch | None = None
    ) -> RecoveryPorts:
        return recovery_ports_of(
            parts or self.parts, store=self.snapshots.store, cancellation=cancellation, control=self.control
        )

    def run(
        self, plan: Plan, *, ports: RecoveryPorts | None = None, on_entry: OnEntry | None = None
    ) -> RecoveryOutcome:
        return run_plan(
            plan,
            ports or self.ports(),
            by=BY,
            facts_now=lambda: facts_now(self.parts, plan, self.control),
            on_entry=on_entry or (lambda entry: None),
        )

    def resume(
        self,
        plan: Plan,
        *,
        parts: RecoveryParts | None = None,
        take_over: bool = False,
        ports: RecoveryPorts | None = None,
    ) -> RecoveryOutcome:
        return resume_recovery(
            plan.recovery_id,
            ports or self.ports(parts=parts),
            by=BY,
            take_over=take_over,
            facts_now=lambda: facts_now(self.parts, plan, self.control),
        )

    def abort(self, plan: Plan, *, parts: RecoveryParts | None = None, take_over: bool = False) -> RecoveryOutcome:
        return abort_recovery(plan.recovery_id, self.ports(parts=parts), by=BY, take_over=take_over)

    def child(self, **spec: Any) -> subprocess.CompletedProcess[str]:
        """Run a child (recovery_child) to its end, or to its death."""
        whole = {"parts": self.parts.to_json(), **spec}
        environ = {**os.environ, "PYTHONPATH": f"{_TESTS}:{_TESTS.parent / 'operator'}"}
        return subprocess.run(
            [sys.executable, str(_TESTS / "real" / "recovery_child.py"), json.dumps(whole)],
            capture_output=True,
            text=True,
            env=environ,
            timeout=240,
            check=False,
        )

    def data_dir(self, name: str) -> Path:
        return self.cluster.member(name).data_dir

    def statuses(self) -> dict[str, MemberStatus]:
        """Return the status of every member."""
        return {m.name: self._ask(m.endpoint, lambda c: c.status(deadline=20.0)) for m in self.cluster.members}

    def leader(self) -> str:
        """Return who leads, as it says itself; an election is waited for."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            for name, status in self.statuses().items():
                if status.is_leader:
                    return name
        raise AssertionError("nobody leads")

    def member_list(self) -> MemberList:
        endpoint = self.cluster.members[0].endpoint
        return self._ask(endpoint, lambda c: c.member_list(linearizable=True, deadline=20.0))

    def hashes(self) -> dict[str, HashKv]:
        """Return the hash of every member at one revision; none is asked before it has come that far."""

        def hash_there(member: EtcdMember) -> HashKv:
            member.read(linearizable=True, deadline=20.0)
            return member.hash_kv(revision=revision, deadline=20.0)

        revision = self._ask(self.cluster.members[0].endpoint, lambda c: c.read(linearizable=True, deadline=20.0))
        return {m.name: self._ask(m.endpoint, hash_there) for m in self.cluster.members}

    def ids(self) -> dict[str, tuple[str, str]]:
        return {name: (id_text(s.cluster_id), id_text(s.member_id)) for name, s in self.statuses().items()}

    def value_of(self, key: str) -> bytes | None:
        with closing(self.parts.connector().administer(self.cluster.members[-1].endpoint)) as admin:
            return once_led(lambda: admin.get(key.encode(), deadline=20.0))

    def watch(self, *, start_revision: int) -> dict[str, Any]:
        """Watch everything from a revision and return the first answer that is no plain "created"."""
        member, tls = self.cluster.members[0], self.cluster.client_tls
        context = ssl.create_default_context(cafile=str(tls.ca))
        context.load_cert_chain(tls.certificate, tls.key)
        connection = http.client.HTTPSConnection("127.0.0.1", member.settings.client_port, timeout=30, context=context)
        request = {"key": "AA==", "range_end": "AA==", "start_revision": str(start_revision)}
        try:
            connection.request("POST", "/v3/watch", json.dumps({"create_request": request}))
            answer = connection.getresponse()
            while True:
                result: dict[str, Any] = json.loads(answer.readline())["result"]
                if set(result) - {"header", "watch_id", "created"}:
                    return result
        finally:
            connection.close()

    def fingerprint(self, name: str) -> dict[str, str]:
        """Return the digest of every file of a member's data directory."""
        return fingerprint(self.cluster.member(name).data_dir)

    def aside(self, name: str) -> list[Path]:
        data_dir = self.cluster.member(name).data_dir
        return sorted(path for path in data_dir.parent.glob(f"{data_dir.name}.etcd-dr-*") if path.is_dir())

    def is_running(self, name: str) -> bool:
        found = find_process(runs_etcd_on(self.cluster.member(name).data_dir))
        if found is None:
            return False
        found.close()
        return True

    def end_all(self) -> None:
        """End every etcd on these nodes, whoever started it."""
        self.cluster.kill()
        for member in self.cluster.members:
            while (found := find_process(runs_etcd_on(member.data_dir))) is not None:
                with found:
                    found.end(until=_soon(), check=lambda: None)

    def facts_of(self, plan: Plan, kind: str) -> list[Facts]:
        """Return what the steps of a kind found out, from the journal in the store."""
        entries = StoreJournal(self.snapshots.store, LAYOUT).entries(plan.recovery_id)
        progress = JournalProgress.of(entries)
        return [progress.facts[step.id] for step in plan.steps if step.kind == kind]

    def _ask(self, endpoint: str, question: Callable[[Any], Any]) -> Any:
        with closing(self.parts.connector().connect(endpoint)) as member:
            return once_led(lambda: question(member))

    def _write_nodes(self) -> None:
        for member in self.cluster.members:
            directory = self.nodes_dir / member.name
            directory.mkdir(parents=True, exist_ok=True)
            command = member.settings.command_line(self.cluster.binaries.etcd)
            said = {"etcd": command, "environment": {}, "log": str(member.log)}
            (directory / "node.json").write_text(json.dumps(said))


OnEntry = Callable[[JournalEntry], object]


def fingerprint(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def _soon() -> float:
    return time.monotonic() + 20
