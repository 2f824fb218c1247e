"""`etcd-dr snapshot status` against `etcdutl snapshot status`, on 1.3 GB of values and on three million small keys.

Both are the commands that people type, as whole processes from start to exit, side by side in each round, each of them
once as a table and once as JSON; the table has medians, and the processor time with it. etcdutl 3.6 and later count
live keys, 3.5 does not. The file is in the page cache, bytecode is compiled. A run beside which other processes took
more than a tenth of a processor is made again, up to a limit, and standard error says how many stayed disturbed. Below the command stand the reader's own
calls, each as a process without the command around it.

Targets: time ratio at most 1.0 against the etcdutl of the file's version, private memory of all our processes at most
100 MB. HashKV and the SHA-256 of the trailer are measured too; nobody else computes them from a file unchanged.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_boltdb.py [--rounds 5] [--only NAME] [--commands]
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
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
CALM_SHARE = 0.1
TRIES = 8
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
    options = {"examine": {}, "one process": {"workers": 1}, "isolated": {"workers": 1, "isolated": True}}
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
    command = str(Path(sys.executable).with_name("etcd-dr"))
    table = Contender("etcd-dr snapshot status", (command, "snapshot", "status", str(file)), "nothing")
    as_json = Contender("etcd-dr snapshot status -o json", (*table.command, "-o", "json"), "command")
    full = Contender("etcd-dr snapshot status --full -o json", (*as_json.command, "--full"), "command")
    ours = {
        call: Contender(
            f"ours: {call}",
            (sys.executable, "-c", _OURS, call, str(file)),
            "hash_kv" if call == "hash_kv" else "status",
        )
        for call in ("examine", "one process", "isolated", "hash_kv")
    }
    theirs = [
        Contender(f"etcdutl {tool.version}", (str(tool.etcdutl), "snapshot", "status", str(file), "--write-out=json"))
        for tool in (binaries, *newer)
    ]
    others = [ours[call] for call in ("examine", "one process", "isolated", "hash_kv")]
    their_table = Contender(f"{theirs[0].name}, table", theirs[0].command[:-1], "nothing")
    return [as_json, theirs[0], table, their_table, full, *others, *theirs[1:]]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender; `status_hash` is None where it was not asked for, or not in a form to compare."""

    seconds: float
    cpu_seconds: float
    status_hash: int | None
    foreign_share: float
    """Processors that others used meanwhile."""


def measure(contender: Contender) -> Run:
    """Run a command. Memory is sampled in another run, at no cost to this one."""
    cpu_before, busy_before, started = cpu_of_children(), busy_seconds(), time.perf_counter()
    done = subprocess.run(contender.command, stdout=subprocess.PIPE, check=True)
    seconds, cpu_seconds = time.perf_counter() - started, cpu_of_children() - cpu_before
    foreign = (busy_seconds() - busy_before - cpu_seconds) / seconds
    return Run(seconds, cpu_seconds, _status_hash(contender, done.stdout), foreign)


def measure_calmly(contender: Contender) -> Run:
    """Run a command until nobody else was busy, or for so many times; return the calmest run."""
    runs = []
    for _ in range(TRIES):
        runs.append(measure(contender))
        if runs[-1].foreign_share <= CALM_SHARE:
            break
    return min(runs, key=lambda run: run.foreign_share)


def busy_seconds() -> float:
    """Return the processor seconds of everything on this machine since it started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cpu_of_children() -> float:
    """Return the processor seconds of all processes that we started and that have ended, their children included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _status_hash(contender: Contender, answer: bytes) -> int | None:
    match contender.says:
        case "status":
            return int(json.loads(answer)["hash"])
        case "command":
            return int(json.loads(answer)["status"]["status_hash"])
        case _:
            return None


def peak_memory(contender: Contender) -> int:
    process = subprocess.Popen(contender.command, stdout=subprocess.DEVNULL)
    with PrivateMemory(process.pid, every_seconds=0.002, shared_once=True) as memory:
        process.wait()
    return memory.peak_bytes


def bench(shape: Shape, found: Sequence[Contender], *, size_mb: float, rounds: int) -> list[str]:
    """Return the rows of one file."""
    for contender in found[:2]:
        measure(contender)  # the page cache is warm for all
    runs: dict[str, list[Run]] = {contender.name: [] for contender in found}
    for _ in range(rounds):
        for contender in found:
            runs[contender.name].append(measure_calmly(contender))
    hashes = {run.status_hash for every in runs.values() for run in every} - {None}
    if len(hashes) != 1:
        raise SystemExit(f"the hashes differ: {runs}")
    disturbed = sum(run.foreign_share > CALM_SHARE for every in runs.values() for run in every)
    print(f"{shape.name}: {disturbed} of {rounds * len(found)} runs were disturbed by others", file=sys.stderr)
    reference = statistics.median(run.seconds for run in runs[found[1].name])
    return [
        _row(shape, size_mb, contender, runs[contender.name], reference, peak_memory(contender)) for contender in found
    ]


def _row(shape: Shape, size_mb: float, contender: Contender, runs: list[Run], reference: float, memory: int) -> str:
    seconds = [run.seconds for run in runs]
    median, cpu = statistics.median(seconds), statistics.median(run.cpu_seconds for run in runs)
    return (
        f"| {shape.name}, {size_mb:.0f} MB | {contender.name} | {median:.2f} | {min(seconds):.2f} "
        f"| {median / reference:.2f} | {cpu:.2f} | {size_mb / median:.0f} | {memory / 1e6:.0f} |"
    )


def verdicts(rows: Sequence[str], is_target: Callable[[str], bool]) -> list[str]:
    """Say for each file whether the targets were met by the command."""
    said = []
    for row in filter(is_target, rows):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        ratio, memory = float(cells[4]), float(cells[7])
        good = ratio <= TIME_TARGET and memory <= MEMORY_TARGET_MB
        said.append(f"{cells[0]}: ratio {ratio:.2f}, {memory:.0f} MB private: {'met' if good else 'MISSED'}")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="name of one shape")
    parser.add_argument("--commands", action="store_true", help="the two commands only, as JSON and as tables")
    arguments = parser.parse_args()
    compileall.compile_dir(PACKAGE, quiet=2)  # as an installed package is
    binaries = preferred_etcd_binaries(os.environ)
    newer = [tool for tool in find_etcd_binaries(os.environ) if tool.release >= (3, 6) and tool.etcdutl]
    print(
        f"load before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors; medians of {arguments.rounds}\n"
    )
    rows: list[str] = []
    print("| file | command | seconds | best | ratio | CPU s | MB/s | private MB |\n|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        if arguments.only in (None, shape.name):
            file = snapshot_file(shape, etcd=binaries.etcd.parent)
            all_found = contenders(file, binaries, newer)
            chosen = all_found[:4] if arguments.commands else all_found
            found = bench(shape, chosen, size_mb=file.stat().st_size / 1e6, rounds=arguments.rounds)
            print("\n".join(found))
            rows += found
    print()
    print("\n".join(verdicts(rows, lambda row: "| etcd-dr snapshot status" in row and "--full" not in row)))


if __name__ == "__main__":
    main()
