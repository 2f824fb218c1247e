"""`etcd-dr demo`: the whole story, and nothing left behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries

PROGRAM = [sys.executable, "-m", "etcd_dr.entrypoints.cli", "demo"]


def environment(directory: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(directory), **more}


def test_demo_tells_the_whole_story(etcd_binaries: EtcdBinaries, tmp_path: Path) -> None:
    """Exit status 0, 80 columns, every act in it, and nothing left."""
    done = subprocess.run(
        [*PROGRAM, "--etcd-dir", str(etcd_binaries.etcd.parent)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert max(map(len, lines)) <= 80
    assert 55 <= len(lines) <= 85  # four more for each finding that a slow machine adds
    assert "\x1b" not in done.stdout
    for words in (
        "quorum held (3 of 3",
        "consistent",
        "passed",
        "failed",
        "held-without-tolerance",
        "lost for good",
        "<- recommended",
        "as predicted from the file",
        "recovery time",
        "from the store to a serving etcd",
        "as promised",
    ):
        assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_demo_leaves_nothing_behind(
    etcd_binaries: EtcdBinaries, tmp_path: Path, number: signal.Signals
) -> None:
    """Members and files are gone when the command is."""
    demo = subprocess.Popen(
        [*PROGRAM, "--etcd-dir", str(etcd_binaries.etcd.parent)],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert demo.stdout is not None
        demo.stdout.readline()
        members = _wait_for_members(demo.pid)
        demo.send_signal(number)
        out, errors = demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()

    assert (demo.returncode, "Traceback" in errors) == (130, False), errors
    assert "processes and files are gone" in errors
    assert "as promised" not in out
    assert not [pid for pid in members if psutil.pid_exists(pid) and _is_running(pid)]
    assert list(tmp_path.iterdir()) == []


def test_missing_etcd_is_said_with_the_way_to_get_one(tmp_path: Path) -> None:
    """On a fresh machine the first thing somebody sees must help."""
    done = subprocess.run(
        PROGRAM,
        env={"PATH": str(tmp_path), "ETCD_DR_TOOLS_DIR": str(tmp_path), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 69
    assert "error: etcd: no etcd program was found" in done.stderr
    assert "--etcd-dir" in done.stderr
    assert "make demo" in done.stderr


def _wait_for_members(parent: int) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [child.pid for child in psutil.Process(parent).children(recursive=True) if _name(child) == "etcd"]
        if len(found) == 3:
            return found
        time.sleep(0.02)
    raise AssertionError("the members did not start in time")


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:  # `etcd --version` is asked beforehand, and ends between two looks
        return ""


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
