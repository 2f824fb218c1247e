"""A snapshot through Talos' machine API, beside a bare read of the same stream.

The stream is 1 KiB messages over mutual TLS with Ed25519, from a node in a process of its own. *Bare* is grpclib's
stub, iterated and thrown away. *Stream* is the adapter, with the SHA-256 that every snapshot gets. *Save* is the whole
pipeline into a directory: scratch file, zstd, age, upload, read back, every page examined; its `receiving` phase is
what compares with the bare read.

Target: stream and receiving at least 0.8 of the bare read.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_talos.py [--file SNAPSHOT] [--megabytes 300] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
from grpclib.client import Channel

from bench.etcd_files import REPOSITORY
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.adapters.talos.fleet import TalosAccess, TalosNodes
from etcd_dr.adapters.talos.material import tls_context
from etcd_dr.adapters.talos.proto import machine_grpc, machine_pb2
from etcd_dr.adapters.talos.talosconfig import read_talosconfig
from real.peers.talos.pki import Authority
from real.peers.talos.talosconfig import write_talosconfig

TARGET = 0.8


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-talos-") as scratch:
        directory = Path(scratch)
        size = _make_file(directory / "file", arguments.file, megabytes=arguments.megabytes)
        with _node(directory) as config:
            names: dict[str, Callable[[], float]] = {
                "bare": lambda: _bare(config),
                "stream": lambda: _stream(config),
            }
            if arguments.file is not None:
                names["save: receiving"] = lambda: _save(config, directory)
            seconds: dict[str, list[float]] = {name: [] for name in names}
            cpu: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(arguments.rounds):
                for name, run in names.items():
                    begun = _cpu_seconds()
                    seconds[name].append(run())
                    cpu[name].append(_cpu_seconds() - begun)
    bare = statistics.median(seconds["bare"])
    is_good = True
    print(f"{size / 1e6:.0f} MB in messages of 1 KiB, medians of {arguments.rounds}")
    for name, measured in seconds.items():
        median = statistics.median(measured)
        is_good &= bare / median >= TARGET
        told = f"{name:16} {size / median / 1e6:6.1f} MB/s   {bare / median:.2f} of bare"
        # Without the node, which runs beside it: on a busy machine processor time says more than the clock does.
        whole = " for the whole command" if name.startswith("save") else ""
        print(f"  {told}   {statistics.median(cpu[name]):.2f} s of CPU{whole}")
    return 0 if is_good else 1


def _cpu_seconds() -> float:
    """Return the processor time of this process and of the commands that it ran to their end."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _make_file(target: Path, source: Path | None, *, megabytes: int) -> int:
    if source is not None:
        body = source.read_bytes()
        target.write_bytes(body[: len(body) - len(body) % 512])  # without etcd's trailer, which the node appends
    else:
        with target.open("wb") as file:
            for number in range(megabytes):
                file.write(hashlib.sha256(b"%d" % number).digest() * 32 * 1024)
    return target.stat().st_size


@contextlib.contextmanager
def _node(directory: Path) -> Iterator[Path]:
    now = datetime.now(UTC)
    authority = Authority(
        "talos", is_ed25519=True, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=1)
    )
    server = authority.issue("node", addresses=["127.0.0.1"])
    (directory / "server.pem").write_bytes(server.certificate + server.key)
    (directory / "ca.pem").write_bytes(authority.certificate)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.talos_server", directory],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY / "tests",
    )
    try:
        assert process.stdout is not None
        address = f"127.0.0.1:{int(process.stdout.readline())}"
        yield write_talosconfig(
            directory / "talosconfig",
            context="bench",
            ca=authority.certificate,
            pair=authority.issue("", organizations=["os:etcd:backup"]),
            endpoints=[address],
            nodes=[address],
        )
    finally:
        process.terminate()
        process.wait()


def _bare(config: Path) -> float:
    context = read_talosconfig(config)
    host, port = context.nodes[0].split(":")

    async def read() -> float:
        channel = Channel(host, int(port), ssl=tls_context(context))
        begun = time.perf_counter()
        async with machine_grpc.MachineServiceStub(channel).EtcdSnapshot.open() as stream:
            await stream.send_message(machine_pb2.EtcdSnapshotRequest(), end=True)
            async for message in stream:
                len(message.bytes)
        seconds = time.perf_counter() - begun
        channel.close()
        return seconds

    return asyncio.run(read())


def _stream(config: Path) -> float:
    fleet = TalosNodes(TalosAccess(config_file=config), clock=SystemClock())
    digest = hashlib.sha256()
    begun = time.perf_counter()
    with contextlib.closing(fleet.open(fleet.nodes()[0])) as node:
        with node.snapshot(stall_deadline=30, total_deadline=600) as stream:
            for chunk in stream:
                digest.update(chunk.blob)
        return time.perf_counter() - begun


def _save(config: Path, directory: Path) -> float:
    """Return the seconds of the phase in which the stream is received, hashed and written."""
    with tempfile.TemporaryDirectory(dir=directory) as store:
        command = [Path(sys.executable).with_name("etcd-dr"), "snapshot", "save", "-q", "-o", "json"]
        key = pyrage.x25519.Identity.generate().to_public()
        words = ["--talosconfig", config, "--store", store, "--recipient", str(key)]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
    [seconds] = [phase["seconds"] for phase in json.loads(done.stdout)["phases"] if phase["name"] == "receiving"]
    return float(seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a snapshot of etcd; without it no save is measured")
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
