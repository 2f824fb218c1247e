"""Make the large database files of the benchmarks with a real etcd, once, under `.bench/`.

- The keys look like Kubernetes', the values are random where a shape does not say otherwise, the seed is fixed.
- Transactions are sent as hand-encoded protobuf: the benchmark must not depend on the adapter it may one day measure.
- A file appears under its name only when it is whole; a second call returns the path at once.
"""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

REPOSITORY = Path(__file__).resolve().parents[2]
BENCH_DIRECTORY = REPOSITORY / ".bench"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file holds. `churned` rewrites a third of the keys and deletes a tenth, with a compaction between.

    `make_value` makes a value from a random source and its size; None: random bytes, which no codec compresses.
    """

    name: str
    key_count: int
    value_bytes: int
    churned: bool = False
    make_value: Callable[[random.Random, int], bytes] | None = None

    def key(self, number: int) -> bytes:
        return b"/registry/pods/namespace-%03d/pod-%08d" % (number % 200, number)

    def value(self, randomness: random.Random) -> bytes:
        if self.make_value is not None:
            return self.make_value(randomness, self.value_bytes)
        return randomness.randbytes(self.value_bytes)


LARGE_VALUES = Shape("950k-1KB", 950_000, 1024)
SMALL_KEYS = Shape("3M-100B", 3_000_000, 100)
CHURNED = Shape("1M-churned", 1_000_000, 300, churned=True)


def snapshot_file(shape: Shape, *, etcd: Path) -> Path:
    """Return a snapshot of this shape taken from the etcd in directory `etcd`, making it first where needed."""
    target = BENCH_DIRECTORY / f"{shape.name}-{etcd.name}.db"
    if target.exists():
        return target
    BENCH_DIRECTORY.mkdir(exist_ok=True)
    scratch = BENCH_DIRECTORY / f".making-{target.name}"
    subprocess.run(["rm", "-rf", str(scratch)], check=True)
    scratch.mkdir()
    with _running_etcd(etcd, scratch) as endpoint:
        _fill(endpoint, shape)
        partial = scratch / "snapshot"
        subprocess.run(
            [etcd / "etcdctl", f"--endpoints={endpoint}", "--command-timeout=600s", "snapshot", "save", partial],
            check=True,
            capture_output=True,
            env={"ETCDCTL_API": "3"},
        )
        partial.rename(target)
    subprocess.run(["rm", "-rf", str(scratch)], check=True)
    return target


@contextlib.contextmanager
def _running_etcd(etcd: Path, scratch: Path) -> Iterator[str]:
    client, peer = _free_port(), _free_port()
    log = (scratch / "log").open("wb")
    process = subprocess.Popen(
        [
            etcd / "etcd",
            "--name=bench",
            f"--data-dir={scratch / 'data'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=bench=http://127.0.0.1:{peer}",
            "--max-txn-ops=20000",
            "--max-request-bytes=33554432",
            "--quota-backend-bytes=17179869184",
            "--snapshot-count=1000",
            "--unsafe-no-fsync",
        ],
        stdout=log,
        stderr=log,
    )
    try:
        yield f"127.0.0.1:{client}"
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _fill(endpoint: str, shape: Shape) -> None:
    randomness = random.Random(f"etcd-dr {shape.name}")
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(endpoint, options=options) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        send = channel.unary_unary("/etcdserverpb.KV/Txn")
        compact = channel.unary_unary("/etcdserverpb.KV/Compact")

        def put(number: int) -> bytes:
            value = shape.value(randomness)
            return _field(2, _field(2, _field(1, shape.key(number)) + _field(2, value)))

        def delete(number: int) -> bytes:
            return _field(2, _field(3, _field(1, shape.key(number))))

        revision = 1 + _in_batches(send, put, range(shape.key_count), operation_bytes=shape.value_bytes + 64)
        if shape.churned:
            _retry(lambda: compact(b"\x08" + _varint(revision - 100) + b"\x10\x01", timeout=300))
            _in_batches(send, put, range(0, shape.key_count, 3), operation_bytes=shape.value_bytes + 64)
            _in_batches(send, delete, range(0, shape.key_count, 10), operation_bytes=64)


def _in_batches(
    send: Callable[..., object], operation: Callable[[int], bytes], numbers: range, *, operation_bytes: int
) -> int:
    size = min(5000, 1_000_000 // operation_bytes)
    transactions = 0
    for start in range(0, len(numbers), size):
        request = b"".join(operation(number) for number in numbers[start : start + size])
        _retry(lambda request=request: send(request, timeout=120))  # type: ignore[misc] # bound at once
        transactions += 1
    return transactions


def _retry(call: Callable[[], object]) -> None:
    for _ in range(5):
        try:
            call()
        except grpc.RpcError:
            time.sleep(1)
        else:
            return
    call()


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


if __name__ == "__main__":
    for shape in (LARGE_VALUES, SMALL_KEYS, CHURNED):
        started = time.perf_counter()
        path = snapshot_file(shape, etcd=REPOSITORY / ".tools" / "etcd-3.5.30")
        print(path, path.stat().st_size, f"{time.perf_counter() - started:.0f} s")
