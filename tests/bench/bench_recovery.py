"""A recovery of three members from S3, beside the bare minimum of the same work.

Ours: everything that `recover run` does between the confirmation and the verified cluster: looks, journal here and in
the store, one download, every proof, three restores, three data directories placed, three members started, hashes
compared. Then the first snapshot of the new cluster, which is not counted: the cluster serves by then.

The minimum: the object downloaded and opened once, one `etcdutl snapshot restore`, and members started on ready data
until they serve: one of them, and three at once, because all of them share this machine's processors here.

Target: at most 1.3 times the minimum.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_recovery.py [--rounds 3] [--only NAME]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.etcd_files import BENCH_DIRECTORY, REPOSITORY, Shape, snapshot_file
from bench.kubernetes_values import pod_value
from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster, preferred_etcd_binaries
from etcd_dr.adapters.local_files import DirectoryScratch, PartFiles
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.report import RecoveryReport
from etcd_dr.workflows.fetch_snapshot import fetch_snapshot
from etcd_dr.workflows.import_snapshot import ImportOrder, ImportPorts, import_file
from etcd_dr.workflows.unwrap_file import UnwrapPorts
from fakes.events import RecordingEvents, RecordingProgress
from real.peers.weed import WeedS3
from real.recovery_parts import LAYOUT
from real.recovery_rig import RecoveryRig
from real.store_settings import open_bucket, s3_settings

BUCKET = "bench"
TARGET = 1.3
SHAPES = (
    Shape("72k-pods", 72_000, 1024, make_value=pod_value),
    Shape("950k-pods", 950_000, 1024, make_value=pod_value),
)
_NOT_COUNTED = ("accept-cluster-id", "take-snapshot")


@dataclass(frozen=True, slots=True)
class Minimum:
    download: float
    restore: float
    start_one: float
    start_three: float

    def seconds(self, *, members: int) -> float:
        return self.download + self.restore + (self.start_one if members == 1 else self.start_three)


@dataclass(frozen=True, slots=True)
class Round:
    report: RecoveryReport
    minimum: Minimum
    database_bytes: int

    @property
    def phases(self) -> dict[str, float]:
        return {f"{p.phase} {p.title}": p.seconds for p in self.report.phases if p.title not in _NOT_COUNTED}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="the name of one shape")
    options = parser.parse_args()
    binaries = preferred_etcd_binaries({**os.environ, "ETCD_DR_TOOLS_DIR": str(REPOSITORY / ".tools")})
    for shape in SHAPES:
        if options.only in (None, shape.name):
            rounds = [measure(shape, binaries) for _ in range(options.rounds)]
            print("\n".join(table(shape, rounds)), flush=True)
    return 0


def measure(shape: Shape, binaries: EtcdBinaries) -> Round:
    """Recover three wiped members once, and measure the minimum right afterwards."""
    file = snapshot_file(shape, etcd=binaries.etcd.parent)
    with lost_cluster(file, binaries) as rig:
        plan = rig.restore_plan()
        outcome = rig.run(plan)
        minimum = measure_minimum(rig, plan, binaries)
    print(f"{shape.name}: {outcome.report.recovery_seconds} {minimum}", file=sys.stderr)
    return Round(outcome.report, minimum, file.stat().st_size)


@contextmanager
def lost_cluster(file: Path, binaries: EtcdBinaries) -> Iterator[RecoveryRig]:
    """Lend three nodes without data, and a bucket with one snapshot."""
    BENCH_DIRECTORY.mkdir(exist_ok=True)
    settings = ClusterSettings(
        quota_bytes=16 << 30, durable=True, heartbeat_milliseconds=100, election_milliseconds=1000
    )
    with tempfile.TemporaryDirectory(prefix="recovery-", dir=BENCH_DIRECTORY) as name:
        directory = Path(name)
        with (
            WeedS3(directory / "weed") as s3,
            LocalCluster(directory / "cluster", binaries=binaries, settings=settings) as cluster,
        ):
            store = open_bucket(s3_settings(s3, s3.make_bucket(BUCKET), directory / "keys", part_bytes=16 << 20))
            with RecoveryRig(cluster, directory, store=store) as rig:
                keep(file, rig)
                rig.wipe("m1", "m2", "m3")
                yield rig


def keep(file: Path, rig: RecoveryRig) -> None:
    """Put the file into the store as a snapshot."""
    snapshots = rig.snapshots
    unwrap = UnwrapPorts(
        DirectoryScratch(snapshots.scratch_directory), snapshots.decoder, snapshots.cancellation, RecordingProgress()
    )
    ports = ImportPorts(snapshots.store, snapshots.encoder, unwrap, SystemClock(), SystemTokens(), RecordingEvents())
    import_file(file, ImportOrder(layout=LAYOUT, taken_by="bench"), snapshots.catalogue, ports=ports)


def measure_minimum(rig: RecoveryRig, plan: Plan, binaries: EtcdBinaries) -> Minimum:
    rig.end_all()
    work = rig.directory / "minimum"
    work.mkdir()
    snapshot = rig.snapshots.catalogue.snapshots[0]
    download = timed(
        lambda: fetch_snapshot(
            rig.snapshots.store,
            LAYOUT,
            snapshot.manifest,
            work / "snapshot.db",
            decoder=rig.snapshots.decoder,
            files=PartFiles(),
            cancellation=rig.snapshots.cancellation,
            progress=RecordingProgress(),
        )
    )
    restore = timed(lambda: restore_once(plan, work, binaries))
    one = start_one(rig, plan, work)
    return Minimum(download, restore, one, start_three(rig))


def restore_once(plan: Plan, work: Path, binaries: EtcdBinaries) -> None:
    [step] = [step for step in plan.steps if step.kind == "build-data" and step.member == "m1"]
    url = "https://127.0.0.1:2"
    command = [
        binaries.etcdutl or binaries.etcdctl,
        "snapshot",
        "restore",
        work / "snapshot.db",
        f"--data-dir={work / 'data'}",
        "--name=m1",
        f"--initial-cluster=m1={url}",
        f"--initial-advertise-peer-urls={url}",
        "--initial-cluster-token=minimum",
    ]
    if step.bump_revision:
        command += [f"--bump-revision={step.bump_revision}", "--mark-compacted"]
    subprocess.run(command, check=True, capture_output=True)


def start_one(rig: RecoveryRig, plan: Plan, work: Path) -> float:
    """Start a cluster of one on the directory that was just restored, and end it."""
    member = rig.cluster.member("m1")
    aside = member.data_dir.with_name("m1.recovered")
    member.data_dir.rename(aside)
    (work / "data").rename(member.data_dir)
    seconds = timed(lambda: (member.start(), member.wait_until_healthy(deadline_seconds=300)))
    member.kill()
    shutil.rmtree(member.data_dir)
    aside.rename(member.data_dir)
    return seconds


def start_three(rig: RecoveryRig) -> float:
    """Start the recovered members again, from cold."""
    return timed(lambda: (rig.cluster.start(), rig.cluster.wait_until_healthy(deadline_seconds=300)))


def timed(act: object) -> float:
    began = time.perf_counter()
    act()  # type: ignore[operator]  # a lambda of the lines above
    return time.perf_counter() - began


def table(shape: Shape, rounds: Sequence[Round]) -> list[str]:
    size = rounds[0].database_bytes / 1e6
    total = statistics.median(r.report.recovery_seconds or 0 for r in rounds)
    minimum = {name: statistics.median(getattr(r.minimum, name) for r in rounds) for name in Minimum.__slots__}
    one = statistics.median(r.minimum.seconds(members=1) for r in rounds)
    three = statistics.median(r.minimum.seconds(members=3) for r in rounds)
    lines = [f"## {shape.name}, {size:.0f} MB", "", "| phase | seconds |", "| --- | ---: |"]
    lines += [f"| {name} | {statistics.median(r.phases[name] for r in rounds):.2f} |" for name in rounds[0].phases]
    parts = f"download {minimum['download']:.2f} + restore {minimum['restore']:.2f}"
    lines += [
        f"| **whole, to the verified cluster** | **{total:.2f}** |",
        f"| minimum: {parts} + start of one {minimum['start_one']:.2f} | {one:.2f} |",
        f"| the same with three members started at once: {minimum['start_three']:.2f} | {three:.2f} |",
        "",
        f"Ratio: {total / one:.2f} ({total / three:.2f} with three started at once); target {TARGET}.",
        "",
    ]
    return lines


if __name__ == "__main__":
    sys.exit(main())
