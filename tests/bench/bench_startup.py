"""(d) How long somebody waits who types a command: `--help`, `version`, `snapshot list`, beside stock programs.

Each row is one call as a person makes it: a fresh process, output to a pipe, files in the page cache. `list` is over a
directory store with 50 snapshots, and over a real S3 server on this machine. A bare Python is the floor that no
command in Python gets below; etcdctl and rclone are programs in Go that people are used to.

Medians and the slowest of all calls, and the processor time of one call, in milliseconds.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_startup.py [--calls 15]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from etcd_dr.adapters.local_cluster import preferred_etcd_binaries
from etcd_dr.errors import ToolMissing
from fakes.etcd_database import EtcdDatabase
from real.peers.s3_server import ADMIN
from real.peers.weed import WeedS3

SNAPSHOTS = 50
PROGRAM = (str(Path(sys.executable).parent / "etcd-dr"),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=15)
    calls = parser.parse_args().calls
    print(f"| {'call':<40} | median ms | slowest ms | CPU ms |")
    print(f"|{'-' * 42}|----------:|-----------:|-------:|")
    measure("python -c pass", [sys.executable, "-c", "pass"], calls)
    for name, command in stock_programs():
        measure(name, command, calls)
    measure("etcd-dr --help", [*PROGRAM, "--help"], calls)
    measure("etcd-dr snapshot --help", [*PROGRAM, "snapshot", "--help"], calls)
    measure("etcd-dr version", [*PROGRAM, "version"], calls)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "store").mkdir()
        fill(str(directory / "store"), directory)
        words = [*PROGRAM, "snapshot", "list", "--store"]
        measure(f"etcd-dr snapshot list ({SNAPSHOTS}, directory)", [*words, str(directory / "store")], calls)
        with WeedS3(directory / "s3") as server:
            url = bucket_url(server, directory)
            fill(url, directory)
            measure(f"etcd-dr snapshot list ({SNAPSHOTS}, S3)", [*words, url], calls)


def stock_programs() -> list[tuple[str, list[str]]]:
    """Return the programs at hand that people know, each with its quickest call."""
    found = []
    try:
        found.append(("etcdctl version", [str(preferred_etcd_binaries(os.environ).etcdctl), "version"]))
    except ToolMissing:
        print("| etcdctl: not at hand |", file=sys.stderr)
    for name in ("rclone", "restic", "aws"):
        path = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        if path is not None:
            found.append(
                (
                    f"{name} {'--version' if name == 'aws' else 'version'}",
                    [path, "version" if name != "aws" else "--version"],
                )
            )
    return found


def bucket_url(server: WeedS3, directory: Path) -> str:
    (directory / "key").write_text(ADMIN.access_key)
    (directory / "secret").write_text(ADMIN.secret_key)
    keys = f"access_key_file={directory}/key&secret_key_file={directory}/secret"
    return f"s3://{server.make_bucket('startup')}?endpoint={server.endpoint}&region=us-east-1&{keys}"


def fill(store: str, directory: Path) -> None:
    """Import as many small snapshots, all different, in one call."""
    files = []
    for number in range(SNAPSHOTS):
        database = EtcdDatabase.of_keys(10 + number).to_bytes()
        path = directory / f"etcd-snapshot-node-{1_690_000_000 + number * 3600}"
        path.write_bytes(database + hashlib.sha256(database).digest())
        files.append(str(path))
    subprocess.run(
        [*PROGRAM, "snapshot", "import", "--store", store, "--no-encryption", "--quiet", *files],
        stdout=subprocess.DEVNULL,
        check=True,
    )


def measure(name: str, command: Sequence[str], calls: int) -> None:
    timed = [one_call(command) for _ in range(calls)]
    walls = [wall for wall, _ in timed]
    processor = statistics.median(cpu for _, cpu in timed)
    print(
        f"| {name:<40} | {statistics.median(walls) * 1000:9.0f} | {max(walls) * 1000:10.0f} "
        f"| {processor * 1000:6.0f} |",
        flush=True,
    )


def one_call(command: Sequence[str]) -> tuple[float, float]:
    """Return wall and processor seconds of one call."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
