"""`etcd-dr snapshot save` into a local S3 server, against what people script with the stock tools.

Theirs: `etcdctl snapshot save` to disk, `etcdutl snapshot status`, `rclone copyto`. Ours: one command that streams,
compresses, encrypts, uploads, reads back, examines every page and compares HashKV with the member. Both are whole
processes against the same member and the same server, side by side in each round; the table has medians, of their
processor time too, which says more than the clock where the machine has other work. The servers' own is not in it.

Targets: wall ratio at most 0.7 at 1.3 GB, private memory at most 150 MB and the same at 100 MB and 1.3 GB.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_save.py [--rounds 3] [--only NAME] [--ours]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.etcd_files import BENCH_DIRECTORY, REPOSITORY, Shape, snapshot_file
from bench.kubernetes_values import pod_value
from bench.live_etcd import LiveEtcd, serving
from bench.private_memory import PrivateMemory
from etcd_dr.adapters.local_cluster import EtcdBinaries, preferred_etcd_binaries
from real.peers.s3_server import ADMIN, program_beside_python
from real.peers.weed import WeedS3

BUCKET = "bench"
WALL_TARGET = 0.7
MEMORY_TARGET_MB = 150
SHAPES = (
    Shape("72k-pods", 72_000, 1024, make_value=pod_value),
    Shape("72k-1KB", 72_000, 1024),
    Shape("950k-pods", 950_000, 1024, make_value=pod_value),
    Shape("950k-1KB", 950_000, 1024),
)


@dataclass(frozen=True, slots=True)
class Ours:
    wall_seconds: float
    cpu_seconds: float
    private_bytes: int
    database_bytes: int
    stored_bytes: int
    phases: dict[str, float]
    proven: str


@dataclass(frozen=True, slots=True)
class Theirs:
    cpu_seconds: float
    save_seconds: float
    status_seconds: float
    upload_seconds: float

    @property
    def wall_seconds(self) -> float:
        return self.save_seconds + self.status_seconds + self.upload_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="the name of one shape")
    parser.add_argument("--ours", action="store_true", help="leave the stock tools out")
    options = parser.parse_args()
    binaries = preferred_etcd_binaries({**os.environ, "ETCD_DR_TOOLS_DIR": str(REPOSITORY / ".tools")})
    shapes = [shape for shape in SHAPES if options.only in (None, shape.name)]
    rows = [measure(shape, binaries, rounds=options.rounds, with_theirs=not options.ours) for shape in shapes]
    print("\n".join(table(rows)))
    return 0


@dataclass(frozen=True, slots=True)
class Row:
    shape: Shape
    ours: Sequence[Ours]
    theirs: Sequence[Theirs]


def measure(shape: Shape, binaries: EtcdBinaries, *, rounds: int, with_theirs: bool) -> Row:
    """Run both ways in turn on one member with this shape."""
    file = snapshot_file(shape, etcd=binaries.etcd.parent)
    ours: list[Ours] = []
    theirs: list[Theirs] = []
    with (
        tempfile.TemporaryDirectory(prefix="save-", dir=BENCH_DIRECTORY) as directory,
        WeedS3(Path(directory) / "weed") as s3,
        serving(file, binaries) as etcd,
    ):
        s3.make_bucket(BUCKET)
        work = Path(directory)
        for number in range(rounds):
            ours.append(save_ours(work, etcd, s3))
            print(f"{shape.name} {number + 1}: ours {ours[-1]}", file=sys.stderr)
            if with_theirs:
                theirs.append(save_theirs(work, etcd, s3, binaries))
                print(f"{shape.name} {number + 1}: theirs {theirs[-1]}", file=sys.stderr)
            empty(s3)
    return Row(shape, ours, theirs)


def save_ours(work: Path, etcd: LiveEtcd, s3: WeedS3) -> Ours:
    config = work / "etcd-dr.yaml"
    config.write_text(yaml.safe_dump(configuration(work, etcd, s3)))
    scratch = work / "scratch"
    scratch.mkdir(exist_ok=True)
    command = [Path(sys.executable).with_name("etcd-dr"), "--config", config, "-o", "json", "snapshot", "save"]
    cpu_before, began = cpu_of_children(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with PrivateMemory(process.pid) as memory:
        output, complaints = process.communicate()
    wall_seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"etcd-dr snapshot save ended with {process.returncode}: {complaints.decode()}")
    said = json.loads(output)
    return Ours(
        wall_seconds=wall_seconds,
        cpu_seconds=cpu_of_children() - cpu_before,
        private_bytes=memory.peak_bytes,
        database_bytes=next(p["bytes"] for p in said["phases"] if p["name"] == "receiving"),
        stored_bytes=next(p["bytes"] for p in said["phases"] if p["name"] == "storing"),
        phases={p["name"]: p["seconds"] for p in said["phases"]},
        proven=" ".join(f"{p['level']}:{p['result']}" for p in said["proofs"]),
    )


def configuration(work: Path, etcd: LiveEtcd, s3: WeedS3) -> dict[str, object]:
    credentials = work / "credentials"
    credentials.write_text(
        f"[default]\naws_access_key_id = {ADMIN.access_key}\naws_secret_access_key = {ADMIN.secret_key}\n"
    )
    tls = etcd.tls
    return {
        "scratch_dir": str(work / "scratch"),
        "stores": [
            {
                "name": "local",
                "s3": {
                    "bucket": BUCKET,
                    "endpoint": s3.endpoint,
                    "region": "us-east-1",
                    "credentials_file": str(credentials),
                },
            }
        ],
        "encryption": {"recipients": [recipient()]},
        "clusters": [
            {
                "name": "bench",
                "store": "local",
                "etcd": {
                    "endpoints": [etcd.endpoint],
                    "cacert": str(tls.ca),
                    "cert": str(tls.certificate),
                    "key": str(tls.key),
                },
            }
        ],
    }


def recipient() -> str:
    import pyrage  # noqa: PLC0415 - only to make a key

    return str(pyrage.x25519.Identity.generate().to_public())


def save_theirs(work: Path, etcd: LiveEtcd, s3: WeedS3, binaries: EtcdBinaries) -> Theirs:
    target = work / "snapshot.db"
    target.unlink(missing_ok=True)
    cpu_before = cpu_of_children()
    save = timed([binaries.etcdctl, *etcd.etcdctl_flags, "snapshot", "save", target], {"ETCDCTL_API": "3"})
    status = timed([binaries.etcdutl or binaries.etcdctl, "snapshot", "status", target, "-w", "json"])
    remote = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_LOCAL_TYPE": "s3",
        "RCLONE_CONFIG_LOCAL_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_LOCAL_ENDPOINT": s3.endpoint,
        "RCLONE_CONFIG_LOCAL_ACCESS_KEY_ID": ADMIN.access_key,
        "RCLONE_CONFIG_LOCAL_SECRET_ACCESS_KEY": ADMIN.secret_key,
    }
    upload = timed([program_beside_python("rclone"), "copyto", target, f"local:{BUCKET}/theirs/snapshot.db"], remote)
    target.unlink()
    return Theirs(cpu_of_children() - cpu_before, save, status, upload)


def cpu_of_children() -> float:
    """Return the processor seconds of all processes that we started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command: Sequence[str | Path], environ: dict[str, str] | None = None) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **(environ or {})})
    return time.perf_counter() - began


def empty(s3: WeedS3) -> None:
    client = s3.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=entry["Key"])


def table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| database | size MB | stored MB | etcd-dr s | CPU s | peak private MB | save + status + rclone s | CPU s | ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        wall = statistics.median(o.wall_seconds for o in row.ours)
        peak = statistics.median(o.private_bytes for o in row.ours) / 1e6
        size, stored = row.ours[0].database_bytes / 1e6, row.ours[0].stored_bytes / 1e6
        cpu = statistics.median(o.cpu_seconds for o in row.ours)
        start = f"| {row.shape.name} | {size:.0f} | {stored:.0f} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |"
        if not row.theirs:
            lines.append(f"{start} | | |")
            continue
        parts = [
            statistics.median(getattr(t, f"{name}_seconds") for t in row.theirs)
            for name in ("save", "status", "upload", "wall")
        ]
        lines.append(
            f"{start} {parts[0]:.1f} + {parts[1]:.1f} + {parts[2]:.1f} = {parts[3]:.1f} "
            f"| {statistics.median(t.cpu_seconds for t in row.theirs):.1f} | {wall / parts[3]:.2f} |"
        )
    lines.append("")
    lines.append(f"Targets: ratio at most {WALL_TARGET}, private memory at most {MEMORY_TARGET_MB} MB at every size.")
    return lines


if __name__ == "__main__":
    sys.exit(main())
