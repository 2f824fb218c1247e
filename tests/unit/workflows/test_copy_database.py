"""Copies of database files: which is kept, what is read again, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.domain.talos import DATABASE_FILE
from etcd_dr.errors import AccessDenied, Cancelled, MemberUnreachable, NoUsableMember
from etcd_dr.workflows.copy_database import CopyPorts, best_copy
from fakes.etcd_database import EtcdDatabase
from fakes.events import RecordingEvents, RecordingProgress
from fakes.local_files import FakeScratch
from fakes.talos import FakeFleet

LIMITS = SnapshotLimits()


class Bench:
    """Three nodes with databases of different age, and a directory whose leftovers show."""

    def __init__(self, directory: Path) -> None:
        self.fleet = FakeFleet(3)
        self.directory = directory
        self.switch = CancellationSwitch()
        self.ports = CopyPorts(
            fleet=self.fleet,
            scratch=FakeScratch(directory),
            cancellation=self.switch,
            progress=RecordingProgress(),
            events=RecordingEvents(),
        )
        for keys, address in zip((2, 5, 3), self.fleet.nodes(), strict=True):
            self.fleet[address].files[DATABASE_FILE] = [database(keys)]

    @property
    def left_behind(self) -> list[Path]:
        return list(self.directory.iterdir())


def database(keys: int) -> bytes:
    made = EtcdDatabase()
    for number in range(keys):
        made.put(b"/registry/pods/%d" % number, b"value")
    return made.to_bytes()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_copy_that_has_come_furthest_is_kept(bench: Bench) -> None:
    """And only that one takes room while it is used; none afterwards."""
    with best_copy(bench.fleet.nodes(), ports=bench.ports, limits=LIMITS) as best:
        held = bench.left_behind
        assert best.path.read_bytes() == database(5)

    assert best.chosen.address == "10.0.0.2:50000"
    assert len(held) == 1
    assert bench.left_behind == []
    assert all(bench.fleet[address].is_closed for address in bench.fleet.nodes())


def test_torn_copy_is_read_again(bench: Bench) -> None:
    """A running member writes while it is read; the next time it may be whole."""
    whole = database(9)
    bench.fleet["10.0.0.3:50000"].files[DATABASE_FILE] = [whole[:4096] + bytes(len(whole) - 4096), whole]

    with best_copy(bench.fleet.nodes(), ports=bench.ports, limits=LIMITS) as best:
        assert best.path.read_bytes() == whole

    assert bench.fleet["10.0.0.3:50000"].asked.count("Read") == 2


def test_node_that_cannot_be_read_does_not_hold_up_the_others(bench: Bench) -> None:
    """It is told with its reason."""
    bench.fleet["10.0.0.2:50000"].fail("Read", MemberUnreachable("connection refused"))

    with best_copy(bench.fleet.nodes(), ports=bench.ports, limits=LIMITS) as best:
        problems = {copy.address: copy.problem for copy in best.copies}

    assert best.chosen.address == "10.0.0.3:50000"
    assert problems["10.0.0.2:50000"] == "connection refused"


def test_cut_copies_are_never_kept(bench: Bench) -> None:
    """A node tells no failure of reading; the examination does."""
    for address in bench.fleet.nodes():
        bench.fleet[address].files[DATABASE_FILE] = [database(4)[:-4096]]

    with (
        pytest.raises(NoUsableMember) as raised,
        best_copy(bench.fleet.nodes(), ports=bench.ports, limits=LIMITS),
    ):
        pass

    assert "is not whole" in str(raised.value.context["10.0.0.1:50000"])
    assert bench.left_behind == []


def test_missing_role_is_told_as_that(bench: Bench) -> None:
    """Where all refuse for it."""
    for address in bench.fleet.nodes():
        bench.fleet[address].fail("Read", AccessDenied("Read needs the role os:admin"))

    with pytest.raises(AccessDenied), best_copy(bench.fleet.nodes(), ports=bench.ports, limits=LIMITS):
        pass


def test_wish_to_stop_is_heard(bench: Bench) -> None:
    """And nothing stays."""
    bench.switch.cancel("SIGTERM")

    with pytest.raises(Cancelled), best_copy(bench.fleet.nodes(), ports=bench.ports, limits=LIMITS):
        pass

    assert bench.left_behind == []
