"""The command as a process whose streams are closed, or are closed while it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f"{sys.executable} -m etcd_dr.entrypoints.cli"


def shell(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=directory,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-", "<&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "status"), [("nosuch", 64), ("version", 0), ("--help", 0), ("snapshot list --store .", 0)]
)
def test_stream_that_is_closed_from_the_start_is_no_reason_to_fail(
    words: str, status: int, closed: str, tmp_path: Path
) -> None:
    """cron and some init systems start programs so; the status is the same, and nobody sees a traceback."""
    done = shell(f"{COMMAND} {words} {closed}", tmp_path)

    assert done.returncode == status
    assert "Traceback" not in done.stdout + done.stderr


def test_error_that_nobody_reads_keeps_its_status(tmp_path: Path) -> None:
    """`2>&1 | head -0` closes standard error under our hands."""
    done = shell(f"{COMMAND} nosuch 2> >(exec 0<&-); echo $?", tmp_path)

    assert done.stdout.strip() == "64"


def test_watch_ends_when_its_reader_is_gone(tmp_path: Path) -> None:
    """`| head -1` has read enough; a watch that only writes changes would not notice for hours."""
    line = f"{COMMAND} health --watch --interval 1h --no-snapshots --endpoints http://127.0.0.1:1 -o json | head -c 1; "

    done = shell(line + 'echo " ${PIPESTATUS[0]}"', tmp_path)

    assert done.stdout.split() == ["{", "141"]
    assert done.stderr == ""
