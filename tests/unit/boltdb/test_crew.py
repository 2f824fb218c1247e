"""Helper processes change how long it takes, never what comes out."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etcd_dr.boltdb import examine, hash_kv
from etcd_dr.boltdb.crew import Crew, Queue, gathered
from etcd_dr.boltdb.examination import Wanted, examination
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.source import opened
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.errors import FileUnreadable
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory

SHAPE = Shape(page_size=1024, leaf_records=1, branch_children=20)


def large_history() -> EtcdHistory:
    history = EtcdHistory()
    for number in range(6000):
        if number % 7:
            history.put(b"/key/%d" % (number % 900), b"v" * (number % 50))
        else:
            history.delete(b"/key/%d" % (number % 800))
    history.put(b"/large", bytes(5000))
    history.compact(2000, removes=500)
    return history


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crew") / "file.db"
    path.write_bytes(BoltFile(large_history().buckets(), SHAPE).sealed())
    return path


@contextmanager
def crew_of(path: Path, workers: int) -> Iterator[tuple[Callable[[], DatabaseStatus | None], Crew]]:
    with gathered() as helpers, opened(path) as source:
        helpers.hire(source, workers=workers, has_threads=True)  # spawned, and so there at once
        wanted = Wanted(live_keys=True, hash_kv=True)
        yield lambda: examination(source, helpers, wanted=wanted, findings=Findings()), helpers


def test_any_number_of_workers_gives_the_same(database: Path) -> None:
    """Status, findings and HashKV at other revisions are equal, alone and shared."""
    alone = examine(database, with_hash_kv=True, workers=1)
    history = large_history()

    for workers in (2, 3):
        assert examine(database, with_hash_kv=True, workers=workers) == alone
        shared = hash_kv(database, revision=3000, compact_revision=2500, workers=workers)
        assert shared.hash == history.hash_kv(3000, 2500)
    assert alone.is_intact


@pytest.mark.parametrize("bend", ["damaged", "uneven"])
def test_damage_and_odd_trees_are_reported_alike(tmp_path: Path, bend: str) -> None:
    """What one process finds, two find; a tree that needs a full walk gets it."""
    shape = Shape(page_size=1024, leaf_records=1, branch_children=20, uneven=bend == "uneven")
    file = BoltFile(large_history().buckets(), shape)
    if bend == "damaged":
        leaves = file.leaves(b"key")
        file.page(leaves[100]).flags = 0
        file.page(leaves[600]).count = 3
    path = tmp_path / "file.db"
    path.write_bytes(file.sealed())

    alone, shared = examine(path, with_hash_kv=True, workers=1), examine(path, with_hash_kv=True, workers=2)

    assert alone == shared
    assert alone.is_intact == (bend == "uneven")


def test_work_of_a_helper_that_dies_is_done_again(database: Path) -> None:
    """A helper that is killed, before or at work, costs time and nothing else."""
    whole = examine(database, with_hash_kv=True, workers=1).status

    with crew_of(database, 3) as (run, helpers):
        first, _ = helpers._helpers
        first.kill()

        assert run() == whole


def test_helper_ended_by_the_disk_is_an_unreadable_file(database: Path) -> None:
    """SIGBUS is how the system says that mapped bytes cannot be had; no number is stated then."""
    with crew_of(database, 2) as (run, helpers):
        [helper] = helpers._helpers
        os.kill(helper.pid, signal.SIGBUS)

        with pytest.raises(FileUnreadable):
            run()


def test_no_helper_is_left_behind(database: Path) -> None:
    """Helpers end with the run, also when it ends with an error."""
    pids: list[int] = []

    def interrupted() -> None:
        with crew_of(database, 3) as (_, helpers):
            pids.extend(helper.pid for helper in helpers._helpers)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_callers_with_threads_can_use_helpers(database: Path) -> None:
    """Helpers are fresh processes: threads of the caller, busy or holding locks, do not matter."""
    done, results = threading.Event(), []
    busy = threading.Thread(target=done.wait)
    busy.start()

    reader = threading.Thread(target=lambda: results.append(examine(database, workers=2)))
    reader.start()
    reader.join(60)
    done.set()
    busy.join()

    assert [result.is_intact for result in results] == [True]


def test_bytes_in_memory_are_read_here() -> None:
    """There is no file to share, so no helper is started."""
    assert examine(BoltFile(EtcdHistory().buckets()).sealed(), workers=4).is_intact


def test_queue_hands_out_each_number_once() -> None:
    """Two takers on one shared offset get every number between them, and no number twice."""
    fd = os.memfd_create("test")
    twin = os.dup(fd)
    try:
        queues = [iter(Queue(fd)), iter(Queue(twin))]
        Queue(fd).fill(range(7))
        taken = [next(queues[number % 2]) for number in range(7)]

        assert taken == list(range(7))
        assert [list(queue) for queue in queues] == [[], []]
    finally:
        os.close(fd)
        os.close(twin)
