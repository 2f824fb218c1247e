"""`etcd_dr.boltdb` against `etcdutl snapshot status`, on 1.3 GB of values and on three million small keys.

Ours is a whole process that calls `examine`: start of the interpreter, check of every page and record, etcd's hash,
both key counts. It runs side by side with etcdutl in each round, each measured from start to exit; the table has
medians. etcdutl 3.6 and later count live keys, 3.5 does not. The file is in the page cache, bytecode is compiled.

Targets: time ratio at most 1.0 against the etcdutl of the file's version, private memory of all our processes at most
100 MB. HashKV and the SHA-256 of the trailer are measured too; nobody else computes them from a file unchanged.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_boltdb.py [--rounds 5] [--only NAME]
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.etcd_files import CHURNED, LARGE_VALUES, SMALL_KEYS, Shape, snapshot_file
from bench.private_memory import PrivateMemory
from etcd_dr.adapters.local_cluster import EtcdBinaries, find_etcd_binaries, preferred_etcd_binaries

TIME_TARGET = 1.0
MEMORY_TARGET_MB = 100
SHAPES = (LARGE_VALUES, SMALL_KEYS, CHURNED)
PACKAGE = Path(__file__).resolve().parents[2] / "operator" / "etcd_dr"

_OURS = """
import json, sys
from pathlib import Path
from etcd_dr.boltdb import examine, hash_kv
call, path = sys.argv[1], Path(sys.argv[2])
if call == "hash_kv":
    answer = hash_kv(path)
    print(json.dumps({"hash": answer.hash, "totalKey": None}))
else:
    options = {"examine": {}, "one process": {"workers": 1}, "isolated": {"workers": 1, "isolated": True},
               "with HashKV": {"with_hash_kv": True}, "with HashKV and SHA-256": {"with_hash_kv": True, "check_trailer": True}}
    examination = examine(path, **options[call])
    assert examination.is_intact, examination.findings
    print(json.dumps({"hash": examination.status.status_hash, "totalKey": examination.status.live_key_count}))
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """One command that says what a file holds."""

    name: str
    command: tuple[str, ...]
    says: str = "status"


def contenders(file: Path, binaries: EtcdBinaries, newer: Sequence[EtcdBinaries]) -> list[Contender]:
    """Return ours first, then etcdutl of the file's version, then what else there is."""
    ours = {
        call: Contender(
            f"ours: {call}",
            (sys.executable, "-c", _OURS, call, str(file)),
            "hash_kv" if call == "hash_kv" else "status",
        )
        for call in ("examine", "one process", "isolated", "with HashKV", "with HashKV and SHA-256", "hash_kv")
    }
    theirs = [
        Contender(f"etcdutl {tool.version}", (str(tool.etcdutl), "snapshot", "status", str(file), "--write-out=json"))
        for tool in (binaries, *newer)
    ]
    return [ours["examine"], theirs[0], *list(ours.values())[1:], *theirs[1:]]


def measure(contender: Contender) -> tuple[float, dict[str, object]]:
    """Run a command; return its seconds and its answer. Memory is sampled in another run, at no cost to this one."""
    started = time.perf_counter()
    done = subprocess.run(contender.command, stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - started
    return seconds, json.loads(done.stdout)


def peak_memory(contender: Contender) -> int:
    process = subprocess.Popen(contender.command, stdout=subprocess.DEVNULL)
    with PrivateMemory(process.pid, every_seconds=0.005) as memory:
        process.wait()
    return memory.peak_bytes


def bench(shape: Shape, *, rounds: int, binaries: EtcdBinaries, newer: Sequence[EtcdBinaries]) -> list[str]:
    """Return the rows of one file."""
    file = snapshot_file(shape, etcd=binaries.etcd.parent)
    found = contenders(file, binaries, newer)
    for contender in found[:2]:
        measure(contender)  # the page cache is warm for all
    seconds: dict[str, list[float]] = {contender.name: [] for contender in found}
    answers: dict[str, dict[str, object]] = {}
    for _ in range(rounds):
        for contender in found:
            spent, answers[contender.name] = measure(contender)
            seconds[contender.name].append(spent)
    hashes = {answers[contender.name]["hash"] for contender in found if contender.says == "status"}
    if len(hashes) != 1:
        raise SystemExit(f"the hashes differ: {answers}")
    reference = statistics.median(seconds[found[1].name])
    size_mb = file.stat().st_size / 1e6
    return [
        _row(shape, size_mb, contender, seconds[contender.name], reference, peak_memory(contender))
        for contender in found
    ]


def _row(
    shape: Shape, size_mb: float, contender: Contender, seconds: list[float], reference: float, memory: int
) -> str:
    median = statistics.median(seconds)
    return (
        f"| {shape.name}, {size_mb:.0f} MB | {contender.name} | {median:.2f} | {min(seconds):.2f} "
        f"| {median / reference:.2f} | {size_mb / median:.0f} | {memory / 1e6:.0f} |"
    )


def verdicts(rows: Sequence[str], is_target: Callable[[str], bool]) -> list[str]:
    """Say for each file whether the targets were met by the plain examination."""
    said = []
    for row in filter(is_target, rows):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        ratio, memory = float(cells[4]), float(cells[6])
        good = ratio <= TIME_TARGET and memory <= MEMORY_TARGET_MB
        said.append(f"{cells[0]}: ratio {ratio:.2f}, {memory:.0f} MB private: {'met' if good else 'MISSED'}")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="name of one shape")
    arguments = parser.parse_args()
    compileall.compile_dir(PACKAGE, quiet=2)  # as an installed package is
    binaries = preferred_etcd_binaries(os.environ)
    newer = [tool for tool in find_etcd_binaries(os.environ) if tool.release >= (3, 6) and tool.etcdutl]
    print(
        f"load before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors; medians of {arguments.rounds}\n"
    )
    rows: list[str] = []
    print("| file | command | seconds | best | ratio | MB/s | private MB |\n|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        if arguments.only in (None, shape.name):
            found = bench(shape, rounds=arguments.rounds, binaries=binaries, newer=newer)
            print("\n".join(found))
            rows += found
    print()
    print("\n".join(verdicts(rows, lambda row: "ours: examine " in row)))


if __name__ == "__main__":
    main()
