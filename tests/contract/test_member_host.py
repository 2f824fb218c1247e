"""What every MemberHost promises, over the fake and over real etcd of every version at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.etcd_programs import InstalledPrograms
from etcd_dr.adapters.etcdutl import EtcdutlRestorer
from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster, TlsFiles
from etcd_dr.adapters.local_cluster.throwaway import ThrowawayMembers
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import EtcdError, MemberUnreachable, ToolFailed, ToolMissing
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.etcd_admin import EtcdAdmin
from etcd_dr.ports.restorer import RestoreOrder, Restorer
from etcd_dr.ports.throwaway_member import MemberHost, RunningMember
from fakes.etcd_database import EtcdDatabase
from fakes.restorer import FakeRestorer
from fakes.throwaway_member import FakeMemberHost
from real.peers.etcd_tools import StockTools

SECONDS = 10.0
KEYS = 7


@dataclass
class Rig:
    """A host, a snapshot with KEYS keys, and what restores it for the host."""

    host: MemberHost
    restorer: Restorer
    snapshot: Path
    directory: Path
    server: EtcdVersion

    def restored(self, name: str = "m") -> Path:
        data_dir, urls = self.directory / f"{name}.etcd", (self.host.peer_url,)
        order = RestoreOrder(self.snapshot, data_dir, "drill", urls, {"drill": urls}, f"token-{name}")
        self.restorer.restore(order, server=self.server, cancellation=CancellationSwitch())
        return data_dir

    def run(self, data_dir: Path, work: Callable[[RunningMember], object]) -> None:
        switch = CancellationSwitch()
        with self.host.run(data_dir, name="drill", server=self.server, cancellation=switch, deadline=30.0) as member:
            work(member)


def fake_rig(directory: Path) -> Rig:
    snapshot = directory / "snapshot.db"
    snapshot.write_bytes(EtcdDatabase.of_keys(KEYS).to_bytes())
    return Rig(FakeMemberHost(), FakeRestorer(), snapshot, directory, EtcdVersion(3, 5, 30))


@pytest.fixture(scope="session")
def saved(etcd_binaries: EtcdBinaries, stock_tools: StockTools, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("saved")
    with LocalCluster(directory, binaries=etcd_binaries, settings=ClusterSettings(size=1)) as cluster:
        for number in range(KEYS):
            stock_tools.etcdctl(cluster, "put", f"/k/{number}", "value")
        return stock_tools.save_snapshot(cluster, directory / "saved.db").read_bytes()


def throwaway_members(programs: InstalledPrograms) -> ThrowawayMembers:
    def connect(endpoint: str, tls: TlsFiles) -> tuple[EtcdMember, EtcdAdmin]:
        access = EtcdAccess((endpoint,), ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)
        connector = GrpcEtcdConnector(access, clock=SystemClock())
        return connector.connect(endpoint), connector.administer(endpoint)

    return ThrowawayMembers(programs, connect=connect, clock=SystemClock())


@pytest.fixture
def etcd_rig(etcd_binaries: EtcdBinaries, saved: bytes, tmp_path: Path) -> Rig:
    (tmp_path / "snapshot.db").write_bytes(saved)
    programs = InstalledPrograms([etcd_binaries.etcd.parent])
    server = EtcdVersion.parse(etcd_binaries.version)
    assert server is not None
    return Rig(throwaway_members(programs), EtcdutlRestorer(programs), tmp_path / "snapshot.db", tmp_path, server)


def serves_what_was_restored(rig: Rig) -> None:
    def look(running: RunningMember) -> None:
        assert running.admin.count_keys(deadline=SECONDS) == KEYS
        assert running.member.read(linearizable=True, deadline=SECONDS) >= KEYS
        assert running.version == rig.server

    rig.run(rig.restored(), look)


def connections_are_closed_afterwards(rig: Rig) -> None:
    kept: list[RunningMember] = []
    rig.run(rig.restored(), kept.append)

    with pytest.raises(EtcdError):
        kept[0].admin.count_keys(deadline=SECONDS)


def two_run_side_by_side(rig: Rig) -> None:
    first, second = rig.restored("a"), rig.restored("b")

    rig.run(first, lambda _: rig.run(second, lambda running: running.admin.count_keys(deadline=SECONDS)))


def other_minor_is_missing(rig: Rig) -> None:
    with pytest.raises(ToolMissing):
        rig.host.version_for(EtcdVersion(3, 99, 0))


PROMISES: tuple[Callable[[Rig], None], ...] = (
    serves_what_was_restored,
    connections_are_closed_afterwards,
    two_run_side_by_side,
    other_minor_is_missing,
)
each_promise = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)


@each_promise
def test_fake_keeps(promise: Callable[[Rig], None], tmp_path: Path) -> None:
    """The fake is what drills are tested with, so it promises the same."""
    promise(fake_rig(tmp_path))


@pytest.mark.every_etcd
@each_promise
def test_etcd_keeps(promise: Callable[[Rig], None], etcd_rig: Rig) -> None:
    """In every version."""
    promise(etcd_rig)


def children() -> Iterator[psutil.Process]:
    """Yield what runs below this process and is etcd."""
    for child in psutil.Process().children(recursive=True):
        if "etcd" in child.name():
            yield child


def test_process_and_keys_are_gone_afterwards(etcd_rig: Rig) -> None:
    """Also when the work in between failed; the data directory is the caller's."""
    data_dir = etcd_rig.restored()
    before = {child.pid for child in children()}

    def fail(_: RunningMember) -> None:
        raise ValueError("went wrong")

    with pytest.raises(ValueError, match="went wrong"):
        etcd_rig.run(data_dir, fail)

    assert {child.pid for child in children()} <= before
    assert not (data_dir.parent / f"{data_dir.name}.run").exists()
    assert data_dir.is_dir()


def test_data_that_etcd_does_not_run_on_is_told_with_its_last_words(etcd_rig: Rig) -> None:
    """An answer about the snapshot, not about the machine."""
    data_dir = etcd_rig.restored()
    database = data_dir / "member" / "snap" / "db"
    database.write_bytes(os.urandom(8192))

    with pytest.raises(MemberUnreachable) as caught:
        etcd_rig.run(data_dir, lambda _: None)

    assert caught.value.context["log"]


def test_ports_that_others_take_say_nothing_of_the_data(etcd_rig: Rig, tmp_path: Path) -> None:
    """A drill must not call a snapshot bad because etcd could not listen."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "etcd"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "etcd Version: {etcd_rig.server}"; exit; fi\n'
        "echo 'listen tcp 127.0.0.1:2379: bind: address already in use'\nexit 1\n"
    )
    program.chmod(0o755)
    rig = replace(etcd_rig, host=throwaway_members(InstalledPrograms([tools])))

    with pytest.raises(ToolFailed, match="took the ports"):
        rig.run(rig.restored(), lambda _: None)
