"""The command against servers that take connections and never answer: it ends in bounded time, and at once when told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from real.peers.silent_server import silent_port

SOON_SECONDS = 10.0
"""For the end after a signal: 1.5 s of patience, and a busy machine."""

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def silent() -> Iterator[int]:
    with silent_port() as port:
        yield port


def begin(directory: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "etcd_dr.entrypoints.cli", *words],
        cwd=directory,
        env={"PATH": os.environ["PATH"], **KEYS, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_it_hangs(process: subprocess.Popen[str], port: int) -> None:
    """Return once the process is connected to the silent port."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends and process.poll() is None:
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        if any(row.split()[2] == f"0100007F:{port:04X}" and row.split()[3] == "01" for row in table):
            return
        time.sleep(0.05)
    pytest.fail(f"never connected: {process.communicate(timeout=5)}")


STORE = "s3://bucket/etcd?endpoint=http://127.0.0.1:{port}&region=us-east-1"

HANGING = [
    pytest.param(("snapshot", "list", "--store", STORE), id="list"),
    pytest.param(("snapshot", "verify", "--store", STORE), id="verify"),
    pytest.param(("snapshot", "prune", "--keep-last", "3", "--yes", "--store", STORE), id="prune"),
    pytest.param(("snapshot", "delete", "latest", "--yes", "--store", STORE), id="delete"),
    pytest.param(
        ("snapshot", "save", "--no-encryption", "--store", STORE, "--endpoints", "http://127.0.0.1:{port}"), id="save"
    ),
    pytest.param(("health", "--store", STORE, "--endpoints", "http://127.0.0.1:{port}"), id="health"),
]


@pytest.mark.parametrize("words", HANGING)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_ends_a_command_that_hangs(
    words: tuple[str, ...], number: signal.Signals, silent: int, tmp_path: Path
) -> None:
    """Whoever stops a command is obeyed at once, and told what was left and what to do."""
    process = begin(tmp_path, *(word.format(port=silent) for word in words))
    wait_until_it_hangs(process, silent)

    begun = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert time.monotonic() - begun < SOON_SECONDS
    assert process.returncode == 130
    assert f"error: stopped on request ({number.name})" in err
    assert "  next: " in err
    assert "Traceback" not in err


def test_store_that_never_answers_is_unreachable_within_the_budget(silent: int, tmp_path: Path) -> None:
    """All tries together stay within `call_timeout`, and the error is the store's."""
    config = tmp_path / "etcd-dr.yaml"
    config.write_text(
        "clusters: [{name: prod, store: bucket, etcd: {endpoints: ['http://127.0.0.1:1']}}]\n"
        "encryption: {enabled: false}\n"
        f"stores: [{{name: bucket, s3: {{bucket: backups, endpoint: 'http://127.0.0.1:{silent}', "
        "region: us-east-1, call_timeout: 3s}}]\n"
    )

    begun = time.monotonic()
    process = begin(tmp_path, "snapshot", "list", "-o", "json")
    _, err = process.communicate(timeout=30)

    assert process.returncode == 69
    assert json.loads(err)["error"]["code"] == "store.unreachable"
    assert time.monotonic() - begun < 2 * SOON_SECONDS  # starting up takes its time on a busy machine
