"""Processes are known by what they run, and ended by a handle that no successor can have."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.process_table import FoundProcess, find_process, runs_etcd_on

_WAIT = "import signal, sys, time\n{setup}\nprint('ready', flush=True)\ntime.sleep(60)"
_STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that wait; they are ended afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(mark: str, *, setup: str = "") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _WAIT.format(setup=setup), mark]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_process_is_found_by_its_command_and_ended(start: Start, tmp_path: Path) -> None:
    """SIGTERM is enough for most."""
    process = start(str(tmp_path))

    with _found(tmp_path) as found:
        pid = found.pid
        is_gone = found.end(until=time.monotonic() + 10)

    assert pid == process.pid
    assert is_gone
    assert process.wait() == -15


def test_process_that_ignores_the_request_is_killed_at_the_deadline(start: Start, tmp_path: Path) -> None:
    """Shortly before it, so that its end is still seen."""
    process = start(str(tmp_path), setup=_STUBBORN)

    with _found(tmp_path) as found:
        is_gone = found.end(until=time.monotonic() + 3)

    assert is_gone
    assert process.wait() == -9


def test_process_that_ended_and_was_not_waited_for_is_gone(start: Start, tmp_path: Path) -> None:
    """Its number is still taken, and it holds nothing any more."""
    process = start(str(tmp_path))
    with _found(tmp_path) as found:
        process.kill()
        found.wait(10)

        assert not found.is_running
    assert find_process(_has(tmp_path)) is None


def test_number_that_is_another_process_now_gives_no_handle(start: Start, tmp_path: Path) -> None:
    """Between finding and opening it may have been reused."""
    process = start("somebody else")

    assert FoundProcess.open(process.pid, _has(tmp_path)) is None


@pytest.mark.parametrize(
    ("command", "is_it"),
    [
        (["/usr/bin/etcd", "--data-dir=/d"], True),
        (["etcd", "--name", "a", "--data-dir", "/d"], True),
        (["etcd", "-data-dir", "/d"], True),
        (["etcd", "--data-dir=/d2"], False),
        (["etcd", "--data-dir"], False),
        (["vi", "--data-dir=/d"], False),
        (["etcdctl", "--data-dir=/d"], False),
    ],
)
def test_etcd_is_known_by_its_data_directory(command: list[str], is_it: bool) -> None:
    """However the flag is written, and nothing else."""
    assert runs_etcd_on("/d")(command) is is_it


def _has(mark: Path) -> Callable[[object], bool]:
    return lambda command: str(mark) in command  # type: ignore[operator]


def _found(mark: Path) -> FoundProcess:
    found = find_process(_has(mark))
    assert found is not None
    return found
