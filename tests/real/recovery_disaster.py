"""One disaster as often as a test wants it, and a recovery that is killed at an entry of its journal."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.recovery.journal import JournalEntry, JournalProgress, RecoveryState
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.workflows.recovery.hold_lock import read_lock
from etcd_dr.workflows.recovery.store_journal import StoreJournal
from real.recovery_parts import LAYOUT
from real.recovery_rig import RecoveryRig, fingerprint

_KILLED = -9
_LAST_VALUE = b"value-29"


class Disaster:
    """One cluster that is brought back to the same disaster as often as a test wants."""

    def __init__(self, rig: RecoveryRig, *, survivors: bool) -> None:
        self.rig = rig
        rig.fill(30)
        rig.take_snapshot()
        rig.cluster.stop()
        self._survivors = survivors
        self._kept = rig.directory / "kept"
        for name in ("m1", "m2"):
            shutil.copytree(rig.cluster.member(name).data_dir, self._kept / name)
        shutil.copytree(rig.directory / "store", self._kept / "store")
        self._directories = itertools.count(1)

    def strike(self) -> Plan:
        """Bring the disaster about: all data gone; or m1 runs without a quorum, m2 is down, both with their data."""
        rig = self.rig
        rig.end_all()
        for state in rig.directory.glob("state*"):  # 64 MB for each WAL that etcdutl allocates
            shutil.rmtree(state)
        for member in rig.cluster.members:
            member.log.unlink(missing_ok=True)
            for left in (member.data_dir, *member.data_dir.parent.glob(f"{member.data_dir.name}.etcd-dr-*")):
                shutil.rmtree(left, ignore_errors=True)
        for name in ("m1", "m2") if self._survivors else ():
            shutil.copytree(self._kept / name, rig.cluster.member(name).data_dir)
        shutil.rmtree(rig.directory / "store")
        shutil.copytree(self._kept / "store", rig.directory / "store")
        if self._survivors:
            rig.cluster.member("m1").start()
        return rig.restore_plan()

    def killed_then(self, verb: str, number: int) -> tuple[Plan, subprocess.CompletedProcess[str]]:
        """Run until the process is killed at this entry, and go on or back in another one.

        Once more where a member lost a port meanwhile: other tests look for free ones too.
        """
        for _ in range(2):
            plan = self.killed_at(number)
            done = self.rig.child(verb=verb, id=plan.recovery_id)
            if not self.lost_a_port:
                break
        return plan, done

    def killed_at(self, number: int) -> Plan:
        """Let a process that carries out a plan be killed as soon as this entry was kept, and return the plan.

        Once more where a member lost a port, as above.
        """
        for _ in range(2):
            plan = self.strike()
            done = self._run_until_entry(plan, number)
            if not self.lost_a_port:
                break
        assert done.returncode == _KILLED, done.stderr
        return plan

    @property
    def lost_a_port(self) -> bool:
        return any("address already in use" in member.log_tail() for member in self.rig.cluster.members)

    def another_state_dir(self) -> Path:
        return self.rig.directory / f"state-{next(self._directories)}"

    def journal(self, plan: Plan) -> tuple[JournalEntry, ...]:
        return StoreJournal(self.rig.parts.store(), LAYOUT).entries(plan.recovery_id)

    def _run_until_entry(self, plan: Plan, number: int) -> subprocess.CompletedProcess[str]:
        self.rig.parts = self.rig.parts.elsewhere(self.another_state_dir())
        done = self.rig.child(verb="run", plan=plan.model_dump(mode="json"), dies_after=number)
        self.rig.parts = self.rig.parts.elsewhere(self.another_state_dir())
        return done

    def check_recovered(self, plan: Plan) -> None:
        """The end state that every way there must lead to."""
        rig, expected = self.rig, plan.expected
        assert expected is not None
        assert rig.ids() == {m.name: (expected.cluster_id, m.id) for m in expected.members}
        assert rig.value_of("/registry/pods/00029") == _LAST_VALUE
        assert len({answer.hash for answer in rig.hashes().values()}) == 1
        progress = JournalProgress.of(self.journal(plan))
        assert progress.state is RecoveryState.FINISHED
        assert progress.done == {step.id for step in plan.steps}
        [verified] = [progress.facts[step.id] for step in plan.steps if step.kind == "verify-cluster"]
        assert verified["is_as_predicted"] is True
        assert read_lock(rig.parts.store(), LAYOUT) is None
        assert len(rig.aside("m1")) == len(rig.aside("m2")) == (1 if self._survivors else 0)

    def check_as_before(self, plan: Plan) -> None:
        """What `abort` must lead back to: data to the last bit, and the processes that ran.

        A member that runs writes to its WAL, so of m1 only the keys are compared.
        """
        rig = self.rig
        assert fingerprint(rig.data_dir("m2")) == fingerprint(self._kept / "m2")
        assert not rig.data_dir("m3").exists()
        running = [name for name in ("m1", "m2", "m3") if rig.is_running(name)]
        assert running == ["m1"], rig.cluster.member("m1").log_tail()
        databases = (directory / "member" / "snap" / "db" for directory in (rig.data_dir("m1"), self._kept / "m1"))
        assert len({boltdb.hash_kv(database) for database in databases}) == 1
        assert rig.aside("m1") == [] or all("abandoned" in path.name for path in rig.aside("m1"))
        assert JournalProgress.of(self.journal(plan)).state is RecoveryState.ABORTED
        assert read_lock(rig.parts.store(), LAYOUT) is None


def entry_count(plan: Plan) -> int:
    """A run without a failure writes its beginning, two entries for each step, and its end."""
    return 2 + 2 * len(plan.steps)


def tried_entries(plan: Plan, *, every: bool) -> list[int]:
    """Return the entries after which a run is killed: every one, or some of each kind."""
    count = entry_count(plan)
    return list(range(1, count + 1)) if every else sorted({1, count // 3, 2 * count // 3, count})


def abort_after_each(disaster: Disaster, *, every: bool) -> None:
    """Kill a run after each of these entries, and take it back from elsewhere."""
    for number in tried_entries(disaster.strike(), every=every)[:-1]:  # what is finished is not taken back
        plan, done = disaster.killed_then("abort", number)

        assert done.returncode == 0, f"after entry {number}: {done.stderr}"
        disaster.check_as_before(plan)
