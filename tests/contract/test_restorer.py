"""One suite for restorers: the fake and etcd's own tools, every version at hand, keep the same contract."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.etcd_programs import InstalledPrograms
from etcd_dr.adapters.etcdutl import EtcdutlRestorer
from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import Cancelled, FileUnreadable, LocalStorageFull, SnapshotDamaged, ToolMissing, UsageError
from etcd_dr.ports.restorer import RestoreOrder, Restorer
from fakes.restorer import DAMAGED, FakeRestorer
from real.peers.etcd_tools import StockTools

PEER = "https://127.0.0.1:2380"


class Bench:
    """A restorer with a whole and a damaged source, and the version of server that it is for."""

    def __init__(self, restorer: Restorer, *, whole: Path, damaged: Path, server: EtcdVersion, directory: Path) -> None:
        self.restorer, self.whole, self.damaged, self.server = restorer, whole, damaged, server
        self.directory = directory
        self.cancellation = CancellationSwitch()

    def order(self, **changes: object) -> RestoreOrder:
        plain: dict[str, object] = {
            "source": self.whole,
            "data_dir": self.directory / "m1.etcd",
            "name": "m1",
            "peer_urls": (PEER,),
            "initial_cluster": {"m1": (PEER,)},
            "token": "drill-1",
        }
        return RestoreOrder(**{**plain, **changes})  # type: ignore[arg-type]

    def restore(self, order: RestoreOrder) -> None:
        self.restorer.restore(order, server=self.server, cancellation=self.cancellation)

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())


def fake_bench(directory: Path) -> Bench:
    whole, damaged = directory.parent / "whole.db", directory.parent / "damaged.db"
    whole.write_bytes(b"a database")
    damaged.write_bytes(DAMAGED)
    server = EtcdVersion(3, 5, 30)
    return Bench(FakeRestorer(), whole=whole, damaged=damaged, server=server, directory=directory)


@pytest.fixture(scope="session")
def saved_snapshot(
    etcd_binaries: EtcdBinaries, stock_tools: StockTools, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    directory = tmp_path_factory.mktemp("saved")
    with LocalCluster(directory, binaries=etcd_binaries, settings=ClusterSettings(size=1)) as cluster:
        stock_tools.etcdctl(cluster, "put", "some-key", "some value that is easy to find")
        return stock_tools.save_snapshot(cluster, directory / "saved.db").read_bytes()


@pytest.fixture
def etcd_bench(etcd_binaries: EtcdBinaries, saved_snapshot: bytes, tmp_path: Path) -> Bench:
    directory = tmp_path / "restored"
    directory.mkdir()
    whole, damaged = tmp_path / "whole.db", tmp_path / "damaged.db"
    whole.write_bytes(saved_snapshot)
    damaged.write_bytes(saved_snapshot.replace(b"easy to find", b"hard to find"))
    server = EtcdVersion.parse(etcd_binaries.version)
    assert server is not None
    restorer = EtcdutlRestorer(InstalledPrograms([etcd_binaries.etcd.parent]))
    return Bench(restorer, whole=whole, damaged=damaged, server=server, directory=directory)


def whole_directory_appears(bench: Bench) -> None:
    bench.restore(bench.order())

    made = bench.directory / "m1.etcd"
    assert bench.left == ["m1.etcd"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert (made / "member" / "snap" / "db").is_file()


def source_is_left_alone(bench: Bench) -> None:
    before, bytes_before = bench.whole.stat(), bench.whole.read_bytes()

    bench.restore(bench.order())

    after = bench.whole.stat()
    assert bench.whole.read_bytes() == bytes_before
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (before.st_mtime_ns, before.st_ino, before.st_mode)


def damage_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(SnapshotDamaged):
        bench.restore(bench.order(source=bench.damaged))

    assert bench.left == []


def missing_source_is_named(bench: Bench) -> None:
    with pytest.raises(FileUnreadable) as caught:
        bench.restore(bench.order(source=bench.directory / "gone.db"))

    assert caught.value.subject.endswith("gone.db")


def data_is_never_overwritten(bench: Bench) -> None:
    precious = bench.directory / "m1.etcd" / "member"
    precious.mkdir(parents=True)
    (precious / "wal").write_text("precious")

    with pytest.raises(UsageError):
        bench.restore(bench.order())

    assert (precious / "wal").read_text() == "precious"


def empty_directory_is_no_data(bench: Bench) -> None:
    (bench.directory / "m1.etcd").mkdir()

    bench.restore(bench.order())

    assert (bench.directory / "m1.etcd" / "member" / "snap" / "db").is_file()


def cancelled_leaves_nothing(bench: Bench) -> None:
    bench.cancellation.cancel("SIGTERM")

    with pytest.raises(Cancelled):
        bench.restore(bench.order())

    assert bench.left == []


def other_minor_is_refused(bench: Bench) -> None:
    other = EtcdVersion(bench.server.major, bench.server.minor + 40, 0)

    with pytest.raises(ToolMissing):
        bench.restorer.version_for(other)


def unknown_server_gets_the_newest(bench: Bench) -> None:
    assert bench.restorer.version_for(None) == bench.server


PROMISES: tuple[Callable[[Bench], None], ...] = (
    whole_directory_appears,
    source_is_left_alone,
    damage_leaves_nothing,
    missing_source_is_named,
    data_is_never_overwritten,
    empty_directory_is_no_data,
    cancelled_leaves_nothing,
    other_minor_is_refused,
    unknown_server_gets_the_newest,
)
each_promise = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)


@each_promise
def test_fake_keeps(promise: Callable[[Bench], None], tmp_path: Path) -> None:
    """The fake is what workflows are tested with, so it promises the same."""
    directory = tmp_path / "restored"
    directory.mkdir()

    promise(fake_bench(directory))


@pytest.mark.every_etcd
@each_promise
def test_etcds_own_tool_keeps(promise: Callable[[Bench], None], etcd_bench: Bench) -> None:
    """etcdutl, and etcdctl of 3.4, keep it in every version."""
    promise(etcd_bench)


@pytest.mark.every_etcd
def test_file_without_trailer_needs_to_be_said(etcd_bench: Bench) -> None:
    """A database copied from a data directory is refused, and taken when its content was proven otherwise."""
    bare = etcd_bench.directory.parent / "bare.db"
    bare.write_bytes(etcd_bench.whole.read_bytes()[:-32])

    with pytest.raises(SnapshotDamaged, match="no sha256 trailer"):
        etcd_bench.restore(etcd_bench.order(source=bare))
    etcd_bench.restore(etcd_bench.order(source=bare, skip_hash_check=True))

    assert etcd_bench.left == ["m1.etcd"]


@pytest.mark.every_etcd
def test_truncated_database_is_damage_however_the_tool_dies(etcd_bench: Bench) -> None:
    """With the hash check off, etcd's tools end in a panic or a memory fault; both mean the file."""
    cut = etcd_bench.directory.parent / "cut.db"
    cut.write_bytes(etcd_bench.whole.read_bytes()[:8192])

    with pytest.raises(SnapshotDamaged):
        etcd_bench.restore(etcd_bench.order(source=cut, skip_hash_check=True))

    assert etcd_bench.left == []


@pytest.mark.every_etcd
def test_revision_is_raised_where_the_tool_can(etcd_bench: Bench) -> None:
    """A tool that cannot is said to be missing, with the versions that can, before anything is written."""
    order = etcd_bench.order(bump_revision=1_000_000)

    if not etcd_bench.server.can_bump:
        with pytest.raises(ToolMissing, match=r"3\.4\.27"):
            etcd_bench.restore(order)
        assert etcd_bench.left == []
        return
    etcd_bench.restore(order)

    assert etcd_bench.left == ["m1.etcd"]


def test_remains_of_a_killed_process_are_removed(etcd_bench: Bench) -> None:
    """Only those of the same destination: another one may be in the making."""
    for name in (".m1.etcd.restoring-00000000", ".m2.etcd.restoring-00000000"):
        (etcd_bench.directory / name / "member").mkdir(parents=True)

    etcd_bench.restore(etcd_bench.order())

    assert etcd_bench.left == [".m2.etcd.restoring-00000000", "m1.etcd"]


def test_environment_of_etcd_does_not_reach_the_tool(etcd_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """etcdctl refuses flags that a variable contradicts, and takes those that none does."""
    monkeypatch.setenv("ETCDCTL_WRITE_OUT", "nonsense")
    monkeypatch.setenv("ETCD_NAME", "somebody-else")
    monkeypatch.setenv("ETCDCTL_API", "2")

    etcd_bench.restore(etcd_bench.order())

    assert etcd_bench.left == ["m1.etcd"]


def test_names_that_etcd_would_take_apart_are_refused(etcd_bench: Bench) -> None:
    """A name comes from a manifest, hence from a bucket: it must not add members."""
    order = etcd_bench.order(name="m1=x,evil", initial_cluster={"m1=x,evil": (PEER,)})

    with pytest.raises(UsageError):
        etcd_bench.restore(order)


@pytest.mark.every_etcd
def test_disk_without_room_is_told_as_that(etcd_bench: Bench, etcd_binaries: EtcdBinaries, tmp_path: Path) -> None:
    """A limit on the size of files fails like a full disk, in the tool's words; nothing is left."""
    real = etcd_binaries.etcdutl or etcd_binaries.etcdctl
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / real.name
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] || ulimit -f 8\nexec {real} "$@"\n')
    program.chmod(0o755)
    etcd_bench.restorer = EtcdutlRestorer(InstalledPrograms([tools]))

    with pytest.raises(LocalStorageFull) as caught:
        etcd_bench.restore(etcd_bench.order())

    assert caught.value.subject == str(etcd_bench.directory)
    assert etcd_bench.left == []
