"""(g) One operator over a fleet: 50 clusters, each a real etcd of one member with mutual TLS and some hundred keys.

Every cluster has a snapshot due each minute, a health round every 15 s and its keys counted as often; the store is a
directory. What is told, for the time after the first minute:

- *rounds*: how long health rounds took, how many of those that were due were made, and how evenly they came;
- *snapshots*: slots that came and snapshots in the store, and how long after its slot each was committed;
- *process*: processor time, private memory and threads of the operator, and how long a scrape took.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_fleet.py [--clusters 50] [--minutes 4] [--hanging 0]

`--hanging N` stops the etcd of so many clusters (SIGSTOP) after the first minute: the others must not notice.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import yaml

from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster
from etcd_dr.adapters.local_cluster.binaries import preferred_etcd_binaries
from etcd_dr.adapters.local_cluster.child import start_child
from etcd_dr.adapters.local_cluster.gateway import encoded

KEYS = 300
ROUND_SECONDS = 15
SAMPLE_SECONDS = 5.0
WARM_UP = timedelta(minutes=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=50)
    parser.add_argument("--minutes", type=int, default=4, help="how long is measured, after the first minute")
    parser.add_argument("--hanging", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="operator.snapshot_workers")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="etcd-dr-fleet-") as directory, contextlib.ExitStack() as stack:
        work = Path(directory)
        clusters = fleet(work, said.clusters, preferred_etcd_binaries(os.environ), stack)
        config = settings(clusters, work, workers=said.workers)
        watched = watch(work, config, clusters, minutes=said.minutes, hanging=said.hanging)
        report(watched, said.clusters, hanging=said.hanging)


def fleet(work: Path, count: int, binaries: EtcdBinaries, stack: contextlib.ExitStack) -> list[LocalCluster]:
    """Start the members, a few at a time; the stack ends them."""

    def start(number: int) -> LocalCluster:
        cluster = LocalCluster(
            work / f"c{number:02}",
            binaries=binaries,
            settings=ClusterSettings(size=1, heartbeat_milliseconds=500, election_milliseconds=2500),
        )
        stack.callback(cluster.kill)
        cluster.__enter__()
        puts = [
            {"requestPut": {"key": encoded(b"/registry/pods/%04d" % n), "value": encoded(os.urandom(512))}}
            for n in range(KEYS)
        ]
        with cluster.gateway() as gateway:
            for first in range(0, KEYS, 100):
                gateway.call("/v3/kv/txn", {"success": puts[first : first + 100]})
        return cluster

    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        clusters = list(pool.map(start, range(count)))
    print(f"{count} members of etcd {binaries.version} started in {time.monotonic() - begun:.0f} s", flush=True)
    return clusters


def settings(clusters: Sequence[LocalCluster], work: Path, *, workers: int) -> dict[str, Any]:
    (work / "store").mkdir()
    (work / "scratch").mkdir()
    return {
        "clusters": [
            {
                "name": cluster.directory.name,
                "store": "main",
                "etcd": {
                    "endpoints": list(cluster.endpoints),
                    "cacert": str(cluster.client_tls.ca),
                    "cert": str(cluster.client_tls.certificate),
                    "key": str(cluster.client_tls.key),
                },
                "schedule": {"cron": "* * * * *"},
                "retention": {"keep_last": 5},
                "health": {"interval": f"{ROUND_SECONDS}s"},
                "tripwire": {"interval": f"{ROUND_SECONDS}s"},
                "objectives": {"rpo": "3m"},
            }
            for cluster in clusters
        ],
        "stores": [{"name": "main", "directory": {"path": str(work / "store")}}],
        "encryption": {"enabled": False},
        "scratch_dir": str(work / "scratch"),
        "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "1m", "snapshot_workers": workers},
    }


@dataclass(slots=True)
class Watched:
    """What was seen between `since` and `until`. Bytes, seconds."""

    since: datetime
    until: datetime
    lines: list[dict[str, Any]]
    cpu_seconds: float
    etcd_cpu_seconds: float
    peak_private_bytes: int
    most_threads: int
    scrapes: list[float] = field(default_factory=list)
    scrape_bytes: int = 0
    clean_stop: bool = False
    hanging: frozenset[str] = frozenset()

    def of(self, event: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of one event within the time, of clusters that live."""
        for line in self.lines:
            at = datetime.fromisoformat(line["timestamp"])
            if line["event"] == event and self.since <= at < self.until and line.get("cluster") not in self.hanging:
                yield line | {"at": at}


def watch(
    work: Path, config: dict[str, Any], clusters: Sequence[LocalCluster], *, minutes: int, hanging: int
) -> Watched:
    file, log = work / "etcd-dr.yaml", work / "operator.log"
    file.write_text(yaml.safe_dump(config))
    command = Path(sys.executable).with_name("etcd-dr")
    operator = start_child([command, "operator", "--config", file], log=log)
    process = psutil.Process(operator.pid)
    etcds = [psutil.Process(cluster.members[0].pid) for cluster in clusters[hanging:]]
    try:
        begin = (datetime.now(UTC) + WARM_UP).replace(second=0, microsecond=0) + timedelta(minutes=1)
        time.sleep((begin - datetime.now(UTC)).total_seconds())
        for cluster in clusters[:hanging]:
            cluster.members[0].pause()
        end = begin + timedelta(minutes=minutes)
        cpu, etcd_cpu = cpu_of(process), sum(map(cpu_of, etcds))
        watched = Watched(
            begin, end, [], 0.0, 0.0, 0, 0, hanging=frozenset(c.directory.name for c in clusters[:hanging])
        )
        while datetime.now(UTC) < end:
            time.sleep(SAMPLE_SECONDS)
            sample(process, watched, address(log))
        watched.cpu_seconds = cpu_of(process) - cpu
        watched.etcd_cpu_seconds = sum(map(cpu_of, etcds)) - etcd_cpu
        time.sleep(20)  # the snapshots of the last slot
        operator.send_signal(signal.SIGTERM)
        watched.clean_stop = operator.wait(timeout=40) == 0
    finally:
        if operator.poll() is None:
            operator.kill()
            operator.wait()
    watched.lines = [json.loads(line) for line in log.read_text().splitlines()]
    return watched


def cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def address(log: Path) -> str:
    started = next(line for line in log.read_text().splitlines() if '"operator.started"' in line)
    return str(json.loads(started)["listen"])


def sample(process: psutil.Process, watched: Watched, listen: str) -> None:
    memory = process.memory_info()
    watched.peak_private_bytes = max(watched.peak_private_bytes, memory.rss - memory.shared)
    watched.most_threads = max(watched.most_threads, process.num_threads())
    begun = time.perf_counter()
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=30) as response:
        watched.scrape_bytes = len(response.read())
    watched.scrapes.append(time.perf_counter() - begun)


def report(watched: Watched, clusters: int, *, hanging: int) -> None:
    alive = clusters - hanging
    seconds = (watched.until - watched.since).total_seconds()
    rounds = list(watched.of("health.checked"))
    gaps = [gap for each in by_cluster(rounds).values() for gap in gaps_of(each)]
    delays, missed = snapshot_delays(watched, alive)
    failures = [
        line
        for line in watched.lines
        if line["event"].endswith(".failed") and line.get("cluster") not in watched.hanging
    ]
    print(f"\n{alive} of {clusters} clusters alive, {seconds:.0f} s, load {os.getloadavg()[0]:.1f} at the end")
    print(f"health rounds        {len(rounds)} of {alive * seconds / ROUND_SECONDS:.0f} due")
    print(f"  duration           {spread([line['duration_seconds'] for line in rounds])}")
    print(f"  between two        {spread(gaps)}")
    print(f"snapshots            {len(delays)} committed, {missed} slots missed")
    print(f"  after their slot   {spread(delays)}")
    print(f"  duration           {spread([line['duration_seconds'] for line in watched.of('snapshot.committed')])}")
    print(
        f"operator             {watched.cpu_seconds / seconds:.0%} of one processor, {watched.peak_private_bytes / 1e6:.0f} MB private, {watched.most_threads} threads"
    )
    print(f"all etcds            {watched.etcd_cpu_seconds / seconds:.0%} of one processor")
    print(f"scrapes              {spread(watched.scrapes)}, {watched.scrape_bytes / 1e3:.0f} kB")
    print(f"errors               {len(failures)} {sorted({line.get('error_code', '') for line in failures})}")
    print(f"stopped cleanly      {watched.clean_stop}")


def by_cluster(lines: Sequence[dict[str, Any]]) -> dict[str, list[datetime]]:
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for line in lines:
        found[line["cluster"]].append(line["at"])
    return found


def gaps_of(moments: Sequence[datetime]) -> list[float]:
    ordered = sorted(moments)
    return [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(ordered)]


def snapshot_delays(watched: Watched, alive: int) -> tuple[list[float], int]:
    """Return how long after its minute each snapshot was committed, and how many minutes have none."""
    minutes = int((watched.until - watched.since).total_seconds() // 60)
    first: dict[tuple[str, int], float] = {}
    for line in watched.lines:
        if line["event"] != "snapshot.committed" or line["cluster"] in watched.hanging:
            continue
        at = datetime.fromisoformat(line["timestamp"])
        taken_at = datetime.strptime(line["snapshot_id"][:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        slot = int((taken_at - watched.since).total_seconds() // 60)
        if 0 <= slot < minutes:
            first.setdefault((line["cluster"], slot), (at - watched.since).total_seconds() - 60 * slot)
    return list(first.values()), alive * minutes - len(first)


def spread(values: Sequence[float]) -> str:
    """Return median, 99th percentile and largest of some seconds."""
    if not values:
        return "none"
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {statistics.median(ordered):.3f} s, p99 {p99:.3f} s, max {ordered[-1]:.3f} s"


if __name__ == "__main__":
    main()
