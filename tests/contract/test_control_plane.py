"""What every control-plane node promises: the fake, local processes, static pods and systemd units alike.

A `Rig` is one node with the few things that a test does to it from outside. The suite is one class; each of its heirs
brings another rig. The far nodes are reached through a real sshd; what they run on is real etcd. Every test has a
recovery of its own, and afterwards the node is brought back to how it was.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.companions import NodeFiles
from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster
from etcd_dr.adapters.process_table import command_line
from etcd_dr.domain.companions import CompanionLimits
from etcd_dr.domain.recovery.sight import ProcessState
from etcd_dr.errors import FileUnreadable, NodeFault
from etcd_dr.ports.control_plane import ControlPlane, Node
from fakes.control_plane import FakeControlPlane
from real.peers.control_planes import Plane, local_plane, static_pod_plane, systemd_plane
from real.peers.sshd import SshdProgram

SECONDS = 30.0
_numbers = itertools.count(1)


class FakeRig:
    """The fake as a rig."""

    def __init__(self, directory: Path) -> None:
        self._plane = FakeControlPlane.of("cp1")
        self._node = self._plane.node("cp1")
        self.node: Node = self._node
        self._directory = directory

    def etcd_runs(self) -> bool:
        return self._node.is_running

    def writer_runs(self) -> bool:
        return self._node.writers["kube-apiserver"]

    def database(self) -> bytes:
        return self._node.data.database if self._node.data is not None else b""

    def wipe(self) -> None:
        self._node.data = None

    def build(self) -> Path:
        """Return a whole data directory that was made here."""
        built = self._directory / "built"
        (built / "member" / "snap").mkdir(parents=True)
        (built / "member" / "wal").mkdir()
        (built / "member" / "snap" / "db").write_bytes(b"restored")
        (built / "member" / "wal" / "0.wal").write_bytes(b"wal")
        return built

    def joins(self) -> bool:
        """Say whether etcd was started to join."""
        return self._node.joins is not None

    def path(self, name: str) -> str:
        return f"/etc/etcd-dr-test/{name}"

    def bring_back(self, recovery_id: str) -> None:
        """Nothing: every test has a node of its own."""


class RealRig:
    """The first node of a real control plane as a rig."""

    def __init__(self, plane: Plane, directory: Path) -> None:
        self._plane = plane
        self._member = plane.cluster.members[0]
        self.node: Node = plane.control.nodes[0]
        self._directory = directory
        self._pid = self._member.pid

    def etcd_runs(self) -> bool:
        return self._member.is_running

    def writer_runs(self) -> bool:
        return self._plane.writer_runs(self._member.name)

    def database(self) -> bytes:
        return (self._member.data_dir / "member" / "snap" / "db").read_bytes()

    def wipe(self) -> None:
        self._member.data_dir.rename(self._directory / "wiped")

    def build(self) -> Path:
        built = self._directory / "built"
        shutil.copytree(self._member.data_dir, built)
        return built

    def joins(self) -> bool:
        arguments = command_line(self._member.pid or 0)
        return "--initial-cluster-state=existing" in arguments

    def path(self, name: str) -> str:
        return str(self._directory / "files" / name)

    def bring_back(self, recovery_id: str) -> None:
        node = self.node
        node.lift_fence(recovery_id=recovery_id, deadline=SECONDS)
        if self._member.pid == self._pid:
            return
        node.stop_etcd(recovery_id=recovery_id, deadline=SECONDS)
        node.put_data_back(recovery_id=recovery_id, deadline=SECONDS)
        wiped = self._directory / "wiped"
        if wiped.exists():
            shutil.rmtree(self._member.data_dir, ignore_errors=True)
            wiped.rename(self._member.data_dir)
        node.restore_launch(recovery_id=recovery_id, deadline=SECONDS)
        node.start_etcd(recovery_id=recovery_id, deadline=SECONDS)
        self._member.wait_until_healthy()


Rig = FakeRig | RealRig


@pytest.fixture
def recovery() -> str:
    """The id of a recovery that no other test has."""
    return f"contract-{next(_numbers)}"


class ControlPlaneContract:
    """The suite. Heirs bring the fixture `rig`."""

    def test_look_at_a_running_node(self, rig: Rig) -> None:
        """Its process, its launch, its data with the ids, and its writers; a database in motion is not looked into."""
        sight = rig.node.look(deadline=SECONDS)

        assert sight.process is ProcessState.RUNNING
        assert sight.launch is not None
        assert sight.launch.peer_urls
        assert sight.data is not None
        assert sight.data.directory == sight.launch.data_dir
        assert (sight.data.exists, sight.data.has_wal, sight.data.damage) == (True, True, "")
        assert sight.data.cluster_id
        assert sight.data.member_id
        assert sight.data.peek is None
        assert sight.etcd_version
        assert sight.free_bytes
        assert [(writer.name, writer.is_running) for writer in sight.writers] == [("kube-apiserver", True)]

    def test_look_at_a_stopped_node(self, rig: Rig, recovery: str) -> None:
        """A few pages tell the revision and the applied index."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        sight = rig.node.look(deadline=SECONDS)

        assert sight.process is ProcessState.STOPPED
        assert sight.data is not None
        assert sight.data.damage == ""
        assert sight.data.peek is not None
        assert sight.data.peek.revision >= 1
        assert sight.data.peek.consistent_index
        assert sight.data.database_bytes == len(rig.database())

    def test_writers_are_fenced_and_come_back(self, rig: Rig, recovery: str) -> None:
        """Both may be repeated, and say the same each time."""
        first = rig.node.fence_writers(recovery_id=recovery, deadline=SECONDS)
        again = rig.node.fence_writers(recovery_id=recovery, deadline=SECONDS)
        fenced = rig.writer_runs()
        back = rig.node.lift_fence(recovery_id=recovery, deadline=SECONDS)
        back_again = rig.node.lift_fence(recovery_id=recovery, deadline=SECONDS)

        assert first == again == back == back_again == ("kube-apiserver",)
        assert not fenced
        assert _comes_true(rig.writer_runs)

    def test_etcd_stops_and_says_whether_it_ran(self, rig: Rig, recovery: str) -> None:
        """The second answer is the first one's: the command may have been killed before it wrote the first one down."""
        assert rig.etcd_runs()

        first = rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        runs = rig.etcd_runs()
        again = rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        assert (first, runs, again) == (True, False, True)

    def test_another_recovery_finds_etcd_stopped(self, rig: Rig, recovery: str) -> None:
        """What ran before is remembered for each recovery by itself."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        assert rig.node.look(deadline=SECONDS).process is ProcessState.STOPPED

    def test_etcd_starts_and_may_be_asked_to_again(self, rig: Rig, recovery: str) -> None:
        """The process is there when the call returns."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        rig.node.start_etcd(recovery_id=recovery, deadline=SECONDS)
        runs = rig.etcd_runs()
        rig.node.start_etcd(recovery_id=recovery, deadline=SECONDS)

        assert runs
        assert rig.etcd_runs()

    def test_etcd_is_started_to_join_and_its_launch_comes_back(self, rig: Rig, recovery: str) -> None:
        """The launch that was there before is kept, and is there again afterwards."""
        launch = rig.node.look(deadline=SECONDS).launch
        assert launch is not None
        joins = {launch.member_name: launch.peer_urls}
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        rig.node.start_etcd(recovery_id=recovery, joins=joins, deadline=SECONDS)
        joined = rig.joins()
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        rig.node.restore_launch(recovery_id=recovery, deadline=SECONDS)
        rig.node.restore_launch(recovery_id=recovery, deadline=SECONDS)
        rig.node.start_etcd(recovery_id=recovery, deadline=SECONDS)

        assert joined
        assert not rig.joins()
        assert rig.node.look(deadline=SECONDS).launch == launch

    def test_launch_of_another_recovery_stays(self, rig: Rig, recovery: str) -> None:
        """Two recoveries never meet in a name."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        rig.node.start_etcd(recovery_id=recovery, joins={"m1": ["https://127.0.0.1:1"]}, deadline=SECONDS)

        rig.node.restore_launch(recovery_id=f"{recovery}-other", deadline=SECONDS)

        assert rig.joins()

    def test_data_is_set_aside_once(self, rig: Rig, recovery: str) -> None:
        """Its new name is the same however often it is asked for, and nothing lies under the old one."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        first = rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)
        again = rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)
        data = rig.node.look(deadline=SECONDS).data

        assert first is not None
        assert first == again
        assert first.endswith(f".etcd-dr-{recovery}")
        assert data is not None
        assert data.is_empty
        assert first in data.set_aside

    def test_nothing_is_set_aside_where_nothing_is(self, rig: Rig, recovery: str) -> None:
        """A disk that was lost is no error."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        rig.wipe()

        assert rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS) is None
        assert rig.node.put_data_back(recovery_id=recovery, deadline=SECONDS) is False

    def test_data_is_placed_whole_and_once(self, rig: Rig, recovery: str) -> None:
        """Asking again changes nothing, and what was placed is never taken for what was there."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        built = rig.build()
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)

        rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)
        rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)

        assert rig.database() == (built / "member" / "snap" / "db").read_bytes()
        data = rig.node.look(deadline=SECONDS).data
        assert data is not None
        assert data.exists
        assert data.has_wal

    def test_data_that_is_in_the_way_is_never_replaced(self, rig: Rig, recovery: str) -> None:
        """It is set aside first, or nothing happens."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        built, before = rig.build(), rig.database()

        with pytest.raises(NodeFault):
            rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)

        assert rig.database() == before

    def test_half_a_directory_is_not_placed(self, rig: Rig, recovery: str) -> None:
        """It is refused here, before the node is asked."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        built = rig.build()
        shutil.rmtree(built / "member" / "wal")
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)

        with pytest.raises(FileUnreadable):
            rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)

    def test_data_comes_back(self, rig: Rig, recovery: str) -> None:
        """What was set aside has its name again, and what was placed is kept beside it."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        built, before = rig.build(), rig.database()
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)
        rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)

        first = rig.node.put_data_back(recovery_id=recovery, deadline=SECONDS)
        again = rig.node.put_data_back(recovery_id=recovery, deadline=SECONDS)

        assert (first, again) == (True, False)
        assert rig.database() == before

    def test_data_comes_back_when_nothing_was_placed(self, rig: Rig, recovery: str) -> None:
        """A recovery may be aborted anywhere."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        before = rig.database()
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)

        assert rig.node.put_data_back(recovery_id=recovery, deadline=SECONDS)

        assert rig.database() == before

    def test_data_is_copied_off(self, rig: Rig, recovery: str) -> None:
        """As a tar archive with names from the root, the WAL included."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        data = rig.node.look(deadline=SECONDS).data
        archive = io.BytesIO()

        rig.node.export_data(archive.write, deadline=SECONDS)

        archive.seek(0)
        assert data is not None
        with tarfile.open(fileobj=archive) as opened:
            database = opened.extractfile(f"{data.directory.lstrip('/')}/member/snap/db")
            assert database is not None
            assert database.read() == rig.database()
            assert any(name.endswith(".wal") for name in opened.getnames())

    def test_database_is_read_as_it_lies_there(self, rig: Rig, recovery: str) -> None:
        """Byte for byte, without a trailer."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        read = io.BytesIO()

        rig.node.read_database(read.write, deadline=SECONDS)

        assert read.getvalue() == rig.database()

    def test_database_that_is_gone_is_said(self, rig: Rig, recovery: str) -> None:
        """An empty answer would be taken for an empty database."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        rig.wipe()

        with pytest.raises(NodeFault):
            rig.node.read_database(lambda chunk: None, deadline=SECONDS)
        with pytest.raises(NodeFault):
            rig.node.export_data(lambda chunk: None, deadline=SECONDS)

    def test_files_are_put_where_none_is_and_read(self, rig: Rig) -> None:
        """One that exists stays, whatever is in it; names may hold what a shell would act on."""
        path = rig.path('it\'s $(here); `rm` "x"/ca.crt')

        absent = rig.node.read_file(path, limit_bytes=100, deadline=SECONDS)
        is_new = rig.node.put_file(path, b"first\0\xff", mode=0o600, deadline=SECONDS)
        is_new_again = rig.node.put_file(path, b"second", mode=0o600, deadline=SECONDS)

        assert (absent, is_new, is_new_again) == (None, True, False)
        assert rig.node.read_file(path, limit_bytes=100, deadline=SECONDS) == b"first\0\xff"

    def test_file_that_is_too_large_is_refused(self, rig: Rig) -> None:
        """Half of a certificate is none."""
        path = rig.path("large")
        rig.node.put_file(path, bytes(101), mode=0o600, deadline=SECONDS)

        with pytest.raises(NodeFault):
            rig.node.read_file(path, limit_bytes=100, deadline=SECONDS)


class TestFake(ControlPlaneContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> FakeRig:
        return FakeRig(tmp_path)


class RealContract(ControlPlaneContract):
    """The suite over real etcd, with what only that can show."""

    @pytest.fixture
    def rig(self, plane: Plane, recovery: str, tmp_path: Path) -> Iterator[RealRig]:
        rig = RealRig(plane, tmp_path)
        yield rig
        rig.bring_back(recovery)

    def test_etcd_serves_what_was_placed(self, rig: RealRig, plane: Plane, recovery: str) -> None:
        """What was written before the copy is there, what was written after it is not."""
        member = plane.cluster.members[0]
        with member.gateway() as gateway:
            gateway.put_through(b"/contract/before", b"1")
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        built = rig.build()
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)

        rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)
        rig.node.start_etcd(recovery_id=recovery, deadline=SECONDS)
        member.wait_until_healthy()

        with member.gateway() as gateway:
            answer = gateway.call("/v3/kv/range", {"key": "L2NvbnRyYWN0L2JlZm9yZQ=="})
        assert answer["kvs"]

    def test_companions_are_read_from_the_node(self, rig: RealRig, plane: Plane) -> None:
        """Exactly the files that were named, byte for byte, under the node's name; what is not there is said."""
        body = bytes(range(256))
        there, lacking = rig.path("pki/it's a $key.key"), rig.path("pki/none.crt")
        rig.node.put_file(there, body, mode=0o600, deadline=SECONDS)
        files = NodeFiles(lambda: _Lent(plane.control), paths=[there, lacking])

        gathered = files.gather(limits=CompanionLimits(), cancellation=CancellationSwitch())

        assert [(file.name, file.body) for file in gathered.files] == [(f"{rig.node.name}{there}", body)]
        assert [file.name for file in gathered.missing] == [f"{rig.node.name}{lacking}"]

    def test_owner_and_mode_are_those_of_the_old_directory(self, rig: RealRig, plane: Plane, recovery: str) -> None:
        """etcd may run as a user of its own."""
        member = plane.cluster.members[0]
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)
        built = rig.build()
        member.data_dir.chmod(0o750)
        before = member.data_dir.stat()
        rig.node.set_data_aside(recovery_id=recovery, deadline=SECONDS)

        rig.node.place_data(built, recovery_id=recovery, deadline=SECONDS)

        after = member.data_dir.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert not list(member.data_dir.parent.glob("*.partial"))

    def test_process_that_was_killed_is_seen_as_it_is(self, rig: RealRig, plane: Plane, recovery: str) -> None:
        """etcd that nobody started again is stopped, whoever ended it; its log tells the rest."""
        rig.node.stop_etcd(recovery_id=recovery, deadline=SECONDS)

        sight = rig.node.look(deadline=SECONDS)

        assert sight.process is ProcessState.STOPPED
        assert sight.data is not None
        assert sight.data.written_at is not None


@pytest.fixture(scope="module")
def one_member(etcd_binaries: EtcdBinaries) -> Callable[[], contextlib.AbstractContextManager[LocalCluster]]:
    """Make a cluster of one."""

    @contextlib.contextmanager
    def form() -> Iterator[LocalCluster]:
        with (
            tempfile.TemporaryDirectory(prefix="etcd-dr-test-", ignore_cleanup_errors=True) as directory,
            LocalCluster(Path(directory), binaries=etcd_binaries, settings=ClusterSettings(size=1)) as cluster,
        ):
            yield cluster

    return form


OneMember = Callable[[], contextlib.AbstractContextManager[LocalCluster]]


@pytest.fixture(scope="module")
def local_nodes(one_member: OneMember) -> Iterator[Plane]:
    with one_member() as cluster, local_plane(cluster) as plane:
        yield plane


@pytest.fixture(scope="module")
def pod_nodes(one_member: OneMember, sshd_program: SshdProgram) -> Iterator[Plane]:
    with one_member() as cluster, static_pod_plane(cluster, sshd_program) as plane:
        yield plane


@pytest.fixture(scope="module")
def unit_nodes(one_member: OneMember, sshd_program: SshdProgram) -> Iterator[Plane]:
    with one_member() as cluster, systemd_plane(cluster, sshd_program) as plane:
        yield plane


class TestLocal(RealContract):
    @pytest.fixture
    def plane(self, local_nodes: Plane) -> Plane:
        return local_nodes


class TestStaticPod(RealContract):
    @pytest.fixture
    def plane(self, pod_nodes: Plane) -> Plane:
        return pod_nodes


class TestSystemd(RealContract):
    @pytest.fixture
    def plane(self, unit_nodes: Plane) -> Plane:
        return unit_nodes


class _Lent:
    """A control plane that stays open when whoever was given it closes it."""

    def __init__(self, control: ControlPlane) -> None:
        self.nodes = control.nodes
        self.platform = control.platform

    def close(self) -> None: ...


def _comes_true(fact: Callable[[], bool]) -> bool:
    """Say whether something becomes so within moments: what was started has to become its program first."""
    until = time.monotonic() + SECONDS
    while not fact():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
