"""A tool's run ends when it ends, or when the work is cancelled: never later, never left behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.etcdutl.process import run_tool
from etcd_dr.errors import Cancelled, ToolMissing


def test_both_outputs_and_the_status_are_kept() -> None:
    """etcd's tools complain on either."""
    ended = run_tool(["sh", "-c", "echo out; echo err >&2; exit 3"], cancellation=CancellationSwitch())

    assert (ended.status, sorted(ended.output.split())) == (3, ["err", "out"])


def test_cancelling_kills_a_tool_that_hangs(tmp_path: Path) -> None:
    """The call returns when the program is gone, not when it would have finished."""
    said, never = tmp_path / "said", tmp_path / "never"
    os.mkfifo(said)
    os.mkfifo(never)
    cancellation = CancellationSwitch()
    pids: list[int] = []

    def cancel_once_started() -> None:
        pids.append(int(said.read_text()))
        cancellation.cancel("SIGTERM")

    watcher = threading.Thread(target=cancel_once_started)
    watcher.start()
    with pytest.raises(Cancelled, match="SIGTERM"):
        run_tool(["sh", "-c", f"echo $$ > {said}; exec cat {never}"], cancellation=cancellation)
    watcher.join()

    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_program_that_is_gone_is_a_missing_tool(tmp_path: Path) -> None:
    """It may have been removed since it was found."""
    with pytest.raises(ToolMissing):
        run_tool([str(tmp_path / "etcdutl")], cancellation=CancellationSwitch())
