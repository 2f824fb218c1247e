"""Helpers are forked where that is whole, and spawned everywhere else; the outcome is the same."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from etcd_dr.boltdb.hiring import ForkedHelper, may_fork
from etcd_dr.boltdb.interpreters import environment
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory

PROGRAM = """
import json, sys
from pathlib import Path
from etcd_dr.boltdb.crew import gathered
from etcd_dr.boltdb.source import opened

path, workers, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if how == "grpc":
    sys.modules["grpc"] = None
with gathered() as crew:
    with opened(path) as source:
        crew.hire(source, workers=workers, has_threads=how == "threads")
        from etcd_dr.boltdb.examination import Wanted, examination
        from etcd_dr.boltdb.findings import Findings
        status = examination(source, crew, wanted=Wanted(live_keys=True, hash_kv=True), findings=Findings())
kinds, pids = [type(helper).__name__ for helper in crew._dismissed], [helper.pid for helper in crew._dismissed]
print(json.dumps({
    "outcome": [status.status_hash, status.live_key_count, status.hash_kv.hash],
    "kinds": kinds,
    "left": [pid for pid in pids if Path(f"/proc/{pid}").exists()],
}))
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = EtcdHistory()
    for number in range(5000):
        history.put(b"/key/%d" % (number % 700), bytes(number % 40))
    history.compact(2000)
    path = tmp_path_factory.mktemp("hiring") / "file.db"
    path.write_bytes(BoltFile(history.buckets(), Shape(page_size=1024, leaf_records=1)).sealed())
    return path


def run(database: Path, workers: int, how: str) -> dict[str, list[object]]:
    """Examine in a process of its own, and say how helpers were hired and which of them are left."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(database), str(workers), how],
        env={name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, list[object]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("how", "kind"), [("plain", "ForkedHelper"), ("threads", "SpawnedHelper"), ("grpc", "SpawnedHelper")]
)
def test_outcome_is_the_same_however_helpers_are_hired(database: Path, how: str, kind: str) -> None:
    """Alone, with forks and with fresh interpreters the numbers are equal, and nobody is left behind."""
    alone, together = run(database, 1, "plain"), run(database, 3, how)

    assert together["outcome"] == alone["outcome"]
    assert together["kinds"] == [kind, kind]
    assert alone["kinds"] == together["left"] == []


def test_fork_serves_until_its_requests_end() -> None:
    """A forked helper reads lines and answers them, and is gone when nobody can ask any more."""
    helper = ForkedHelper(echo)

    helper.requests.write(b"one\n")
    helper.requests.flush()
    answer = helper.answers.readline()
    helper.close()

    assert answer == b"ONE\n"
    assert helper.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(helper.pid, 0)


def test_end_of_a_fork_is_known() -> None:
    """A fork that the disk or somebody else ends says so by its status; one that fails says nothing."""

    def ended_by_the_disk(*_: object) -> None:
        faulthandler.disable()
        os.kill(os.getpid(), signal.SIGBUS)

    def failing(*_: object) -> None:
        raise RuntimeError("never seen")

    by_disk, by_us, by_itself = ForkedHelper(ended_by_the_disk), ForkedHelper(echo), ForkedHelper(failing)
    by_us.kill()
    for helper in (by_disk, by_us, by_itself):
        assert helper.answers.readline() == b""
        helper.close()
        helper.kill()  # nothing happens, whoever has the number now

    assert (by_disk.returncode, by_us.returncode) == (-signal.SIGBUS, -signal.SIGKILL)
    assert by_itself.returncode == 0


def echo(requests: BinaryIO, answers: BinaryIO) -> None:
    for line in requests:
        answers.write(line.upper())
        answers.flush()


def test_threads_and_grpc_forbid_a_fork() -> None:
    """Anything else that runs in this process would be cut off in the middle."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()

    forbidden = may_fork()
    done.set()
    thread.join()

    assert not forbidden
